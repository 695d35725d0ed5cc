/// What a server of completions answers.
public enum CompletionAnswer {
    /// The tokens of a request and of its answer.
    public struct Usage: Encodable, Sendable {
        let promptTokens: Int
        let completionTokens: Int

        /// Counts tokens.
        public init(promptTokens: Int, completionTokens: Int) {
            self.promptTokens = promptTokens
            self.completionTokens = completionTokens
        }

        enum CodingKeys: String, CodingKey {
            case promptTokens = "prompt_tokens"
            case completionTokens = "completion_tokens"
            case totalTokens = "total_tokens"
        }

        /// Writes the counts and their sum.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(promptTokens, forKey: .promptTokens)
            try container.encode(completionTokens, forKey: .completionTokens)
            try container.encode(promptTokens + completionTokens, forKey: .totalTokens)
        }
    }

    /// The answer to `POST /v1/chat/completions`, or to `POST /v1/completions`.
    public struct Whole: Encodable, Sendable {
        /// One text.
        struct Choice: Encodable, Sendable {
            let isChat: Bool
            let index: Int
            let text: String
            let finishReason: String

            enum CodingKeys: String, CodingKey {
                case index, text, message, role, content, logprobs
                case finishReason = "finish_reason"
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(index, forKey: .index)
                try container.encode(finishReason, forKey: .finishReason)
                guard isChat else {
                    // OpenAI's clients expect `logprobs`, null where there are none.
                    try container.encodeNil(forKey: .logprobs)
                    return try container.encode(text, forKey: .text)
                }
                var message = container.nestedContainer(keyedBy: CodingKeys.self, forKey: .message)
                try message.encode("assistant", forKey: .role)
                try message.encode(text, forKey: .content)
            }
        }

        let id: String
        let object: String
        let created: Int
        let model: String
        let choices: [Choice]
        let usage: Usage

        /// Makes an answer; `created` is in seconds since 1970, and each text is a choice.
        public init(
            id: String,
            isChat: Bool,
            created: Int,
            model: String,
            texts: [(text: String, finishReason: String)],
            usage: Usage
        ) {
            self.id = id
            object = isChat ? "chat.completion" : "text_completion"
            self.created = created
            self.model = model
            choices = texts.enumerated().map { index, one in
                Choice(isChat: isChat, index: index, text: one.text, finishReason: one.finishReason)
            }
            self.usage = usage
        }
    }

    /// A part of a streamed answer.
    public struct Chunk: Encodable, Sendable {
        /// What is new of a text.
        public struct Choice: Encodable, Sendable {
            let isChat: Bool
            let role: String?
            let text: String?
            let finishReason: String?

            /// Makes a choice; in a conversation the text is the delta's content.
            public init(isChat: Bool, role: String?, text: String?, finishReason: String?) {
                self.isChat = isChat
                self.role = role
                self.text = text
                self.finishReason = finishReason
            }

            enum CodingKeys: String, CodingKey {
                case index, text, delta, role, content, logprobs
                case finishReason = "finish_reason"
            }

            /// Writes the choice as OpenAI's clients read it.
            public func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(0, forKey: .index)
                try container.encodeNil(forKey: .logprobs)
                try container.encode(finishReason, forKey: .finishReason)
                guard isChat else { return try container.encode(text ?? "", forKey: .text) }
                var delta = container.nestedContainer(keyedBy: CodingKeys.self, forKey: .delta)
                try delta.encodeIfPresent(role, forKey: .role)
                try delta.encodeIfPresent(text, forKey: .content)
            }
        }

        let id: String
        let object: String
        let created: Int
        let model: String
        let choices: [Choice]
        let usage: Usage?

        /// Makes a part; `created` is in seconds since 1970.
        public init(id: String, isChat: Bool, created: Int, model: String, choices: [Choice], usage: Usage? = nil) {
            self.id = id
            object = isChat ? "chat.completion.chunk" : "text_completion"
            self.created = created
            self.model = model
            self.choices = choices
            self.usage = usage
        }
    }

    /// The answer to `GET /v1/models`.
    public struct Models: Encodable, Sendable {
        struct Model: Encodable, Sendable {
            let id: String
            let object = "model"
            let created = 0
            let ownedBy = "errata"

            enum CodingKeys: String, CodingKey {
                case id, object, created
                case ownedBy = "owned_by"
            }
        }

        let object = "list"
        let data: [Model]

        /// Makes a list of names.
        public init(_ names: [String]) { data = names.map { Model(id: $0) } }
    }
}
