import AsyncHTTPClient
import CompletionClient
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

/// A server that fails at prompts with certain words, however often they come, and answers others.
private final class Poisoned: Sendable {
    typealias Answer = (status: HTTPResponse.Status, body: String)

    private let fails: @Sendable (String) -> Answer?
    private let seen = Mutex<[String]>([])

    init(_ fails: @escaping @Sendable (_ body: String) -> Answer?) { self.fails = fails }

    /// The bodies that came.
    var bodies: [String] { seen.withLock { $0 } }

    static let good = """
        {"model": "served", "choices": [{"finish_reason": "stop", "message": {"content": "OK"}}],
         "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
        """

    func serving(
        _ settings: @escaping @Sendable (inout TeacherSettings) -> Void = { _ in },
        attempts: Int = 2,
        _ body: @escaping @Sendable (HTTPTeacher, TeacherGate) async throws -> Void
    ) async throws {
        let router = Router()
        router.post("v1/chat/completions") { [self] request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            seen.withLock { $0.append(text) }
            let answer = fails(text) ?? (.ok, Self.good)
            return Response(status: answer.status, body: .init(byteBuffer: ByteBuffer(string: answer.body)))
        }
        try await whileServing(router) { port in
            var all = TeacherSettings()
            all.url = "http://127.0.0.1:\(port)/v1"
            all.model = "m"
            settings(&all)
            let trials = Backoff(base: .zero, cap: .zero)
            let gate = TeacherGate(limit: 4, trials: trials)
            let teacher = HTTPTeacher(
                options: .init(settings: all, attempts: attempts),
                client: .shared,
                gate: gate,
                backoff: Backoff(base: .milliseconds(1), cap: .milliseconds(2)),
                logger: quiet
            )
            try await body(teacher, gate)
        }
    }
}

@Suite("Prompts that a server never answers")
struct PoisonedPromptTests {
    private static func question(_ text: String) -> ChatRequest {
        ChatRequest(messages: [PromptMessage(role: "user", content: text)], temperature: 0.2, seed: 5)
    }

    /// Asks each question in turn until it is given up, at most `rounds` times, and returns the last errors.
    private static func insist(
        on texts: [String],
        _ teacher: HTTPTeacher,
        hooks: CallHooks = CallHooks(),
        rounds: Int
    ) async throws -> [String: TeacherError] {
        var last: [String: TeacherError] = [:]
        for _ in 0..<rounds {
            for text in texts where last[text]?.code != .rejected {
                do {
                    _ = try await teacher.complete(question(text), hooks: hooks)
                } catch let error as TeacherError {
                    last[text] = error
                }
            }
        }
        return last
    }

