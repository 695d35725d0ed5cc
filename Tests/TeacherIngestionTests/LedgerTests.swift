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

@Suite("The ledger of teacher calls")
struct LedgerTests {
    @Test("a message that comes again after a failure pays for no call twice and gives the same traces")
    func noCallTwice() async throws {
        try await TestDatabase.withPool { pool in
            let isDown = Mutex(true)
            let bench = Bench(pool) { prompt, _, _ in
                if prompt == PromptID.inspectTemplate.rawValue, isDown.withLock({ $0 }) {
                    throw TeacherError(.unavailable, "down")
                }
                return Good.answer(prompt)
            }
            await #expect(throws: TeacherError.self) { try await bench.run(problem()) }
            let value1 = try await pool.value("SELECT count(*) FROM problems", as: Int.self)
            #expect(value1 == 0)
            isDown.withLock { $0 = false }
            // The crash comes after the work and before the commit: the effects are dropped.
            let first = try await bench.processor.process(try received(problem()))
            let calls = bench.teacher.calls
            let second = try await bench.processor.process(try received(problem()))
            #expect(bench.teacher.calls == calls)
            #expect(first.events.map(\.payload) == second.events.map(\.payload))
            for prompt in [PromptID.chainOfThought, .corrupt, .templateExtraction] {
                #expect(bench.teacher.requests(prompt).count == 1)
            }
        }
    }

