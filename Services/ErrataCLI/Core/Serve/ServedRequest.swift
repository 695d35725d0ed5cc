import CompletionAPI
import Foundation
import LanguageModel
import ModelFiles
import Schemas
import Tokenization

/// The body of a completion's request, with each field that is read and none that is not.
struct ServedRequest {
    let model: String
    let prompts: [Prompt]
    let choices: Int
    let seed: UInt64
    let stop: [String]
    let isStreamed: Bool
    let includesUsage: Bool
    private let maximumTokens: Int?
    private let temperature: Double?
    private let topK: Int?
    private let topP: Double?
    private let repetitionPenalty: Double?
    private let stopTokens: [TokenID]

    /// What is continued.
    enum Prompt {
        case text(String)
        case tokens([TokenID])
        case conversation(Conversation)
    }

    /// The most texts of a request.
    private static let maximumTexts = 128
    /// Fields that say nothing of the text.
    private static let ignored: Set<String> = ["user", "metadata", "store", "service_tier", "safety_identifier"]
    /// Fields that OpenAI's API has and that are not done here, with the values that ask for nothing.
    private static let neutral: [String: [JSONValue]] = [
        "best_of": [.integer(1)], "echo": [.bool(false)], "logprobs": [.bool(false)], "top_logprobs": [.integer(0)],
        "suffix": [.string("")], "presence_penalty": [.integer(0), .number(0)],
        "frequency_penalty": [.integer(0), .number(0)], "logit_bias": [.object([:])], "tools": [.array([])],
        "tool_choice": [.string("none")], "response_format": [.object(["type": .string("text")])],
    ]

    /// Reads a body.
    ///
    /// - Parameters:
    ///   - json: The body.
    ///   - isChat: Whether `messages` are continued, or a `prompt`.
    /// - Throws: ``APIError`` that names the field.
    init(json: Data, isChat: Bool) throws {
        let fields: Fields
        do {
            guard let members = try EventCoding.decodeForeign(json, what: "the body").objectValue else {
                throw APIError.invalid(nil, "The body must be a JSON object.")
            }
            fields = Fields(members)
        } catch let error as SchemasError {
            throw APIError.invalid(nil, error.message)
        }
        guard let model = try fields.text("model"), !model.isEmpty else {
            throw APIError.invalid("model", "You must provide model.")
        }
        self.model = model
        prompts = isChat ? [.conversation(try Self.conversation(json))] : try Self.prompts(fields)
        choices = try fields.integer("n", 1...Self.maximumTexts) ?? 1
        guard choices * prompts.count <= Self.maximumTexts else {
            throw APIError.invalid("n", "n and the prompts ask for more than \(Self.maximumTexts) texts.")
        }
        let limit = 1...1_048_576
        // OpenAI's default of a completion is 16 tokens.
        maximumTokens =
            try fields.integer("max_completion_tokens", limit) ?? fields.integer("max_tokens", limit)
            ?? (isChat ? nil : 16)
        temperature = try fields.number("temperature", 0...100)
        topK = try fields.integer("top_k", -1...1_048_576).map { max(0, $0) }
        topP = try fields.number("top_p", Double.leastNonzeroMagnitude...1)
        repetitionPenalty = try fields.number("repetition_penalty", 0.01...100)
        seed =
            try fields.integer("seed", Int.min...Int.max).map { UInt64(bitPattern: Int64($0)) }
            ?? .random(in: 0...(.max))
        stop = try fields.texts("stop")
        stopTokens = try fields.tokens("stop_token_ids")
        isStreamed = try fields.flag("stream") ?? false
        includesUsage = try Self.includesUsage(fields)
        guard !isStreamed || choices * prompts.count == 1 else {
            throw APIError.invalid("stream", "A stream holds one text; leave n out and give one prompt, or stream out.")
        }
        try fields.checkRest(
            ignored: Self.ignored.union(isChat ? ["messages", "chat_template_kwargs"] : []),
            Self.neutral
        )
    }

    /// Decoding, with the model's own where the request does not say.
    func parameters(_ model: ServedModel, room: Int, isChat: Bool) -> GenerationParameters {
        SamplingChoice(
            maximumTokens: maximumTokens ?? room,
            temperature: temperature,
            topK: topK,
            topP: topP,
            repetitionPenalty: repetitionPenalty
        ).parameters(
            defaults: model.defaults,
            stopTokens: model.endTokens(isChat: isChat) + stopTokens,
            stopStrings: stop,
            room: room,
            seed: 0
        )
    }

