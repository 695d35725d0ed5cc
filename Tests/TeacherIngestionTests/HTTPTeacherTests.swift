import AsyncHTTPClient
import Foundation
import Hummingbird
import Logging
import NIOCore
import Reasoning
import ServiceRuntime
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("A teacher over HTTP")
struct HTTPTeacherTests {
    private struct Canned: Sendable {
        var status = HTTPResponse.Status.ok
        var body: String
        var headers: HTTPFields = [:]

        static let good = Canned(
            body: """
                {"id": "x", "model": "served", "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "The answer is 10."}}],
                 "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}
                """
        )
    }

    private struct Seen: Sendable {
        var bodies: [String] = []
        var keys: [String?] = []
    }

    /// Serves the answers in their order, the last one again and again, and returns what was sent.
    private func serving(
        _ answers: [Canned],
        attempts: Int = 4,
        apiKey: String? = nil,
        _ body: @escaping @Sendable (HTTPTeacher) async throws -> Void
    ) async throws -> Seen {
        let seen = Mutex(Seen())
        let router = Router()
        router.post("v1/chat/completions") { request, _ in
            let buffer = try await request.body.collect(upTo: 1 << 20)
            let index = seen.withLock { seen in
                seen.bodies.append(String(buffer: buffer))
                seen.keys.append(request.headers[.authorization])
                return seen.bodies.count - 1
            }
            let answer = answers[min(index, answers.count - 1)]
            return Response(
                status: answer.status,
                headers: answer.headers,
                body: .init(byteBuffer: ByteBuffer(string: answer.body))
            )
        }
        try await whileServing(router) { port in
            let teacher = HTTPTeacher(
                options: .init(
                    baseURL: "http://127.0.0.1:\(port)/v1/",
                    model: "asked",
                    apiKey: apiKey,
                    timeout: .seconds(60),
                    attempts: attempts
                ),
                client: .shared,
                backoff: Backoff(base: .milliseconds(1), cap: .milliseconds(2)),
                logger: quiet
            )
            try await body(teacher)
        }
        return seen.withLock { $0 }
    }

    private let question = ChatRequest(messages: [.init(role: "user", content: "?")], temperature: 0.2, seed: 5)

