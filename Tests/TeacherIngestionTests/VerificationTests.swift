import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("What is refused of the teacher's answers")
struct VerificationTests {
    /// A bench where one prompt is answered in another way.
    private func bench(_ pool: PostgresPool, _ prompt: PromptID, _ text: String) -> Bench {
        Bench(pool) { asked, _, _ in asked == prompt.rawValue ? reply(text) : Good.answer(asked) }
    }

    @Test("a template that the inspector never accepts is given up after three rounds, with the last remark")
    func templateRounds() async throws {
        try await TestDatabase.withPool { pool in
            let faulty = "<Verdict>faulty</Verdict><Part>Step1</Part><Reason>no</Reason>"
            let bench = bench(pool, .inspectTemplate, faulty)
            let traces = try await bench.run(problem())
            let template = try #require(traces.first { $0.kind == .template })
            #expect(!template.verified)
            #expect(template.failure == "the inspector's round 3: Step1: no")
            guard case .template(let body) = template.body else { return }
            #expect(body.inspectorRounds == 3)
            #expect(bench.teacher.requests(.templateExtraction).count == 3)
            #expect(bench.teacher.requests(.inspectTemplate).count == 3)
            #expect(TeachingYields(traces).templates.byRounds == [3: 1])
        }
    }

    @Test("a correction that the inspector never accepts is given up after three rounds too")
    func correctionRounds() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool, .inspectCorrection, "<Verdict>faulty</Verdict><Reason>no</Reason>")
            try await bench.run(problem(split: .rollout))
            let traces = try await bench.run(attempt(output: Good.wrong))
            #expect(traces.first?.failure == "the inspector's round 3: no")
            #expect(traces.count { $0.kind == .inspectorVerdict } == 3)
            #expect(bench.teacher.requests(.groundedCorrection).count == 3)
            #expect(bench.teacher.requests(.inspectCorrection).count == 3)
        }
    }

    @Test("chains, templates, corruptions and the causes of corrections that mention a reference are refused")
    func leaks() async throws {
        let leak = "As the reference solution says, this is so."
        try await TestDatabase.withPool { pool in
            let chain = try await bench(pool, .chainOfThought, leak + "\n" + Good.chain).run(problem(id: "p1"))
            #expect(chain.first?.failure == "the text mentions a given answer")
            let hinted = try await Bench(pool) { asked, _, _ in
                switch PromptID(rawValue: asked) {
                case .chainOfThought?: reply(Good.wrong)
                case .rectify?: reply(leak + "\n" + Good.chain)
                default: Good.answer(asked)
                }
            }.run(problem(id: "p2", solution: nil))
            #expect(hinted.last?.failure == "no right chain: the text mentions a given answer")
            let corrupted = try await bench(pool, .corrupt, leak + "\n" + Good.wrong).run(problem(id: "p3"))
            #expect(corrupted.last?.failure == "the text mentions a given answer")
            let template = try await bench(
                pool,
                .templateExtraction,
                Good.template.replacingOccurrences(of: "Each basket counts.", with: leak)
            ).run(problem(id: "p4"))
            #expect(template.first { $0.kind == .template }?.failure == "the text mentions a reference solution")
            let corrector = bench(
                pool,
                .groundedCorrection,
                Good.correction.replacingOccurrences(of: "The baskets are equal groups.", with: leak)
            )
            let correction = try await corrector.run(attempt(output: Good.wrong))
            #expect(correction.first?.failure == "the text mentions a reference solution")
        }
    }

    @Test("a rectified chain that does not reach the gold answer is no pair, without a reference to fall back on")
    func rectifiedMustBeRight() async throws {
        try await TestDatabase.withPool { pool in
            let bench = Bench(pool) { asked, _, _ in
                [PromptID.chainOfThought.rawValue, PromptID.rectify.rawValue].contains(asked)
                    ? reply(Good.wrong) : Good.answer(asked)
            }
            let dual = try #require(try await bench.run(problem(solution: nil)).last)
            #expect(!dual.verified)
            #expect(dual.failure == "no right chain: the answer 5 is not 10")
            #expect(bench.teacher.requests(.rectify).map(\.temperature) == [0.2, 0.4, 0.6, 0.8])
            #expect(bench.teacher.requests(.classifyMistake).isEmpty)
        }
    }

    @Test("a pattern that cannot be read is asked for again, and then told from the numbers")
    func unreadablePattern() async throws {
        try await TestDatabase.withPool { pool in
            let later = Bench(pool) { asked, call, _ in
                asked == PromptID.classifyMistake.rawValue && call < 1 ? reply("Hm.") : Good.answer(asked)
            }
            guard case .dual(let found) = try #require(try await later.run(problem()).last).body else { return }
            #expect(found.mistake == "knowledge")
            #expect(later.teacher.requests(.classifyMistake).map(\.temperature) == [0.2, 0.4])
            let never = bench(pool, .classifyMistake, "Hm.")
            let trace = try #require(try await never.run(problem(id: "p2")).last)
            guard case .dual(let fallback) = trace.body else { return }
            #expect(trace.verified)
            #expect(fallback.mistake == "logical")
            #expect(fallback.mistakeSource == .numbers)
            #expect(trace.teacher.calls == 3)
            let unasked = Bench(pool, options: .init(classifiesMistakes: false)) { asked, _, _ in Good.answer(asked) }
            guard case .dual(let plain) = try #require(try await unasked.run(problem(id: "p3")).last).body else {
                return
            }
            #expect(plain.mistakeSource == .numbers)
            #expect(unasked.teacher.requests(.classifyMistake).isEmpty)
        }
    }
}
