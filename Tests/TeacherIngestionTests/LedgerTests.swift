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

    @Test("a wrong key keeps the message: the error goes through as it is")
    func refused() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { _, _, _ in throw TeacherError(.refused, "401") }
            let error = await #expect(throws: TeacherError.self) { try await bench.run(problem()) }
            #expect(error?.code == .refused)
            let value2 = try await pool.value("SELECT count(*) FROM teacher_calls", as: Int.self)
            #expect(value2 == 0)
        }
    }

    @Test("no more calls than allowed are with the teacher at the same time")
    func bounded() async throws {
        let slots = TeacherSlots(limit: 3)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await slots.withSlot {
                        gauge.enter()
                        await Task.yield()
                        gauge.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gauge.most <= 3)
    }

    /// Counts what runs at the same time.
    private final class Gauge: Sendable {
        private let state = Mutex((running: 0, most: 0))

        var most: Int { state.withLock { $0.most } }

        func enter() {
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
        }

        func leave() { state.withLock { $0.running -= 1 } }
    }

    @Test("an answer with a NUL character is kept without it")
    func nul() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in
                prompt == PromptID.chainOfThought.rawValue ? reply("\0" + Good.chain) : Good.answer(prompt)
            }
            guard case .chainOfThought(let chain) = try #require(try await bench.run(problem()).first).body else {
                return
            }
            #expect(chain.text == Good.chain)
        }
    }
}
