import Foundation
import Schemas

/// Puts a streamed chat completion together: server-sent events of `chat.completion.chunk`, of which the first choice
/// counts.
enum ChatStream {
    /// The completion as it would have come in one piece.
    ///
    /// - Throws: ``ServerError`` of the kind `malformed` where the stream ends before its last chunk.
    static func whole(of data: Data, place: String) throws -> [String: JSONValue] {
        var model: JSONValue?
        var usage: JSONValue?
        var texts: [String: String] = [:]
        var parts: [JSONValue] = []
        var reason: JSONValue?
        var isDone = false
        for event in events(in: data) {
            if event == "[DONE]" {
                isDone = true
                break
            }
            guard let chunk = try? EventCoding.decodeForeign(Data(event.utf8)).objectValue else {
                throw malformed(place, "an event that is no JSON object: \(event.cut(toBytes: 200))")
            }
            // An error in mid-stream stands where a chunk would.
            if ServerRefusal(in: chunk) != nil { return chunk }
            model = chunk["model"] ?? model
            if let counted = chunk["usage"], counted != .null { usage = counted }
            guard case .array(let choices)? = chunk["choices"] else { continue }
            for case .object(let choice) in choices where (choice["index"]?.doubleValue ?? 0) == 0 {
                if let ended = choice["finish_reason"], ended != .null { reason = ended }
                for (name, value) in choice["delta"]?.objectValue ?? [:] {
                    switch value {
                    case .string(let text) where name != "role": texts[name, default: ""] += text
                    case .array(let more) where name == "content": parts += more
                    default: break
                    }
                }
            }
        }
        guard isDone || reason != nil else { throw malformed(place, "a stream that ends before its last event") }
        var message = texts.mapValues { JSONValue.string($0) }
        if !parts.isEmpty { message["content"] = .array(parts) }
        var json: [String: JSONValue] = [
            "choices": .array([.object(["message": .object(message), "finish_reason": reason ?? .null])])
        ]
        json["model"] = model
        json["usage"] = usage
        return json
    }

    /// The data of each event, its lines joined.
    private static func events(in data: Data) -> [String] {
        var events: [String] = []
        var lines: [String] = []
        func finish() {
            if !lines.isEmpty { events.append(lines.joined(separator: "\n")) }
            lines = []
        }
        // A line ends with CR LF, LF or CR, and with nothing else that Unicode calls a line's end.
        let text = String(decoding: data, as: UTF8.self)
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: { ["\n", "\r\n", "\r"].contains($0) })
        {
            if line.isEmpty {
                finish()
                continue
            }
            guard line.hasPrefix("data:") else { continue }
            let value = line.dropFirst("data:".count)
            lines.append(String(value.first == " " ? value.dropFirst() : value))
        }
        finish()
        return events
    }

    private static func malformed(_ place: String, _ what: String) -> ServerError {
        ServerError(.malformed, "\(place) answered with \(what)", mayBeBilled: true)
    }
}
