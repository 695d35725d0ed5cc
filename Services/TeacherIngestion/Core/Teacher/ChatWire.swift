import CompletionClient
import Foundation
import Reasoning
import Schemas
import Teaching

/// The chat-completions API as servers really speak it: what is sent by a role's settings, and what is read.
enum ChatWire {
    /// The body of a request.
    ///
    /// - Parameters:
    ///   - request: What is asked.
    ///   - settings: The role's settings.
    ///   - adaptation: What the server was found to refuse.
    /// - Returns: The fields.
    static func body(
        _ request: ChatRequest,
        settings: TeacherSettings,
        adaptation: ChatAdaptation = ChatAdaptation()
    ) -> [String: JSONValue] {
        var body = parameters(settings, maximumTokens: request.maximumTokens)
        body["messages"] = .array(
            request.messages.map { .object(["role": .string($0.role), "content": .string($0.content)]) }
        )
        // What the settings say of these two by themselves goes before the schedule's.
        if body["temperature"] == nil { body["temperature"] = .number(request.temperature) }
        if body["seed"] == nil { body["seed"] = .integer(seed(request.seed, settings)) }
        for name in leftOut(settings) { body[name] = nil }
        adaptation.apply(to: &body)
        return body
    }

    /// The seed that is sent: the sample's, moved by the role's own, and of at most 31 bits.
    private static func seed(_ seed: Int64, _ settings: TeacherSettings) -> Int64 {
        guard let base = settings.seed, base != 0 else { return seed }
        return (seed &+ base) & 0x7fff_ffff
    }

    /// What goes with every request of a role: all but the conversation, its temperature and its seed.
    static func parameters(_ settings: TeacherSettings, maximumTokens: Int? = nil) -> [String: JSONValue] {
        let preset = settings.preset ?? .generic
        var body: [String: JSONValue] = ["model": .string(settings.model ?? "")]
        body[preset.tokensField] = .integer(Int64(maximumTokens ?? settings.maximumTokens ?? preset.maximumTokens))
        if let topP = settings.topP { body["top_p"] = .number(topP) }
        if settings.stream ?? preset.isStreamed {
            body["stream"] = true
            body["stream_options"] = ["include_usage": true]
        }
        for (name, value) in settings.body ?? [:] {
            // Another name for the limit takes the place of ours.
            if ["max_tokens", "max_completion_tokens"].contains(name), name != preset.tokensField, value != .null {
                body[preset.tokensField] = nil
            }
            body[name] = value
        }
        for name in leftOut(settings) { body[name] = nil }
        return body
    }

    /// What an answer depends on beside the conversation and how it is sampled: the model, and what goes with each request.
    ///
    /// How an answer travels, in one piece, as a stream or in a batch, does not change it.
    static func identity(_ settings: TeacherSettings) -> String {
        var parameters = parameters(settings)
        parameters["stream"] = nil
        parameters["stream_options"] = nil
        // A part of what is asked, though each sample has another one.
        if let seed = settings.seed, seed != 0 { parameters["seed"] = .integer(seed) }
        return (try? EventCoding.encodeJSON(parameters)).map { String(decoding: $0, as: UTF8.self) }
            ?? settings.model ?? ""
    }

    /// The most tokens that the answer to a request may have, as its body says it.
    static func maximumTokens(of body: [String: JSONValue]) -> Int? {
        let named = ["max_completion_tokens", "max_tokens"].lazy.compactMap { body[$0]?.doubleValue }.first
        return named.flatMap { (0...Double(Int32.max)).contains($0) ? Int($0) : nil }
    }

    private static func leftOut(_ settings: TeacherSettings) -> Set<String> {
        var names = (settings.preset ?? .generic).leftOut
        for (name, value) in settings.body ?? [:] {
            if value == .null { names.insert(name) } else { names.remove(name) }
        }
        return names
    }

    // MARK: Answers

    /// The longest text of an answer that is used, in bytes of UTF-8 and without thoughts: an event has to hold two of them,
    /// each byte written as up to six.
    static let maximumText = 1 << 16

