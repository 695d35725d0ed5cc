/// What the usual kinds of servers take and refuse, by name; a role's own settings go before it.
public enum TeacherPreset: String, Sendable, Hashable, Codable, CaseIterable {
    /// Any server of the API as it was published.
    case generic
    /// OpenAI's models that answer at once.
    case openai
    /// OpenAI's models that think first: they take neither a temperature nor a seed, and their thoughts count as tokens.
    case openaiReasoning = "openai-reasoning"
    /// Azure's: the key goes in a header of its own, and the address holds the deployment and `?api-version=…`.
    case azure
    /// llama.cpp's server.
    case llamaCpp = "llama.cpp"
    /// vLLM.
    case vllm
    /// Ollama.
    case ollama

    /// The field that bounds an answer's tokens.
    public var tokensField: String {
        switch self {
        case .openai, .openaiReasoning, .azure: "max_completion_tokens"
        default: "max_tokens"
        }
    }

    /// Fields that are left out.
    public var leftOut: Set<String> { self == .openaiReasoning ? ["temperature", "top_p", "seed"] : [] }

    /// The most tokens of an answer where nothing else is said.
    public var maximumTokens: Int { self == .openaiReasoning ? 16_384 : 2048 }

    /// Whether answers are streamed, so that a server that died is told from one that is slow.
    public var isStreamed: Bool {
        switch self {
        case .llamaCpp, .vllm, .ollama: true
        default: false
        }
    }

    /// Whether it lets calls for which it has no place wait without a word, and does not refuse them.
    public var letsCallsWait: Bool { isStreamed }

    /// The header that carries the key; nil for a bearer token.
    public var keyHeader: String? { self == .azure ? "api-key" : nil }

    /// The longest that a call may take, in seconds: of a server on a desk much longer than of a service.
    public var timeout: Double {
        switch self {
        case .llamaCpp, .ollama: 1800
        default: 600
        }
    }
}
