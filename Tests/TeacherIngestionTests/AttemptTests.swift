import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("What becomes of an attempt")
struct AttemptTests {
    private func bench(_ pool: PostgresPool, script: @escaping ScriptedTeacher.Script) async throws -> Bench {
        let bench = Bench(pool, script: script)
        try await bench.run(problem(split: .rollout))
        return bench
    }

    @Test("a wrong attempt gets one verified correction of its first wrong step, by the reference")
    func wrongAttempt() async throws {
        try await TestDatabase.withPool { pool in
            let bench = try await bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let traces = try await bench.run(attempt(output: Good.wrong))
            #expect(traces.map(\.kind) == [.correction, .inspectorVerdict])
            let trace = try #require(traces.first)
            #expect(trace.verified)
            #expect(trace.attemptId == "a1")
            #expect(trace.runId == "r1")
            guard case .correction(let body) = trace.body else {
                Issue.record("no correction")
                return
            }
            #expect(body.firstWrongStep == 0)
            #expect(body.steps == ["Ann has 3 + 4 = 7 pears.", "She is left with 7 - 2 = 5 pears."])
            #expect(body.correction == "Ann has 3 * 4 = 12 pears.")
            let sent = try #require(bench.teacher.requests(.groundedCorrection).first)
            #expect(sent.messages.contains { $0.content.contains("3 * 4 = 12\n12 - 2 = 10") })
        }
    }

    @Test("an attempt that was answered is not asked about again, though the teacher is another now")
    func answeredBefore() async throws {
        try await TestDatabase.withPool { pool in
            let first = try await bench(pool) { prompt, _, _ in Good.answer(prompt) }
            #expect(try await first.run(attempt(output: Good.wrong)).count == 2)
            let second = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            #expect(try await second.run(attempt(output: Good.wrong)).isEmpty)
            #expect(second.teacher.calls.isEmpty)
        }
    }

    @Test("a correction that names a step which is not there is not verified, and still one")
    func wrongStep() async throws {
        try await TestDatabase.withPool { pool in
            let bench = try await bench(pool) { prompt, _, _ in
                prompt == PromptID.groundedCorrection.rawValue
                    ? reply("<Step1>a</Step1><Step2>b</Step2><Step3>c<Cause>x</Cause></Step3><Answer>10</Answer>")
                    : Good.answer(prompt)
            }
            let traces = try await bench.run(attempt(output: Good.wrong))
            #expect(traces.count == 1)
            #expect(
                traces.first?.failure == "step 3 is not a step of the attempt: \"c\"; repeat one word for word"
            )
            #expect(traces.first?.failureKind == Refusal.Kind.unmatchedStep.rawValue)
            #expect(traces.first?.teacher.calls == 4)
        }
    }

    @Test("an attempt without steps gets a correction that is not verified, and the teacher is not asked")
    func emptyAttempt() async throws {
        try await TestDatabase.withPool { pool in
            let bench = try await bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let traces = try await bench.run(attempt(output: ""))
            #expect(traces.map(\.failure) == ["the attempt has no steps"])
            #expect(bench.teacher.calls.isEmpty)
        }
    }

    @Test("a right attempt is left alone, and one whose problem is not there yet is tried again")
    func others() async throws {
        try await TestDatabase.withPool { pool in
            let bench = try await bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let value1 = try await bench.run(attempt(output: Good.chain, correct: true))
            #expect(value1.isEmpty)
            await #expect(throws: ProblemNotThereYet.self) {
                try await bench.run(attempt(output: Good.wrong, problemID: "elsewhere"))
            }
        }
    }
}