    @Test("an answer is read with its usage and the model that gave it, and the request is in OpenAI's form")
    func answer() async throws {
        let seen = try await serving([.good], apiKey: "sesame") { [question] teacher in
            let reply = try await teacher.complete(question)
            #expect(reply.text == "The answer is 10.")
            #expect(reply.finishReason == "stop")
            #expect(reply.promptTokens == 7)
            #expect(reply.completionTokens == 5)
            #expect(reply.model == "served")
        }
        #expect(seen.keys == ["Bearer sesame"])
        let body = try #require(
            try JSONSerialization.jsonObject(with: Data(seen.bodies.joined().utf8)) as? [String: any Sendable]
        )
        #expect(body["model"] as? String == "asked")
        #expect(body["seed"] as? Int == 5)
        #expect(body["temperature"] as? Double == 0.2)
        #expect(body["max_tokens"] as? Int == 2048)
    }

    @Test("429 and 500 are tried again until the answer comes")
    func transient() async throws {
        let busy = Canned(status: .tooManyRequests, body: "slow down", headers: [.retryAfter: "0"])
        let broken = Canned(status: .internalServerError, body: "oops")
        let seen = try await serving([busy, broken, .good]) { [question] teacher in
            let value1 = try await teacher.complete(question).text
            #expect(value1 == "The answer is 10.")
        }
        #expect(seen.bodies.count == 3)
    }

    @Test("an endpoint that stays down is reported after as many calls as are allowed")
    func down() async throws {
        let seen = try await serving([Canned(status: .serviceUnavailable, body: "")], attempts: 3) {
            [question] teacher in
            let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("503") == true)
        }
        #expect(seen.bodies.count == 3)
    }

    @Test("a parameter that the endpoint does not know is called by its other name or left out from then on")
    func adapts() async throws {
        let tokens = Canned(
            status: .badRequest,
            body: #"{"error": {"message": "Unsupported parameter: 'max_tokens'.", "param": "max_tokens"}}"#
        )
        let seed = Canned(
            status: .unprocessableContent,
            body: #"{"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}"#
        )
        let seen = try await serving([tokens, seed, .good], attempts: 1) { [question] teacher in
            for _ in 0..<2 {
                let text = try await teacher.complete(question).text
                #expect(text == "The answer is 10.")
            }
        }
        #expect(seen.bodies.count == 4)
        for body in seen.bodies.suffix(2) {
            #expect(!body.contains(#""max_tokens""#))
            #expect(body.contains(#""max_completion_tokens":2048"#))
            #expect(!body.contains(#""seed""#))
        }
    }

    @Test("a prompt that is refused while others are answered is given up after a few tries, with the server's words")
    func rejected() async throws {
        let no = Canned(status: .badRequest, body: #"{"error": {"message": "flagged", "code": "content_policy"}}"#)
        let seen = try await serving([no]) { [question] teacher in
            for expected in [TeacherError.Code.unavailable, .unavailable, .rejected] {
                let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
                #expect(error?.code == expected)
                #expect(error?.message.contains("flagged") == true)
            }
        }
        #expect(seen.bodies.count == 3)
    }

    @Test("an endpoint that refuses every prompt is asked no more, and none of them is given up")
    func refusesAll() async throws {
        let no = Canned(status: .badRequest, body: #"{"error": {"message": "not today"}}"#)
        _ = try await serving([no]) { teacher in
            for number in 0..<20 {
                let question = ChatRequest(
                    messages: [PromptMessage(role: "user", content: "x")],
                    temperature: 0,
                    seed: Int64(number)
                )
                let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
                #expect(error?.code == (number < 5 ? .unavailable : .paused))
            }
        }
    }

    @Test("the failures on the way to an answer are told")
    func failures() async throws {
        let told = Mutex<[String]>([])
        _ = try await serving([Canned(body: "<html>"), Canned(body: #"{"error": {"message": "busy"}}"#), .good]) {
            [question] teacher in
            let hooks = CallHooks(
                begins: { told.withLock { $0.append("begins") } },
                failed: { failed in told.withLock { $0.append("\(failed.outcome) \(failed.mayBeBilled)") } },
                answered: { reply in told.withLock { $0.append(reply.finishReason) } }
            )
            _ = try await teacher.complete(question, hooks: hooks)
        }
        #expect(
            told.withLock { $0 } == ["begins", "malformed true", "begins", "unavailable false", "begins", "stop"]
        )
    }

    @Test("a refusal is not tried again, and neither message nor description holds the key")
    func refused() async throws {
        let seen = try await serving([Canned(status: .unauthorized, body: "no")], apiKey: "sesame") {
            [question] teacher in
            let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
            #expect(error?.code == .refused)
            #expect("\(String(describing: error))".contains("sesame") == false)
        }
        #expect(seen.bodies.count == 1)
    }

    @Test(
        "a key that the server repeats is in no error",
        arguments: [
            (401, #"{"error": {"message": "Incorrect API key provided: sesame-1234"}}"#),
            (400, "Bearer sesame-1234 is not for this"),
            (200, #"{"error": {"message": "no such key: sesame-1234", "code": 401}}"#),
            (200, "sesame-1234"),
        ]
    )
    func repeatedKey(status: Int, body: String) async throws {
        let answer = Canned(status: .init(code: status), body: body)
        _ = try await serving([answer], apiKey: "sesame-1234") { [question] teacher in
            let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
            let text = error.map { "\($0) \(String(reflecting: $0))" } ?? ""
            #expect(text.contains("<secret>") && !text.contains("sesame"), "\(text)")
        }
    }

    @Test("what is no chat completion is malformed", arguments: ["<html>", "{}", #"{"choices": []}"#, ""])
    func garbage(body: String) async throws {
        _ = try await serving([Canned(body: body)]) { [question] teacher in
            let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
            #expect(error?.code == .malformedAnswer)
        }
    }

    @Test("an endpoint that is not there is unavailable")
    func unreachable() async throws {
        let teacher = HTTPTeacher(
            options: .init(baseURL: "http://127.0.0.1:1/v1", model: "m", timeout: .seconds(5), attempts: 1),
            client: .shared,
            logger: quiet
        )
        let error = await #expect(throws: TeacherError.self) { try await teacher.complete(question) }
        #expect(error?.code == .unavailable)
    }
}
