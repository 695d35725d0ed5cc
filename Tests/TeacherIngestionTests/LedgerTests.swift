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