    private static func includesUsage(_ fields: Fields) throws -> Bool {
        guard let options = fields.take("stream_options") else { return false }
        guard case .object(let members) = options, members.keys.allSatisfy({ $0 == "include_usage" }) else {
            throw APIError.invalid("stream_options", "stream_options holds include_usage and nothing else here.")
        }
        return members["include_usage"] == .bool(true)
    }

    private static func conversation(_ json: Data) throws -> Conversation {
        do {
            let node = try JSONNode.parse(json)
            guard let messages = node["messages"] else {
                throw APIError.invalid("messages", "You must provide messages.")
            }
            var conversation = Conversation(try Conversation.messages(messages, place: "messages"))
            conversation.arguments += try Conversation.arguments(
                node["chat_template_kwargs"],
                place: "chat_template_kwargs"
            )
            return conversation
        } catch let error as TokenizationError {
            throw APIError.invalid("messages", error.description)
        }
    }

    private static func prompts(_ fields: Fields) throws -> [Prompt] {
        let wrong = APIError.invalid("prompt", "prompt must be a text, a list of texts, or token ids.")
        switch fields.take("prompt") {
        case .string(let text): return [.text(text)]
        case .array(let elements):
            guard !elements.isEmpty else { throw wrong }
            if case .integer = elements[0] { return [.tokens(try Fields.tokens(elements, "prompt"))] }
            return try elements.map { element in
                switch element {
                case .string(let text): return .text(text)
                case .array(let ids): return .tokens(try Fields.tokens(ids, "prompt"))
                default: throw wrong
                }
            }
        default: throw wrong
        }
    }
}

/// The fields of a body; one that nobody has read is an error.
private final class Fields {
    private var rest: [String: JSONValue]

    init(_ members: [String: JSONValue]) { rest = members.filter { $0.value != .null } }

    func take(_ name: String) -> JSONValue? { rest.removeValue(forKey: name) }

    func text(_ name: String) throws -> String? {
        guard let value = take(name) else { return nil }
        guard case .string(let text) = value else { throw APIError.invalid(name, "\(name) must be a text.") }
        return text
    }

    func flag(_ name: String) throws -> Bool? {
        guard let value = take(name) else { return nil }
        guard case .bool(let flag) = value else { throw APIError.invalid(name, "\(name) must be true or false.") }
        return flag
    }

    func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = take(name) else { return nil }
        guard case .integer(let number) = value, range.contains(Int(number)) else {
            throw APIError.invalid(
                name,
                "\(name) must be a whole number of \(range.lowerBound) to \(range.upperBound)."
            )
        }
        return Int(number)
    }

    func number(_ name: String, _ range: ClosedRange<Double>) throws -> Double? {
        guard let value = take(name) else { return nil }
        guard let number = value.doubleValue, range.contains(number) else {
            throw APIError.invalid(name, "\(name) is outside its range, which ends at \(range.upperBound).")
        }
        return number
    }

    func texts(_ name: String) throws -> [String] {
        switch take(name) {
        case nil: return []
        case .string(let text) where !text.isEmpty: return [text]
        case .array(let elements) where elements.count <= 16:
            return try elements.map { element in
                guard case .string(let text) = element, !text.isEmpty else {
                    throw APIError.invalid(name, "\(name) must be a text, or up to 16 of them, none empty.")
                }
                return text
            }
        default: throw APIError.invalid(name, "\(name) must be a text, or up to 16 of them, none empty.")
        }
    }

    func tokens(_ name: String) throws -> [TokenID] {
        guard let value = take(name) else { return [] }
        guard case .array(let elements) = value else { throw APIError.invalid(name, "\(name) must be token ids.") }
        return try Self.tokens(elements, name)
    }

    static func tokens(_ elements: [JSONValue], _ name: String) throws -> [TokenID] {
        try elements.map { element in
            guard case .integer(let number) = element, let token = TokenID(exactly: number) else {
                throw APIError.invalid(name, "\(name) must be token ids, whole numbers.")
            }
            return token
        }
    }

    func checkRest(ignored: Set<String>, _ neutral: [String: [JSONValue]]) throws {
        for (name, value) in rest.sorted(by: { $0.key < $1.key }) where !ignored.contains(name) {
            guard neutral[name]?.contains(value) == true else {
                throw APIError.invalid(name, "\(name) is not supported here; leave it out.")
            }
        }
    }
}
