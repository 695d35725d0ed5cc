/// How a conversation is laid out in tokens.
public enum ChatFormat: String, Sendable, Codable, CaseIterable {
    /// `<|im_start|>role`, a line feed, the text, `<|im_end|>` and a line feed (Qwen, SmolLM2).
    case chatML = "chatml"
    /// `[INST] … [/INST]` between start and end tokens, the system message between `<<SYS>>` marks.
    case llama2
    /// `[INST] … [/INST]`, the system message in front of a user's text (Mistral 7B Instruct 0.1 to 0.3); the spaces and
    /// the turn that the system message stands in are those of the model's own template.
    case mistral
    /// `<|user|>`, a line feed, the text, the end token and a line feed (TinyLlama, Zephyr).
    case zephyr
    /// A role between `<|start_header_id|>` and `<|end_header_id|>`, two line feeds, the text and `<|eot_id|>`.
    case llama3

    /// The formats' names, for messages.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// The special tokens that the format cannot do without.
    var markers: [String] {
        switch self {
        case .chatML: ["<|im_start|>", "<|im_end|>"]
        case .llama2, .mistral, .zephyr: []
        case .llama3: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        }
    }

    /// Marks that some tokenizers have as tokens and others read as text.
    var marksAnywhere: [String] {
        switch self {
        case .chatML, .llama3: []
        case .llama2: ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"]
        case .mistral: ["[INST]", "[/INST]"]
        case .zephyr: ["<|system|>", "<|user|>", "<|assistant|>"]
        }
    }

    /// Whether a chat template lays conversations out in this format.
    func isUsed(by template: TemplateSkeleton) -> Bool {
        switch self {
        // Phi-4 has ChatML's tokens, but ends the role with a token of its own; SmolLM3 writes today's date and more
        // into the system message. Of the models that think aloud, Qwen3's way is known.
        case .chatML:
            return template.has("<|im_start|>", "<|im_end|>") && !template.has("<|im_sep|>")
                && !template.has("strftime_now") && (!template.has("</think>") || ThinkingLayout(template) != nil)
        case .llama2: return template.has("[INST]", "[/INST]", "<<SYS>>")
        case .mistral: return InstructLayout(template) != nil
        case .zephyr:
            return ["system", "user", "assistant"].allSatisfy {
                template.has("{{\"<|\($0)|>\n\"+message[\"content\"]+eos_token}}\n")
            } && template.has("{{\"<|assistant|>\"}}\n")
        case .llama3: return template.has("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
        }
    }
}

/// One turn of a conversation.
public struct ChatMessage: Sendable, Codable, Hashable {
    /// Who speaks.
    public enum Role: String, Sendable, Codable, CaseIterable {
        /// Instructions that stand before the conversation.
        case system
        /// Who asks.
        case user
        /// The model.
        case assistant
    }

    /// Who speaks.
    public var role: Role
    /// What is said: plain text, whatever it spells.
    public var content: String

    /// A turn.
    public init(_ role: Role, _ content: String) {
        self.role = role
        self.content = content
    }
}

/// A conversation in tokens, and which of them the model is to learn.
public struct ChatTokens: Sendable, Hashable {
    /// The tokens.
    public var ids: [TokenID]
    /// For each token, whether it is the assistant's: its text and the token that ends its turn.
    public var isAssistant: [Bool]
}