    @Test(
        "one that the server names as at fault is given up after three tries, whatever the status, and closes nothing",
        arguments: [
            (200, #"{"error": {"message": "no such words", "code": "content_filter"}}"#),
            (500, #"{"error": {"message": "litellm: filtered", "type": "content_filter"}}"#),
            (400, #"{"error": {"message": "Your request was flagged"}}"#),
        ]
    )
    func named(status: Int, body: String) async throws {
        let server = Poisoned { $0.contains("POISON") ? (.init(code: status), body) : nil }
        try await server.serving { teacher, gate in
            let errors = try await Self.insist(on: ["POISON 1", "POISON 2", "POISON 3"], teacher, rounds: 3)
            #expect(errors.values.map(\.code) == [.rejected, .rejected, .rejected])
            #expect(errors["POISON 1"]?.message.contains(body.contains("flagged") ? "flagged" : "answered") == true)
            #expect(await gate.closure == nil)
        }
        #expect(server.bodies.count == 9)
    }

    @Test(
        "two at which a server fails that is asked nothing else are given up, and the server is told from one that is away",
        arguments: [
            (400, #"{"error": {"message": "I do not like it"}}"#, 3),
            (200, #"{"error": {"message": "8 tokens at most", "code": "context_length_exceeded"}}"#, 3),
            (500, "oops", 8), (502, "<html>", 8),
            (200, #"{"error": {"message": "upstream broke"}}"#, 8),
        ]
    )
    func alone(status: Int, body: String, strikes: Int) async throws {
        let server = Poisoned { $0.contains("POISON") ? (.init(code: status), body) : nil }
        let probes = Mutex(0)
        try await server.serving { teacher, gate in
            let hooks = CallHooks(probed: { _ in probes.withLock { $0 += 1 } })
            let errors = try await Self.insist(
                on: ["POISON 1", "POISON 2"],
                teacher,
                hooks: hooks,
                rounds: strikes + 2
            )
            #expect(errors.values.map(\.code) == [.rejected, .rejected], "\(errors)")
            #expect(errors.values.allSatisfy { $0.message.contains("answered \(status == 200 ? 502 : status)") })
            let next = try await teacher.complete(Self.question("fine"))
            #expect(next.text == "OK")
            #expect(await gate.closure == nil)
        }
        let asked = probes.withLock { $0 }
        #expect(asked > 0 && asked <= 2 * strikes)
    }

    @Test("a single one is given up too")
    func single() async throws {
        let server = Poisoned { $0.contains("POISON") ? (.badRequest, "no") : nil }
        try await server.serving { teacher, _ in
            let errors = try await Self.insist(on: ["POISON"], teacher, rounds: 6)
            #expect(errors["POISON"]?.code == .rejected)
        }
        #expect(server.bodies.filter { $0.contains("POISON") }.count == 4)
    }

    @Test(
        "of a server that answers nobody none is given up, however often it is asked",
        arguments: [(400, "no"), (500, "oops"), (200, "<html>"), (429, "slow")]
    )
    func everything(status: Int, body: String) async throws {
        let server = Poisoned { _ in (.init(code: status), body) }
        try await server.serving { teacher, gate in
            let texts = (0..<3).map { "question \($0)" }
            let errors = try await Self.insist(on: texts, teacher, rounds: 30)
            #expect(errors.count == 3 && errors.values.allSatisfy { $0.code != .rejected })
            #expect(await gate.closure != nil)
        }
    }

    @Test("failures of an outage count against nobody when it is over")
    func outage() async throws {
        let isAway = Mutex(true)
        let server = Poisoned { _ in isAway.withLock { $0 } ? (.internalServerError, "oops") : nil }
        try await server.serving { teacher, _ in
            _ = try await Self.insist(on: ["late"], teacher, rounds: 40)
            isAway.withLock { $0 = false }
            for number in 0..<3 { _ = try await teacher.complete(Self.question("other \(number)")) }
            isAway.withLock { $0 = true }
            let errors = try await Self.insist(on: ["late"], teacher, rounds: 2)
            #expect(errors["late"]?.code != .rejected)
        }
    }

    @Test("a call that is cut off is told as abandoned and with what it may have cost, and its place is given back")
    func abandoned() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let router = Router()
        router.post("v1/chat/completions") { request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            if text.contains("slow") {
                arrived.yield()
                // Until the caller has gone.
                try await Task.sleep(for: .seconds(600))
            }
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: Poisoned.good)))
        }
        try await whileServing(router) { port in
            let told = Mutex<[FailedCall]>([])
            let hooks = CallHooks(failed: { call in
                // As a database does in a task that is cancelled.
                try Task.checkCancellation()
                told.withLock { $0.append(call) }
            })
            let teacher = HTTPTeacher(
                options: .init(baseURL: "http://127.0.0.1:\(port)/v1", model: "m"),
                client: .shared,
                gate: TeacherGate(limit: 1),
                logger: quiet
            )
            let call = Task { try await teacher.complete(Self.question("slow"), hooks: hooks) }
            for await _ in arrivals { break }
            call.cancel()
            await #expect(throws: CancellationError.self) { try await call.value }
            let calls = told.withLock { $0 }
            #expect(calls.map(\.outcome) == ["abandoned"] && calls.map(\.mayBeBilled) == [true])
            #expect(calls.map(\.maximumTokens) == [2048])
            let next = try await teacher.complete(Self.question("fine"))
            #expect(next.text == "OK")
        }
    }

    @Test("where nothing can be written down the call's place is given back, and an answer that is lost is told")
    func unwritten() async throws {
        struct Away: Error {}
        let server = Poisoned { $0.contains("POISON") ? (.badRequest, "no") : nil }
        try await server.serving { teacher, gate in
            let hooks = CallHooks(failed: { _ in throw Away() })
            // More often than there are places.
            for _ in 0..<6 {
                await #expect(throws: Away.self) {
                    try await teacher.complete(Self.question("POISON"), hooks: hooks)
                }
            }
            let told = Mutex<[String]>([])
            let lost = CallHooks(
                failed: { call in told.withLock { $0.append("\(call.outcome) \(call.mayBeBilled)") } },
                answered: { _ in throw Away() }
            )
            for _ in 0..<6 {
                await #expect(throws: Away.self) { try await teacher.complete(Self.question("fine"), hooks: lost) }
            }
            #expect(Set(told.withLock { $0 }) == ["unrecorded true"])
        }
    }
}
