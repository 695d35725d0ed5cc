import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("What becomes of a problem")
struct ProblemTests {
    @Test("a right chain is corrupted, and the traces come in their order, verified, and stand in the database")
    func rightChain() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let traces = try await bench.run(problem())
            #expect(traces.map(\.kind) == [.chainOfThought, .template, .inspectorVerdict, .dual])
            #expect(traces.allSatisfy { $0.verified })
            #expect(Set(traces.map(\.id)).count == 4)
            guard case .dual(let dual) = try #require(traces.last).body else {
                Issue.record("no dual")
                return
            }
            #expect(dual.method == .corrupted)
            #expect(dual.right == Good.chain)
            #expect(dual.wrongAnswer == "5")
            #expect(dual.mistake == "knowledge")
            #expect(dual.mistakeSource == .teacher)
            #expect(dual.attempts == 1)
            #expect(traces.last?.teacher.promptId == PromptID.corrupt.rawValue)
            #expect(traces.last?.teacher.calls == 2)
            let value1 = try await pool.value("SELECT count(*) FROM traces WHERE verified", as: Int.self)
            #expect(value1 == 4)
            let value2 = try await pool.value("SELECT state FROM problems WHERE id = 'p1'", as: String.self)
            #expect(value2 == "ingested")
        }
    }

    @Test("a wrong chain is rectified with the answer as a hint, and is the wrong side of the pair")
    func wrongChain() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in
                prompt == PromptID.chainOfThought.rawValue ? reply(Good.wrong) : Good.answer(prompt)
            }
            let traces = try await bench.run(problem())
            let chain = try #require(traces.first)
            #expect(!chain.verified)
            #expect(chain.failure == "the answer 5 is not 10")
            guard case .dual(let dual) = try #require(traces.last).body else {
                Issue.record("no dual")
                return
            }
            #expect(dual.method == .rectified)
            #expect(dual.right == Good.chain)
            #expect(dual.wrong == Good.wrong)
            #expect(traces.last?.verified == true)
            #expect(!bench.teacher.calls.contains(PromptID.corrupt.rawValue))
        }
    }

    @Test("a corruption that reaches the right answer is tried again, hotter each time, and then told apart")
    func corruptionThatIsRight() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in
                prompt == PromptID.corrupt.rawValue ? reply(Good.chain) : Good.answer(prompt)
            }
            let traces = try await bench.run(problem())
            let dual = try #require(traces.last)
            #expect(!dual.verified)
            #expect(dual.failure == "the corrupted chain still reaches 10")
            #expect(dual.teacher.calls == 4)
            let requests = bench.teacher.requests(.corrupt)
            #expect(requests.map(\.temperature) == [0.2, 0.4, 0.6, 0.8])
            #expect(Set(requests.map(\.seed)).count == 4)
            #expect(traces.count { $0.kind == .dual } == 1)
        }
    }

    @Test("a teacher that never gets to the answer leaves the pair to the reference solution")
    func referenceInPlaceOfChain() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in
                prompt == PromptID.chainOfThought.rawValue || prompt == PromptID.rectify.rawValue
                    ? reply(Good.wrong) : Good.answer(prompt)
            }
            guard case .dual(let dual) = try #require(try await bench.run(problem()).last).body else { return }
            #expect(dual.method == .corrupted)
            #expect(dual.right == "3 * 4 = 12\n12 - 2 = 10\nThe answer is 10.")
        }
    }

    @Test("without a solution the template is made of the verified chain, and without that it says so")
    func templateWithoutSolution() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let traces = try await bench.run(problem(solution: nil))
            #expect(traces.first { $0.kind == .template }?.verified == true)
            let sent = try #require(bench.teacher.requests(.templateExtraction).first)
            #expect(sent.messages.contains { $0.content.contains("12 - 2 = 10 pears") })

            let hopeless = Bench(pool) { _, _, _ in reply("I do not know.") }
            let failed = try await hopeless.run(problem(id: "p2", solution: nil))
            #expect(failed.map(\.kind) == [.chainOfThought, .template, .dual])
            #expect(failed.allSatisfy { !$0.verified && $0.failure != nil })
        }
    }

    @Test("the inspector's remarks go back to the teacher, at most as many rounds as are configured")
    func inspector() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, call, _ in
                guard prompt == PromptID.inspectTemplate.rawValue else { return Good.answer(prompt) }
                return call == 0
                    ? reply("<Verdict>faulty</Verdict><Part>Step2</Part><Reason>not clear</Reason>")
                    : reply("<Verdict>ok</Verdict>")
            }
            let traces = try await bench.run(problem())
            #expect(traces.map(\.kind) == [.chainOfThought, .template, .inspectorVerdict, .inspectorVerdict, .dual])
            #expect(traces[1].verified)
            guard case .inspectorVerdict(let verdict) = traces[2].body else {
                Issue.record("no verdict")
                return
            }
            #expect(verdict.inspectedTraceId == traces[1].id)
            #expect(!verdict.accepted)
            #expect(verdict.faults == [.init(step: 1, message: "Step2: not clear")])
            let requests = bench.teacher.requests(.templateExtraction)
            #expect(requests.count == 2)
            #expect(requests[1].messages.contains { $0.content.contains("Step2: not clear") })

            let strict = Bench(pool, options: .init(inspectorRounds: 2)) { prompt, _, _ in
                prompt == PromptID.inspectTemplate.rawValue
                    ? reply("<Verdict>faulty</Verdict><Reason>no</Reason>") : Good.answer(prompt)
            }
            let refused = try await strict.run(problem(id: "p2"))
            #expect(refused.count { $0.kind == .inspectorVerdict } == 2)
            #expect(refused[1].failure == "the inspector's round 2: no")
            #expect(refused.count { $0.kind == .template } == 1)
        }
    }

    @Test("answers that were cut are no answers")
    func cutAnswers() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, call, _ in
                call == 0 ? reply(Good.answer(prompt).text, finishReason: "length") : Good.answer(prompt)
            }
            let traces = try await bench.run(problem())
            #expect(traces.filter { $0.kind != .inspectorVerdict }.allSatisfy { $0.verified })
            // Two calls each, and for the pair two more for the pattern of its mistake.
            #expect(traces.filter { $0.kind != .inspectorVerdict }.map(\.teacher.calls) == [2, 2, 4])
        }
    }

    @Test(
        "problems that are not for training are kept without a call",
        arguments: [
            ProblemSplit.rollout, .development, .test,
        ]
    )
    func otherSplits(split: ProblemSplit) async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            let value3 = try await bench.run(problem(split: split))
            #expect(value3.isEmpty)
            #expect(bench.teacher.calls.isEmpty)
            let value4 = try await pool.value("SELECT state FROM problems", as: String.self)
            #expect(value4 == "registered")
        }
    }

    @Test("a problem that is there already is not worked on again; another one under its id is refused")
    func knownProblem() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { prompt, _, _ in Good.answer(prompt) }
            try await bench.run(problem())
            let calls = bench.teacher.calls.count
            let value5 = try await bench.run(problem())
            #expect(value5.isEmpty)
            #expect(bench.teacher.calls.count == calls)
            var other = problem()
            other.answer = "11"
            await #expect(throws: PermanentFailure.self) { try await bench.run(other) }
        }
    }
}