    /// Reads an answer.
    ///
    /// - Throws: ``ServerError`` of the kind `malformed` where there is no choice in it, `tooLarge` where its text is too
    ///   long.
    static func reply(_ answer: CompletionServer.Answer, model: String, place: String) throws -> ChatReply {
        guard case .array(let choices)? = answer.json["choices"], let choice = choices.first?.objectValue else {
            throw ServerError(
                .malformed,
                "\(place) answered without a choice: it has \(answer.json.keys.sorted().joined(separator: ", "))",
                mayBeBilled: true
            )
        }
        guard let message = choice["message"]?.objectValue else {
            throw ServerError(.malformed, "\(place) answered with a choice without a message", mayBeBilled: true)
        }
        let (text, partThoughts) = content(message["content"])
        let thoughts = ["reasoning_content", "reasoning", "thinking"].compactMap { message[$0]?.stringValue }.first
        var reason = choice["finish_reason"]?.stringValue ?? ""
        if let refusal = message["refusal"]?.stringValue, !refusal.isEmpty { reason = "refusal" }
        let usage = answer.json["usage"]?.objectValue
        let reply = ChatReply(
            text: text,
            thoughts: thoughts ?? partThoughts,
            finishReason: reason.isEmpty ? "stop" : reason,
            promptTokens: count(usage?["prompt_tokens"]),
            completionTokens: count(usage?["completion_tokens"]),
            model: answer.json["model"]?.stringValue ?? model,
            latencyMilliseconds: answer.milliseconds
        )
        guard reply.text.utf8.count <= maximumText else {
            throw ServerError(
                .tooLarge,
                "\(place) answered with a text of \(reply.text.utf8.count) bytes; \(maximumText) are used at most",
                mayBeBilled: true
            )
        }
        return reply
    }

    /// A count of tokens; 0 where there is none, or one that no answer can have and no column of the ledger holds.
    private static func count(_ value: JSONValue?) -> Int {
        guard let number = value?.doubleValue, (0...Double(Int32.max)).contains(number) else { return 0 }
        return Int(number)
    }

    /// A text, or a list of parts: those of text are the answer, those of thought are not.
    private static func content(_ value: JSONValue?) -> (text: String, thoughts: String?) {
        switch value {
        case .string(let text): return (text, nil)
        case .array(let parts):
            var texts: [String] = []
            var thoughts: [String] = []
            for part in parts {
                if let text = part.stringValue {
                    texts.append(text)
                    continue
                }
                guard let part = part.objectValue else { continue }
                let type = part["type"]?.stringValue ?? "text"
                if ["thinking", "reasoning", "thought"].contains(type) {
                    let inner = part["thinking"] ?? part["reasoning"] ?? part["text"] ?? part["content"]
                    thoughts.append(content(inner).text)
                } else if let text = part["text"] {
                    // A text, or in older forms an object with the text as its value.
                    texts.append(text.stringValue ?? text.objectValue?["value"]?.stringValue ?? "")
                }
            }
            return (texts.joined(), thoughts.isEmpty ? nil : thoughts.joined(separator: "\n"))
        default: return ("", nil)
        }
    }
}

/// What a server was found to refuse of what every request has, so that it is left out or called by its other name.
struct ChatAdaptation: Sendable, Hashable {
    private var leftOut: Set<String> = []
    private var renames = false

    /// Takes up a refusal.
    ///
    /// - Returns: What is done from now on, in words; nil where nothing can be done that was not done already.
    mutating func learn(from error: ServerError) -> String? {
        guard error.kind == .refusedSetting, let parameter = error.parameter else { return nil }
        switch parameter {
        case "max_tokens" where !renames && !leftOut.contains(parameter):
            renames = true
            return "max_tokens is sent as max_completion_tokens"
        case "max_completion_tokens" where !renames && !leftOut.contains(parameter):
            renames = true
            return "max_completion_tokens is sent as max_tokens"
        case "seed", "temperature", "top_p", "stream_options":
            return leftOut.insert(parameter).inserted ? "\(parameter) is left out" : nil
        default: return nil
        }
    }

    /// Applies what was learned.
    func apply(to body: inout [String: JSONValue]) {
        if renames {
            let old = body["max_tokens"]
            let new = body["max_completion_tokens"]
            body["max_tokens"] = new
            body["max_completion_tokens"] = old
        }
        for name in leftOut { body[name] = nil }
    }
}
