import Foundation
import NIOHTTP1
import Schemas
import Testing

@testable import CompletionClient

@Suite("What a server's refusal means")
struct ServerRefusalTests {
    @Test(
        "the kind follows from status and words",
        arguments: [
            (401, #"{"error": {"message": "no"}}"#, ServerError.Kind.refusedKey),
            (403, "forbidden", .refusedKey),
            (403, #"{"error": {"message": "flagged by moderation"}}"#, .refusedRequest),
            (402, "", .quota),
            (429, #"{"error": {"code": "insufficient_quota", "message": "x"}}"#, .quota),
            (429, "slow down", .unavailable),
            (404, #"{"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}"#, .notFound),
            (302, "", .notFound), (405, "", .notFound),
            (400, #"{"error": {"message": "m does not exist", "code": "model_not_found"}}"#, .notFound),
            (408, "", .unavailable), (500, "", .unavailable), (502, "<html>", .unavailable), (529, "", .unavailable),
            (
                400,
                #"{"error": {"message": "This model's maximum context length is 8 tokens", "param": "messages", "code": "context_length_exceeded"}}"#,
                .refusedRequest
            ),
            (400, #"{"error": {"message": "flagged", "code": "content_filter"}}"#, .refusedRequest),
            (500, #"{"error": {"message": "no", "code": "content_filter"}}"#, .refusedRequest),
            (502, #"{"error": {"message": "no", "type": "invalid_request_error"}}"#, .refusedRequest),
            (500, #"{"error": {"message": "no", "code": "insufficient_quota"}}"#, .quota),
            (500, #"{"error": {"message": "flagged", "type": "server_error"}}"#, .unavailable),
            (400, #"{"object": "error", "message": "prompt is empty", "type": "BadRequestError"}"#, .refusedRequest),
            (413, "too large", .refusedRequest), (422, "no", .refusedRequest),
            (400, #"{"error": {"message": "Unsupported parameter", "param": "max_tokens"}}"#, .refusedSetting),
            (
                422, #"{"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "not permitted"}]}"#,
                .refusedSetting
            ),
            (400, #"{"error": "Unsupported value: 'temperature' does not support 0.2"}"#, .refusedSetting),
        ]
    )
    func kind(status: Int, body: String, expected: ServerError.Kind) {
        #expect(ServerRefusal(status: status, body: Data(body.utf8)).kind == expected)
    }

    @Test(
        "the parameter is named where the server names it",
        arguments: [
            (
                #"{"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "param": "max_tokens"}}"#,
                "max_tokens"
            ),
            (#"{"error": {"message": "Unsupported value", "param": "temperature"}}"#, "temperature"),
            (#"{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}"#, "seed"),
            (#"{"detail": "unknown field top_p"}"#, "top_p"),
            (#"{"error": {"message": "bad words", "param": "messages[0].content"}}"#, nil),
            (#"{"error": {"message": "I do not like it"}}"#, nil),
        ] as [(String, String?)]
    )
    func parameter(body: String, expected: String?) {
        #expect(ServerRefusal(status: 400, body: Data(body.utf8)).refusedSetting == expected)
    }

    @Test("an error in an answer of status 200 counts by the status that it names, or as a bad gateway")
    func inAnswer() throws {
        #expect(ServerRefusal(in: ["choices": []]) == nil)
        #expect(ServerRefusal(in: ["error": .null]) == nil)
        #expect(ServerRefusal(in: ["error": ["message": "busy"]])?.kind == .unavailable)
        #expect(ServerRefusal(in: ["error": ["message": "busy", "code": 429]])?.kind == .unavailable)
        #expect(ServerRefusal(in: ["error": ["message": "key", "code": 401]])?.kind == .refusedKey)
        #expect(ServerRefusal(in: ["error": ["message": "busy", "code": "429"]])?.status == 429)
        #expect(ServerRefusal(in: ["error": ["message": "no", "code": "content_filter"]])?.kind == .refusedRequest)
        #expect(ServerRefusal(in: ["error": ["message": "no", "code": "model_not_found"]])?.kind == .notFound)
        #expect(ServerRefusal(in: ["error": "busy"])?.words == "busy")
    }

    @Test(
        "whether the request may be at fault follows from what the server says",
        arguments: [
            (500, "oops", [:], ServerError.RequestFault.possible), (503, "", [:], .possible),
            (503, "", ["retry-after": "1"], .no), (429, "slow down", [:], .no), (401, "", [:], .no),
            (400, "I do not like it", [:], .possible), (400, "flagged by moderation", [:], .certain),
            (400, "too much for our safety", [:], .possible),
            (400, #"{"error": {"message": "too long", "param": "messages"}}"#, [:], .possible),
            (413, "", [:], .possible),
            (500, #"{"error": {"message": "no", "code": "content_filter"}}"#, [:], .certain),
        ] as [(Int, String, [String: String], ServerError.RequestFault)]
    )
    func fault(status: Int, body: String, headers: [String: String], expected: ServerError.RequestFault) {
        let refusal = ServerRefusal(status: status, body: Data(body.utf8))
        #expect(refusal.error(url: "http://h", headers: HTTPHeaders(headers.map { ($0, $1) })).requestFault == expected)
    }

    @Test("the message has the server's words, and no more of them than a line bears")
    func words() {
        let refusal = ServerRefusal(status: 400, body: Data(String(repeating: "x", count: 5000).utf8))
        #expect(refusal.words.count == 500)
        #expect(refusal.error(url: "http://h", headers: HTTPHeaders()).message.hasPrefix("http://h answered 400: xxx"))
    }
}
