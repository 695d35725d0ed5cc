public import Reasoning

/// How an answer ended, whatever its server calls it.
public enum FinishReason: Sendable, Hashable {
    /// The model ended it.
    case whole
    /// It was cut at the limit of tokens.
    case length
    /// A filter cut it or kept it back.
    case filtered
    /// The model refused to answer.
    case refusal
    /// The model called a tool, of which it was given none.
    case toolCall
    /// There was no answer in time, or none that can be read; the name is that of a call's outcome in the ledger.
    case none(String)
    /// A name that is none of these.
    case other(String)

    /// Reads a server's name.
    ///
    /// The whole answers of OpenAI's own API end with `stop`; those of text-generation-inference, Together, watsonx,
    /// Anthropic's and Google's gateways with others. A server that names no reason says that nothing cut the answer.
    public init(_ name: String) {
        switch name.lowercased().replacing("-", with: "_") {
        case "", "stop", "eos", "eos_token", "eot", "end", "end_turn", "end_of_text", "stop_sequence", "stop_token",
            "stop_word", "complete", "completed", "finished", "finish", "done", "success":
            self = .whole
        case "length", "max_tokens", "max_output_tokens", "max_length", "max_new_tokens", "model_length",
            "token_limit", "context_length", "incomplete":
            self = .length
        case "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii",
            "moderation", "guardrail":
            self = .filtered
        case "refusal", "refused": self = .refusal
        case "tool_calls", "tool_call", "tool_use", "function_call": self = .toolCall
        case "timeout", "malformed", "too_large": self = .none(name)
        default: self = .other(name)
        }
    }

    /// Why an answer that ended so cannot be used; nil for a whole one.
    public var refusal: Refusal? {
        switch self {
        case .whole: nil
        case .length: Refusal(.cut, "the teacher's answer was cut at its limit of tokens (finish_reason length)")
        case .filtered:
            Refusal(.contentFilter, "a filter of the teacher's server cut its answer or kept it back (content_filter)")
        case .refusal: Refusal(.declined, "the teacher refused to answer")
        case .toolCall: Refusal(.toolCall, "the teacher called a tool instead of answering")
        case .none("timeout"): Refusal(.timeout, "the teacher did not answer in time")
        case .none(let name): Refusal(.noReply, "the teacher's server gave no answer that can be read (\(name))")
        case .other(let name):
            Refusal(.cut, "the teacher's answer ended with finish_reason \(name), which is no known one")
        }
    }
}
