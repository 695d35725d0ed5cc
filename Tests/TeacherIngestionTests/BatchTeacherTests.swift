import AsyncHTTPClient
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("A teacher that is asked in batches")
struct BatchTeacherTests {
    private func teacher(
        _ url: String,
        _ pool: PostgresPool,
        minimum: Int = 1,
        wait: Double = 60,
        attempts: Int = 4,
        gate: TeacherGate = TeacherGate(limit: 8)
    ) throws -> BatchTeacher {
        var batch = TeacherSettings.Batch()
        batch.minimumRequests = minimum
        batch.waitSeconds = wait
        batch.pollSeconds = 0.02
        return try BatchTeacher(
            options: .init(baseURL: url, model: "asked", timeout: .seconds(30), attempts: attempts),
            plan: BatchPlan(batch),
            client: .shared,
            pool: pool,
            gate: gate,
            rests: Backoff(base: .milliseconds(1), cap: .milliseconds(2)),
            logger: quiet
        )
    }

    private static func question(_ number: Int) -> ChatRequest {
        ChatRequest(
            messages: [PromptMessage(role: "user", content: "q\(number)")],
            temperature: 0.2,
            seed: Int64(number)
        )
    }

    /// Runs the body beside the teacher.
    private func running(
        _ teacher: BatchTeacher,
        _ body: @escaping @Sendable (BatchTeacher) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await teacher.run() }
            defer { group.cancelAll() }
            try await body(teacher)
        }
    }

    /// Asks the questions at once, and returns the answers in their order.
    private static func ask(_ teacher: BatchTeacher, _ numbers: Range<Int>) async throws -> [String] {
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for number in numbers {
                group.addTask { (number, try await teacher.complete(question(number)).text) }
            }
            var texts: [Int: String] = [:]
            for try await (number, text) in group { texts[number] = text }
            return numbers.map { texts[$0] ?? "" }
        }
    }

    private static func count(_ sql: SQL, _ pool: PostgresPool) async throws -> Int {
        try await pool.value(sql, as: Int.self)
    }

    @Test("a batch is made when enough requests wait, and each gets its own answer")
    func enough() async throws {
        let stub = BatchStub()
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 8)) { teacher in
                    let texts = try await Self.ask(teacher, 0..<8)
                    #expect(texts == (0..<8).map { "to q\($0)" })
                }
            }
            let batches = try await pool.query("SELECT id, state, requests, answered FROM teacher_batches")
            #expect(batches.count == 1)
            #expect(try batches.first?.get("state", as: String.self) == "ended")
            #expect(try batches.first?.get("answered", as: Int.self) == 8)
            #expect(stub.jobs.count == 1)
            let name = try batches.first?.get("id", as: String.self)
            #expect(stub.jobs.first?["metadata"]?.objectValue?["errata_batch"]?.stringValue == name)
            #expect(stub.jobs.first?["endpoint"] == "/v1/chat/completions")
            #expect(stub.jobs.first?["completion_window"] == "24h")
        }
        #expect(Set(stub.lines.compactMap { $0["custom_id"]?.stringValue }).count == 8)
        for line in stub.lines {
            #expect(line["method"] == "POST" && line["url"] == "/v1/chat/completions")
            #expect(line["body"]?.objectValue?["model"] == "asked")
            #expect(line["body"]?.objectValue?["stream"] == nil)
        }
    }

    @Test("fewer requests make a batch when the first has waited long enough, and usage and time are told")
    func waited() async throws {
        let stub = BatchStub()
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 100, wait: 0.05)) { teacher in
                    let told = Mutex<[String]>([])
                    let hooks = CallHooks(
                        begins: { told.withLock { $0.append("begins") } },
                        failed: { failed in told.withLock { $0.append(failed.outcome) } },
                        answered: { reply in told.withLock { $0.append(reply.finishReason) } }
                    )
                    let reply = try await teacher.complete(Self.question(1), hooks: hooks)
                    #expect(reply.text == "to q1" && reply.model == "served")
                    #expect(reply.promptTokens == 7 && reply.completionTokens == 5)
                    #expect(told.withLock { $0 } == ["begins", "stop"])
                }
            }
        }
        #expect(stub.lines.count == 1)
    }

    @Test("after a crash the same requests wait for the job that they are in, and nothing is sent or paid again")
    func resumes() async throws {
        let stub = BatchStub()
        stub.hold(true)
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                let first = try teacher(url, pool, minimum: 4)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await first.run() }
                    group.addTask { _ = try await Self.ask(first, 0..<4) }
                    defer { group.cancelAll() }
                    try await eventually("the batch") {
                        try await Self.count("SELECT count(*) FROM teacher_batches WHERE state = 'created'", pool) == 1
                    }
                }
                stub.hold(false)
                try await running(try teacher(url, pool, minimum: 4)) { second in
                    let begun = Mutex(0)
                    let hooks = CallHooks(begins: { begun.withLock { $0 += 1 } })
                    let reply = try await second.complete(Self.question(2), hooks: hooks)
                    #expect(reply.text == "to q2")
                    #expect(begun.withLock { $0 } == 0)
                    let texts = try await Self.ask(second, 0..<4)
                    #expect(texts == (0..<4).map { "to q\($0)" })
                }
            }
        }
        #expect(stub.jobs.count == 1)
        #expect(stub.uploads == 1)
    }

    @Test("a job whose making was not confirmed is found by its metadata, and is not made twice")
    func unconfirmed() async throws {
        let stub = BatchStub()
        stub.leaveUnconfirmed(1)
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool)) { teacher in
                    let texts = try await Self.ask(teacher, 0..<1)
                    #expect(texts == ["to q0"])
                }
            }
        }
        #expect(stub.jobs.count == 1)
        #expect(stub.uploads == 1)
    }

    @Test("two processes with the same requests send each of them once")
    func twoProcesses() async throws {
        let stub = BatchStub()
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 6, wait: 0.3)) { one in
                    try await running(try teacher(url, pool, minimum: 6, wait: 0.3)) { other in
                        async let first = Self.ask(one, 0..<6)
                        async let second = Self.ask(other, 0..<6)
                        let (texts, again) = try await (first, second)
                        #expect(texts == again)
                    }
                }
            }
        }
        #expect(stub.lines.count == 6)
    }

    @Test("one request that is asked for twice at once is one line")
    func duplicates() async throws {
        let stub = BatchStub()
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 10, wait: 0.2)) { teacher in
                    async let first = teacher.complete(Self.question(1)).text
                    async let second = teacher.complete(Self.question(1)).text
                    let texts = try await [first, second]
                    #expect(texts == ["to q1", "to q1"])
                }
            }
        }
        #expect(stub.lines.count == 1)
    }

    @Test("a request that is refused while others of its batch are answered is given up at once")
    func refused() async throws {
        let stub = BatchStub { question, _, _ in
            question == "q1"
                ? .refusal(400, #"{"message": "flagged", "code": "content_policy"}"#) : .answer("to \(question)")
        }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 3)) { teacher in
                    async let before = teacher.complete(Self.question(0))
                    async let after = teacher.complete(Self.question(2))
                    let told = Mutex<[String]>([])
                    let hooks = CallHooks(failed: { failed in told.withLock { $0.append(failed.outcome) } })
                    let error = await #expect(throws: TeacherError.self) {
                        try await teacher.complete(Self.question(1), hooks: hooks)
                    }
                    #expect(error?.code == .rejected)
                    #expect(error?.message.contains("flagged") == true)
                    #expect(told.withLock { $0 } == ["refused-request"])
                    _ = try await (before, after)
                }
            }
        }
        #expect(stub.jobs.count == 1)
    }

    @Test("a request at which the server fails in eight batches, while it answers others of them, is given up")
    func breaks() async throws {
        let stub = BatchStub { question, _, _ in
            question == "q0" ? .refusal(500, #"{"message": "the model broke"}"#) : .answer("to \(question)")
        }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 2, attempts: 1)) { teacher in
                    for number in 1...8 {
                        async let other = teacher.complete(Self.question(number))
                        let error = await #expect(throws: TeacherError.self) {
                            try await teacher.complete(Self.question(0))
                        }
                        #expect(error?.code == (number < 8 ? .unavailable : .rejected))
                        #expect(error?.message.contains("the model broke") == true)
                        _ = try await other
                    }
                }
            }
        }
    }

    @Test("a server that refuses every request gives none of them up before it has refused it three times")
    func refusesAll() async throws {
        let stub = BatchStub { _, _, _ in .refusal(400, #"{"message": "not today"}"#) }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool)) { teacher in
                    for expected in [TeacherError.Code.unavailable, .unavailable, .rejected] {
                        let error = await #expect(throws: TeacherError.self) {
                            try await teacher.complete(Self.question(1))
                        }
                        #expect(error?.code == expected)
                    }
                }
            }
        }
        #expect(stub.jobs.count == 3)
    }

    @Test(
        "what was not worked on goes into the next batch",
        arguments: [BatchStub.Line.expired, .nothing, .refusal(500, #"{"message": "oops"}"#)]
    )
    func again(line: BatchStub.Line) async throws {
        let stub = BatchStub { question, _, job in job == 0 && question == "q1" ? line : .answer("to \(question)") }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, minimum: 3, wait: 1)) { teacher in
                    let texts = try await Self.ask(teacher, 0..<3)
                    #expect(texts == ["to q0", "to q1", "to q2"])
                }
            }
        }
        #expect(stub.jobs.count == 2)
        #expect(stub.lines.count == 4)
    }

    @Test("a request that is never worked on is left for later after as many batches as are allowed")
    func givesUp() async throws {
        let stub = BatchStub { _, _, _ in .expired }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, attempts: 2)) { teacher in
                    let error = await #expect(throws: TeacherError.self) {
                        try await teacher.complete(Self.question(1))
                    }
                    #expect(error?.code == .unavailable)
                    #expect(error?.message.contains("Too late.") == true)
                }
            }
        }
        #expect(stub.jobs.count == 2)
    }

    @Test("a batch that fails for a limit of what may wait at the server is made again")
    func limited() async throws {
        let stub = BatchStub()
        stub.refuseJobs(["token_limit_exceeded"])
        let gate = TeacherGate(limit: 2)
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, gate: gate)) { teacher in
                    let texts = try await Self.ask(teacher, 0..<1)
                    #expect(texts == ["to q0"])
                }
            }
        }
        #expect(stub.jobs.count == 2)
        #expect(await gate.closure == nil)
    }

    @Test("a parameter that the server refuses is sent under its other name in the next batch")
    func adapts() async throws {
        let stub = BatchStub { question, body, _ in
            body["max_tokens"] == nil
                ? .answer("to \(question)")
                : .refusal(400, #"{"message": "Unsupported parameter: 'max_tokens'.", "param": "max_tokens"}"#)
        }
        let gate = TeacherGate(limit: 2)
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, attempts: 1, gate: gate)) { teacher in
                    let texts = try await Self.ask(teacher, 0..<1)
                    #expect(texts == ["to q0"])
                }
            }
        }
        #expect(stub.jobs.count == 2)
        #expect(stub.lines.last?["body"]?.objectValue?["max_completion_tokens"] == 2048)
        #expect(await gate.closure == nil)
    }

    @Test("a refused key closes the gate, and when it is taken the batch goes out")
    func locked() async throws {
        let stub = BatchStub()
        stub.lock(true)
        let told = Mutex<[String?]>([])
        let gate = TeacherGate(limit: 2, trials: Backoff(base: .milliseconds(5), cap: .milliseconds(10))) { closure in
            told.withLock { $0.append(closure?.reason) }
        }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool, gate: gate)) { teacher in
                    async let text = teacher.complete(Self.question(0)).text
                    try await eventually("the closure") { await gate.closure != nil }
                    stub.lock(false)
                    let answer = try await text
                    #expect(answer == "to q0")
                }
            }
        }
        #expect(stub.jobs.count == 1)
        let reasons = told.withLock { $0 }
        #expect(reasons.count == 2)
        #expect(reasons.first??.contains("Incorrect API key") == true)
    }

    @Test("the ledger keeps an answer of a batch as any other, and recalls it without a batch")
    func ledger() async throws {
        let stub = BatchStub { _, _, _ in .answer("The answer is 10.") }
        try await TestDatabase.withPool { pool in
            try await stub.serving { url in
                try await running(try teacher(url, pool)) { teacher in
                    let request = TeacherRequest.chainOfThought(question: problem().question)
                    for isRecalled in [false, true] {
                        let ledger = StoredTeacherLedger(teacher: teacher, pool: pool, logger: quiet)
                        let answer = try await ledger.ask(request, subject: "p1", temperature: 0.2, attempt: 0)
                        #expect(answer.isRecalled == isRecalled)
                        #expect(answer.reply.promptTokens == 7)
                    }
                }
            }
            let calls = try await Self.count("SELECT count(*) FROM teacher_calls", pool)
            #expect(calls == 1)
        }
        #expect(stub.jobs.count == 1)
    }
}
