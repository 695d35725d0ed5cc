import CompletionAPI
import Foundation
import Reasoning

/// The body of `POST /v1/chat/completions`, as far as the simulator heeds it.
struct ChatCompletionRequest: Sendable {
    static let roles: Set<String> = ["system", "developer", "user", "assistant"]
    static let maximumChoices = 16

    let model: String
    let messages: [PromptMessage]
    let temperature: Double
    let seed: Int64
    let maximumTokens: Int?
    let choices: Int
    let isStreamed: Bool
    let includesUsage: Bool

    /// Reads a body.
    ///
    /// - Throws: ``APIError`` that names the parameter.
    init(json: Data) throws(APIError) {
        let wire: Wire
        do {
            wire = try JSONDecoder().decode(Wire.self, from: json)
        } catch {
            throw APIError(decoding: error)
        }
        guard !wire.model.isEmpty else { throw APIError.invalid("model", "model must not be empty.") }
        guard !wire.messages.isEmpty else { throw APIError.invalid("messages", "messages must not be empty.") }
        var messages: [PromptMessage] = []
        for (index, message) in wire.messages.enumerated() {
            guard Self.roles.contains(message.role) else {
                throw APIError.invalid(
                    "messages[\(index)].role",
                    "'\(message.role.prefix(40))' is not one of \(Self.roles.sorted().joined(separator: ", "))."
                )
            }
            messages.append(PromptMessage(role: message.role, content: message.content?.text ?? ""))
        }
        guard messages.contains(where: { $0.role == "user" }) else {
            throw APIError.invalid("messages", "messages must hold a message of role user.")
        }
        let temperature = wire.temperature ?? 1
        guard (0...2).contains(temperature) else {
            throw APIError.invalid("temperature", "temperature must be 0 to 2, is \(temperature).")
        }
        let maximum = wire.maximumCompletionTokens ?? wire.maximumTokens
        if let maximum, maximum < 1 {
            throw APIError.invalid("max_tokens", "max_tokens must be at least 1, is \(maximum).")
        }
        let choices = wire.n ?? 1
        guard (1...Self.maximumChoices).contains(choices) else {
            throw APIError.invalid("n", "n must be 1 to \(Self.maximumChoices), is \(choices).")
        }
        isStreamed = wire.stream ?? false
        includesUsage = wire.streamOptions?.includeUsage ?? false
        guard !isStreamed || choices == 1 else {
            throw APIError.invalid("stream", "A stream holds one text; leave n out, or stream.")
        }
        model = wire.model
        self.messages = messages
        self.temperature = temperature
        seed = wire.seed ?? 0
        maximumTokens = maximum
        self.choices = choices
    }

    // MARK: Wire form

    private struct StreamOptions: Decodable {
        let includeUsage: Bool?

        enum CodingKeys: String, CodingKey { case includeUsage = "include_usage" }
    }

    private struct Wire: Decodable {
        struct Message: Decodable {
            let role: String
            let content: Content?
        }

        let model: String
        let messages: [Message]
        let temperature: Double?
        let seed: Int64?
        let maximumTokens: Int?
        let maximumCompletionTokens: Int?
        let n: Int?
        let stream: Bool?
        let streamOptions: StreamOptions?

        enum CodingKeys: String, CodingKey {
            case model, messages, temperature, seed, n, stream
            case streamOptions = "stream_options"
            case maximumTokens = "max_tokens"
            case maximumCompletionTokens = "max_completion_tokens"
        }
    }

    /// A text, or a list of parts of which the texts count.
    private struct Content: Decodable {
        struct Part: Decodable {
            let text: String?
        }

        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else {
                text = try container.decode([Part].self).compactMap(\.text).joined(separator: "\n")
            }
        }
    }
}