    @Test("a wrong key keeps the message, which waits without counting as a failure")
    func refused() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { _, _, _ in throw TeacherError(.refused, "401") }
            let error = await #expect(throws: Postponement.self) { try await bench.run(problem()) }
            #expect(error?.reason == "401")
            let value2 = try await pool.value("SELECT count(*) FROM teacher_calls", as: Int.self)
            #expect(value2 == 0)
        }
    }

    @Test("a problem whose words the teacher refuses is for the dead letters, with the teacher's words")
    func rejected() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { _, _, _ in throw TeacherError(.rejected, "flagged") }
            let failure = await #expect(throws: PermanentFailure.self) { try await bench.run(problem()) }
            #expect(failure?.code == "teacher-refused")
            #expect(failure?.message == "flagged")
        }
    }

    @Test("the same text under another name asks the teacher nothing that was asked before")
    func sameText() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            try await bench.run(problem(id: "p1"))
            let calls = bench.teacher.calls
            let traces = try await bench.run(problem(id: "p2"))
            #expect(bench.teacher.calls == calls)
            #expect(traces.allSatisfy { $0.problemId == "p2" })
        }
    }

    @Test("two that ask the same at the same moment pay once")
    func atOnce() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask { try await bench.run(problem(id: "p\(number)")) }
                }
                try await group.waitForAll()
            }
            #expect(bench.teacher.requests(.chainOfThought).count == 1)
            #expect(bench.teacher.requests(.templateExtraction).count == 1)
        }
    }

    @Test("a day's budget is held: what is spent is added up, and then nothing more is asked")
    func budget() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool, budget: TeacherBudget(dayTokens: 40), identity: "one") { prompt, _, _ in
                Good.answer(prompt)
            }
            let pause = await #expect(throws: Postponement.self) { try await bench.run(problem()) }
            #expect(pause?.reason.contains("45 of 40 tokens") == true)
            // An answer has fifteen tokens.
            #expect(bench.teacher.calls.count == 3)
            let spent = try await pool.value("SELECT tokens FROM teacher_spending", as: Int.self)
            #expect(spent == 45)
            let reason = try await pool.value("SELECT reason FROM teacher_pauses", as: String.self)
            #expect(reason.contains("ERRATA_TEACHER_DAY_TOKENS"))
            // With more to spend the message goes on where it was.
            let richer = Bench(pool, budget: TeacherBudget(dayTokens: 4000), identity: "one") { prompt, _, _ in
                Good.answer(prompt)
            }
            try await richer.run(problem())
            #expect(richer.teacher.requests(.chainOfThought).isEmpty)
        }
    }

    @Test("calls that gave no answer are in the ledger as what they are")
    func failedCalls() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(
                pool,
                failures: [
                    FailedCall(outcome: "timeout", message: "slow\0\u{301}", mayBeBilled: true, milliseconds: 7)
                ]
            ) { prompt, _, _ in Good.answer(prompt) }
            try await bench.run(problem())
            let rows = try await pool.query("SELECT DISTINCT outcome, message, may_be_billed FROM teacher_failed_calls")
            #expect(rows.count == 1)
            #expect(try rows.first?.get("outcome", as: String.self) == "timeout")
            #expect(try rows.first?.get("message", as: String.self) == "slow\u{FFFD}\u{301}")
            #expect(try rows.first?.get("may_be_billed", as: Bool.self) == true)
        }
    }

    private static func ask(_ ledger: StoredTeacherLedger) async throws -> TeacherAnswer {
        try await ledger.ask(.chainOfThought(question: "What is 2 + 2?"), subject: "p1", temperature: 0, attempt: 0)
    }

    private static func allPrices(_ price: Double) -> [TeacherRole: TeacherSettings.Price] {
        Dictionary(uniqueKeysWithValues: TeacherRole.allCases.map { ($0, .init(prompt: price, completion: price)) })
    }

    @Test("tokens that no server counted are estimated, marked so, and count for the budgets")
    func uncounted() async throws {
        try await TestDatabase.withPool { pool in
            let teacher = ScriptedTeacher(
                failures: [
                    FailedCall(
                        outcome: "timeout",
                        message: "slow",
                        mayBeBilled: true,
                        milliseconds: 7,
                        maximumTokens: 500
                    ),
                    FailedCall(
                        outcome: "unavailable",
                        message: "503",
                        mayBeBilled: false,
                        milliseconds: 7,
                        maximumTokens: 500
                    ),
                ]
            ) { _, _, _ in
                ChatReply(
                    text: String(repeating: "abc", count: 20),
                    finishReason: "stop",
                    promptTokens: 0,
                    completionTokens: 0,
                    model: "m",
                    latencyMilliseconds: 1
                )
            }
            let ledger = StoredTeacherLedger(
                teacher: teacher,
                pool: pool,
                budget: TeacherBudget(dayTokens: 400),
                prices: Self.allPrices(2),
                logger: quiet
            )
            let answer = try await Self.ask(ledger)
            let sent = TokenEstimate.tokens(of: try #require(teacher.requests(.chainOfThought).first).messages)
            #expect(answer.reply.completionTokens == 20 && answer.reply.promptTokens == sent)
            let row = try #require(try await pool.first("SELECT estimated, prompt_tokens FROM teacher_calls"))
            #expect(try row.get("estimated", as: Bool.self))
            #expect(try row.get("prompt_tokens", as: Int.self) == sent)
            let failed = try await pool.query(
                "SELECT prompt_tokens, completion_tokens, cost FROM teacher_failed_calls ORDER BY id"
            )
            #expect(try failed.map { try $0.get("prompt_tokens", as: Int.self) } == [sent, 0])
            #expect(try failed.map { try $0.get("completion_tokens", as: Int.self) } == [500, 0])
            let billed = try failed.map { try $0.get("cost", as: Double?.self) }
            #expect(billed == [Double(sent + 500) * 2 / 1e6, nil])
            let spent = try #require(try await pool.first("SELECT calls, tokens, cost FROM teacher_spending"))
            #expect(try spent.get("calls", as: Int.self) == 1)
            #expect(try spent.get("tokens", as: Int.self) == 2 * sent + 520)
            let cost = try spent.get("cost", as: Double.self)
            #expect(abs(cost - Double(2 * sent + 520) * 2 / 1e6) < 1e-12)
            let exhausted = try await TeacherBudget(dayTokens: 400).exhaustion(in: pool)
            #expect(exhausted?.contains("of 400 tokens") == true)
        }
    }

    @Test("a day's money is held, and a run's; a run whose roles have no price is not asked for, and told why")
    func money() async throws {
        try await TestDatabase.withPool { pool in
            let teacher = ScriptedTeacher { prompt, _, _ in Good.answer(prompt) }
            func ledger(_ prices: [TeacherRole: TeacherSettings.Price], day: Double? = nil) -> StoredTeacherLedger {
                StoredTeacherLedger(
                    teacher: teacher,
                    pool: pool,
                    budget: TeacherBudget(dayCost: day),
                    prices: prices,
                    logger: quiet
                )
            }
            let bound = RunTeacherBudget(cost: 10)
            let unpriced = ledger([:]).charged(to: "r1", budget: bound)
            let error = await #expect(throws: TeacherError.self) { try await Self.ask(unpriced) }
            #expect(error?.code == .paused && error?.message.contains("solver, template") == true)
            #expect(teacher.calls.isEmpty)
            let scope = try await pool.value("SELECT server FROM teacher_pauses", as: String.self)
            #expect(scope == "run:r1")
            // Fifteen tokens, at a million for a million.
            let priced = ledger(Self.allPrices(1e6)).charged(to: "r1", budget: bound)
            _ = try await Self.ask(priced)
            #expect(try await priced.exhaustion(of: "r1", bound)?.contains("15.0 of 10.0") == true)
            #expect(try await priced.exhaustion(of: "r1", RunTeacherBudget(cost: 100)) == nil)
            let today = try await TeacherBudget(dayCost: 10).exhaustion(in: pool)
            #expect(today?.contains("ERRATA_TEACHER_DAY_COST") == true)
        }
    }

    /// Tells of a probe and of a call that is cut off while the pool closes, as at the end of a service.
    private struct EndingTeacher: Teacher {
        let model = "ending"
        let end: @Sendable () -> Void

        func complete(_ request: ChatRequest) async throws -> ChatReply { throw TeacherError(.unavailable, "unused") }

        func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
            try await hooks.begins()
            try await hooks.probed(reply("OK"))
            end()
            let call = FailedCall(outcome: "abandoned", message: "cut off", mayBeBilled: true, milliseconds: 1)
            try await hooks.failed(call)
            throw CancellationError()
        }
    }

    @Test("probes are in the ledger under their own name, and an abandoned call also when the service's pool is closed")
    func ending() async throws {
        try await TestDatabase.withPool { pool in
            let other = PostgresPool(configuration: pool.configuration, maximumConnections: 4)
            let ledger = StoredTeacherLedger(teacher: EndingTeacher { other.close() }, pool: other, logger: quiet)
            await #expect(throws: CancellationError.self) { try await Self.ask(ledger) }
            let probes = try await pool.query("SELECT prompt_id, completion_tokens FROM teacher_calls")
            #expect(try probes.map { try $0.get("prompt_id", as: String.self) } == ["probe"])
            let outcomes = try await pool.values("SELECT outcome FROM teacher_failed_calls", as: String.self)
            #expect(outcomes == ["abandoned"])
        }
    }

    @Test("the readiness check names a paused teacher and why; a run's budget keeps nobody else waiting")
    func readiness() async throws {
        try await TestDatabase.withPool { pool in
            let pauses = TeacherPauses(pool: pool, logger: quiet)
            try pauses.check()
            await pauses.changed(TeacherPauses.scope(ofRun: "r1"), reason: "spent")
            try pauses.check()
            await pauses.changed("http://h/v1", reason: "401: Incorrect API key")
            let paused = #expect(throws: TeacherPaused.self) { try pauses.check() }
            #expect(paused?.description == "http://h/v1: 401: Incorrect API key")
            await pauses.changed("http://h/v1", reason: nil)
            try pauses.check()
        }
    }

    @Test("an answer with a NUL character is kept with U+FFFD in its place")
    func nul() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in
                prompt == PromptID.chainOfThought.rawValue ? reply("\0" + Good.chain) : Good.answer(prompt)
            }
            guard case .chainOfThought(let chain) = try #require(try await bench.run(problem()).first).body else {
                return
            }
            #expect(chain.text == "\u{FFFD}" + Good.chain)
        }
    }
}
