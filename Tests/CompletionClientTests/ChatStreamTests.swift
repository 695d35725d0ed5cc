import Foundation
import Schemas
import Testing

@testable import CompletionClient

@Suite("A streamed chat completion")
struct ChatStreamTests {
    private func message(_ json: [String: JSONValue]) -> [String: JSONValue] {
        guard case .array(let choices)? = json["choices"] else { return [:] }
        return choices.first?.objectValue?["message"]?.objectValue ?? [:]
    }

    private static let events = [
        #"{"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}"#,
        #"{"model": "m", "choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}"#,
        #"{"model": "m", "choices": [{"index": 0, "delta": {"content": "The answer"}}]}"#,
        #"{"model": "m", "choices": [{"index": 1, "delta": {"content": "other"}}, {"index": 0, "delta": {"content": " is 4."}}]}"#,
        #"{"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}"#,
        #"{"model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}"#,
    ]

    @Test("is put together whatever its lines end with", arguments: ["\n", "\r\n", "\r"])
    func whole(end: String) throws {
        let lines = [": a comment"] + Self.events.flatMap { ["data: \($0)", ""] } + ["data: [DONE]", "", ""]
        let json = try ChatStream.whole(of: Data(lines.joined(separator: end).utf8), place: "h")
        #expect(message(json)["content"] == "The answer is 4.")
        #expect(message(json)["reasoning_content"] == "hm")
        #expect(json["usage"]?.objectValue?["prompt_tokens"] == 7)
        guard case .array(let choices)? = json["choices"] else { return }
        #expect(choices.first?.objectValue?["finish_reason"] == "stop")
    }

    @Test("that ends in the middle is malformed, at whatever event")
    func cut() throws {
        for count in 0..<4 {
            let text = Self.events.prefix(count).map { "data:\($0)\n\n" }.joined()
            let error = #expect(throws: ServerError.self) { try ChatStream.whole(of: Data(text.utf8), place: "h") }
            #expect(error?.kind == .malformed)
            #expect(error?.mayBeBilled == true)
        }
    }

    @Test("with an error in it is that error")
    func error() throws {
        let text = "data: \(Self.events[2])\n\ndata: {\"error\": {\"message\": \"busy\", \"code\": 429}}\n\n"
        let json = try ChatStream.whole(of: Data(text.utf8), place: "h")
        #expect(ServerRefusal(in: json)?.words == "busy")
    }
}
