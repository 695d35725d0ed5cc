import DataSupport
import Foundation
import NIOHTTP1
import Schemas
import Testing

@testable import CompletionClient

@Suite("Answers of any server", .timeLimit(.minutes(5)))
struct AnswerFuzzTests {
    private static let words = [
        "data: ", "data:", "[DONE]", ": ping", "event: error", "\n\n", "\r", "\"error\":{\"code\":1e300}",
        "\"choices\":",
        "\"delta\":{\"content\":\"x\"}", "\"index\":0", "\"finish_reason\":\"stop\"", "\"usage\":null",
    ]

    private static let streamed = [
        """
        : a comment

        data: {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "The "}}]}

        data: {"model": "m", "choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "answer"}]}}]}

        data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}

        data: [DONE]


        """,
        "data: {\"error\": {\"message\": \"busy\", \"code\": 429}}\n\n",
        "data: {\"choices\": []}\r\n\r\ndata: [DONE]\r\n\r\n",
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated stream is put together or malformed")
    func streams() throws {
        var mutator = ByteMutator(seed: 1, words: Self.words)
        let rounds = ByteMutator.rounds(3_000)
        var whole = 0
        for _ in 0..<rounds {
            do {
                let json = try ChatStream.whole(of: Data(mutator.mutant(of: Self.streamed)), place: "h")
                _ = ServerRefusal(in: json)?.error(url: "h", headers: HTTPHeaders())
                whole += 1
            } catch let error as ServerError {
                #expect(error.kind == .malformed && error.message.utf8.count < 1000)
            }
        }
        #expect(whole > 20 && whole < rounds)
    }

    private static let refused = [
        #"{"error": {"message": "no such key", "type": "invalid_request_error", "param": "seed", "code": "x"}}"#,
        #"{"detail": [{"loc": ["body", "temperature"], "msg": "too high", "type": "value_error"}]}"#,
        #"{"error": {"message": "busy", "code": 429.5, "status": 1e300}}"#, #"{"detail": "no"}"#, "<html>502</html>",
        #"{"error": "max_tokens is not supported"}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("a mutated refusal has a kind and words that a line bears")
    func refusals() {
        var mutator = ByteMutator(seed: 2, words: ["\"param\":", "\"detail\":[{}]", "context length", "\"code\":"])
        for round in 0..<ByteMutator.rounds(3_000) {
            let body = Data(mutator.mutant(of: Self.refused))
            let refusal = ServerRefusal(status: 300 + round % 300, body: body)
            let error = refusal.error(url: "h", headers: HTTPHeaders())
            #expect(error.message.utf8.count < 5_000 && (error.parameter?.utf8.count ?? 0) <= 500)
            guard let json = try? EventCoding.decodeForeign(body).objectValue else { continue }
            _ = ServerError.refusal(in: json, place: "h")
        }
    }

    @Test("words and a code of one character of a megabyte are cut")
    func longWords() {
        let long = "e" + String(repeating: "\u{301}", count: 500_000)
        let body = Data(#"{"error": {"message": "\#(long)", "code": "\#(long)", "param": "\#(long)"}}"#.utf8)
        let error = ServerRefusal(status: 400, body: body).error(url: "h", headers: HTTPHeaders())
        #expect(error.message.utf8.count < 5_000 && (error.parameter?.utf8.count ?? 0) <= 500)
    }

    @Test("mutated headers name a wait of at most ten minutes, or none")
    func waits() {
        let samples = ["1.5", "20ms", "1h2m3.5s", "Wed, 21 Oct 2015 07:28:00 GMT", "0", "1e3", "6m0s"]
            .map { [UInt8]($0.utf8) }
        var mutator = ByteMutator(seed: 3, words: ["ms", "h", "d", ".", "e9", "inf", "nan", "GMT"])
        for _ in 0..<ByteMutator.rounds(3_000) {
            let text = String(decoding: mutator.mutant(of: samples), as: UTF8.self)
            for headers in [
                [("retry-after", text)], [("retry-after-ms", text)],
                [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", text)],
                [("ratelimit-remaining", text), ("ratelimit-reset", text)],
            ] {
                let headers = HTTPHeaders(headers)
                for wait in [WaitHeaders.pause(after: headers), WaitHeaders.limit(in: headers)] {
                    #expect(
                        wait.map { (Duration.zero...Duration.seconds(600)).contains($0) } ?? true,
                        "\(text.debugDescription)"
                    )
                }
            }
        }
    }
}
