/// How a conversation is laid out in tokens.
public enum ChatFormat: String, Sendable, Codable, CaseIterable {
    /// `<|im_start|>role`, a line feed, the text, `<|im_end|>` and a line feed (Qwen, SmolLM2).
    case chatML = "chatml"
    /// `[INST] … [/INST]` between start and end tokens, the system message between `<<SYS>>` marks.
    case llama2
    /// A role between `<|start_header_id|>` and `<|end_header_id|>`, two line feeds, the text and `<|eot_id|>`.
    case llama3

    /// The formats' names, for messages.
    public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// The special tokens that the format cannot do without.
    var markers: [String] {
        switch self {
        case .chatML: ["<|im_start|>", "<|im_end|>"]
        case .llama2: []
        case .llama3: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        }
    }

    /// Whether the text of a chat template lays conversations out in this format.
    func isUsed(by template: String) -> Bool {
        func has(_ parts: String...) -> Bool { parts.allSatisfy { template.contains($0) } }
        switch self {
        // Phi-4 has ChatML's tokens, but ends the role with a token of its own.
        case .chatML: return has("<|im_start|>", "<|im_end|>") && !has("<|im_sep|>")
        // Mistral writes [INST] as well, but lays system messages out differently.
        case .llama2: return has("[INST]", "[/INST]", "<<SYS>>")
        case .llama3: return has("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
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
