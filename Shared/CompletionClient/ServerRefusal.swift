import Foundation
import NIOHTTP1
public import Schemas

/// Tells what a server's refusal means, by its status and by the forms in which servers of this API say why:
/// `{"error": {"message", "type", "param", "code"}}`, `{"error": "…"}`, `{"detail": "…"}`, `{"detail": [{"loc", "msg"}]}`,
/// `{"message": "…"}`, and plain text.
struct ServerRefusal {
    /// The status, or that which an error in an answer of 200 names.
    let status: Int
    /// The server's words, at most 500 characters of them.
    let words: String
    /// The server's name of the error, in lower case.
    let code: String
    /// The parameter that it names.
    let parameter: String?

    /// Reads a refusal's body.
    init(status: Int, body: Data) {
        let json = try? EventCoding.decodeForeign(body)
        self.init(status: status, json: json?.objectValue, text: String(decoding: body.prefix(2000), as: UTF8.self))
    }

    /// Reads a refusal that came as a part of something else, such as a line of a batch's results.
    init(status: Int, answer: [String: JSONValue]) {
        self.init(status: status, json: answer, text: "")
    }

    /// The error that stands in an answer of status 200; nil where there is none.
    init?(in answer: [String: JSONValue]) {
        guard let error = answer["error"], error != .null, error != .string("") else { return nil }
        let named = ["code", "status"].lazy.compactMap { error.objectValue?[$0] }
            .compactMap { $0.doubleValue ?? $0.stringValue.flatMap(Double.init) }.first
        let status = named.flatMap { Int(exactly: $0) } ?? 502
        self.init(status: (400...599).contains(status) ? status : 502, json: answer, text: "")
    }

    private init(status: Int, json: [String: JSONValue]?, text: String) {
        let error = json?["error"]?.objectValue ?? json ?? [:]
        var parameter = error["param"]?.stringValue
        var words = error["message"]?.stringValue ?? json?["error"]?.stringValue ?? json?["detail"]?.stringValue
        if case .array(let details)? = json?["detail"], let first = details.first?.objectValue {
            // Pydantic's form, of servers that are written with FastAPI.
            if case .array(let place)? = first["loc"] {
                parameter = parameter ?? place.compactMap(\.stringValue).last { $0 != "body" }
            }
            words = words ?? [parameter, first["msg"]?.stringValue].compactMap { $0 }.joined(separator: ": ")
        }
        self.status = status
        let trimmed = (words ?? text).trimmingCharacters(in: .whitespacesAndNewlines)
        // A character can have any number of marks.
        self.words = String(trimmed.prefix(500)).cut(toBytes: 4000)
        code = [error["code"]?.stringValue, error["type"]?.stringValue].compactMap { $0?.lowercased() }
            .joined(separator: " ").cut(toBytes: 500)
        self.parameter = parameter?.cut(toBytes: 500)
    }

    /// Names of errors that say what is wrong with a request or an account, whatever the status is.
    private static let causes = [
        "content_filter", "content_policy", "context_length", "context_window", "invalid_request", "invalid_prompt",
        "bad_request", "badrequest", "string_above_max_length", "invalid_api_key", "model_not_found",
        "insufficient_quota",
    ]

    private func says(_ texts: String...) -> Bool {
        let said = code + " " + words.lowercased()
        return texts.contains { said.contains($0) }
    }

    private var isFiltered: Bool {
        says("content_filter", "content_policy", "content policy", "moderation", "safety", "flagged")
    }

    private var isTooLong: Bool {
        says(
            "context length",
            "context_length",
            "context_window",
            "maximum context",
            "too many tokens",
            "too long",
            "string_above_max_length"
        )
    }

    /// What kind of failure it is.
    var kind: ServerError.Kind {
        switch status {
        // A redirection is followed by no POST: the address is not the right one.
        case 300..<400: return .notFound
        case 401: return .refusedKey
        case 402: return .quota
        case 403: return isFiltered ? .refusedRequest : .refusedKey
        case 404, 405: return .notFound
        case 408, 409, 425: return .unavailable
        case 429: return says("insufficient_quota", "billing", "exceeded your current quota") ? .quota : .unavailable
        // A gateway that says 502 hands on what the server behind it named.
        case 500... where !Self.causes.contains(where: { code.contains($0) }): return .unavailable
        default:
            if isFiltered { return .refusedRequest }
            if says("insufficient_quota") { return .quota }
            if says("invalid_api_key", "incorrect api key", "api key not valid") { return .refusedKey }
            if says("model_not_found", "does not exist", "unknown model", "model not found") { return .notFound }
            return refusedSetting == nil ? .refusedRequest : .refusedSetting
        }
    }

    /// The parameter of ours that is refused whatever the prompt is; nil where the prompt may be at fault.
    var refusedSetting: String? {
        let said = words.lowercased()
        // What is too long, or filtered, is the prompt's fault although a parameter is named.
        if isTooLong { return nil }
        if let parameter, parameter != "messages", !parameter.hasPrefix("messages["), parameter != "prompt" {
            return parameter
        }
        guard
            [
                "unsupported", "not support", "unknown", "unrecognized", "unexpected", "extra", "not permitted",
                "invalid",
            ]
            .contains(where: { said.contains($0) })
        else { return nil }
        // The longer names first: one holds another.
        return [
            "max_completion_tokens", "max_tokens", "stream_options", "reasoning_effort", "temperature", "top_p", "seed",
        ]
        .first { said.contains($0) }
    }

    /// Whether the request's words are named as the reason: not where a parameter is, which may merely be called safe, nor
    /// where they are too long, as the tokens that are left for an answer count too.
    private var isJudged: Bool {
        guard parameter.map({ $0.hasPrefix("messages") || $0 == "prompt" }) ?? true else { return false }
        let said = words.lowercased()
        return code.contains("content_filter") || code.contains("content_policy") || said.contains("flagged")
            || said.contains("content policy")
    }

    /// Whether the request may be at fault.
    var requestFault: ServerError.RequestFault {
        switch kind {
        case .refusedRequest: isJudged ? .certain : .possible
        case .unavailable: status >= 500 ? .possible : .no
        default: .no
        }
    }

    /// The error to throw.
    func error(url: String, headers: HTTPHeaders) -> ServerError {
        let kind = kind
        let pause = kind == .unavailable ? WaitHeaders.pause(after: headers) : nil
        return ServerError(
            kind,
            "\(url) answered \(status): \(words.isEmpty ? "nothing more" : words)",
            pause: pause,
            parameter: kind == .refusedSetting ? refusedSetting : nil,
            // A server that says when to come again is too busy.
            requestFault: pause == nil ? requestFault : .no
        )
    }
}

extension ServerError {
    /// The error that a server's refusal of one request among many is.
    ///
    /// - Parameters:
    ///   - status: The HTTP status that the request would have been answered with by itself.
    ///   - answer: The body that it would have been answered with.
    ///   - place: Who refuses, for the message.
    /// - Returns: The error.
    public static func refusal(status: Int, answer: [String: JSONValue], place: String) -> ServerError {
        ServerRefusal(status: status, answer: answer).error(url: place, headers: HTTPHeaders())
    }

    /// The error that stands in an answer of status 200; nil where there is none.
    public static func refusal(in answer: [String: JSONValue], place: String) -> ServerError? {
        ServerRefusal(in: answer)?.error(url: place, headers: HTTPHeaders())
    }
}
