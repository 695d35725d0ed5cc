import PracticeDomain
import Reasoning
import Schemas
import Teaching
import Testing

@Suite("The teacher's work without services")
struct InProcessTeacherTests {
    static func problems(_ count: Int, seed: UInt64 = 5) throws -> [ProblemEvent] {
        try ProblemGenerator(seed: seed, difficulty: .gentle).generate(count: count, split: .train).enumerated().map {
            ProblemEvent(
                id: "p\($0)",
                dataset: "gentle",
                split: .train,
                question: $1.question,
                solution: $1.solution,
                answer: $1.answer
            )
        }
    }

    static func ledger(errorRate: Double = 0.5) -> DirectTeacherLedger {
        DirectTeacherLedger(teacher: InProcessTeacher(SimulatedTeacher(seed: 1, errorRate: errorRate)))
    }

    @Test("every problem gets a verified template and dual pair, the same in each run, wrong chains rectified")
    func pipeline() async throws {
        let pipeline = TeachingPipeline(ledger: Self.ledger(errorRate: 1.35))
        var rectified = 0
        for problem in try Self.problems(100) {
            let traces = try await pipeline.traces(of: problem)
            #expect(traces == (try await pipeline.traces(of: problem)))
            #expect(traces.filter { $0.kind == .template || $0.kind == .dual }.map(\.verified) == [true, true])
            #expect(traces.allSatisfy { $0.teacher.model == "errata-simulator" })
            for case .dual(let dual) in traces.map(\.body) {
                #expect(AnswerEquivalence.equivalent(gold: problem.answer, predicted: dual.rightAnswer ?? ""))
                #expect(
                    !AnswerEquivalence.equivalent(gold: problem.answer, predicted: dual.wrongAnswer ?? problem.answer)
                )
                if dual.method == .rectified { rectified += 1 }
            }
        }
        #expect((10...45).contains(rectified), "\(rectified) of 100 first chains were wrong; 27 are expected")
    }

    @Test("CCP's examples are drawn from the rectified pairs of other problems, and filled up from the library")
    func demonstrations() async throws {
        let problems = try Self.problems(60)
        let pipeline = TeachingPipeline(ledger: Self.ledger(errorRate: 1.35))
        var pairs: [CorruptionDemonstration] = []
        for problem in problems {
            if let pair = try await pipeline.chains(of: problem).demonstration(of: problem) { pairs.append(pair) }
        }
        try #require(pairs.count > 4)
        let source = RectifiedDemonstrations(pairs: pairs, seed: 3)
        var drawn: Set<[CorruptionDemonstration]> = []
        for problem in problems {
            let examples = try source.corruption(for: problem)
            #expect(examples == (try source.corruption(for: problem)))
            #expect(Set(examples).count == 3 && Set(examples).isSubset(of: pairs))
            #expect(!examples.contains { $0.question == problem.question })
            drawn.insert(examples)
        }
        #expect(drawn.count > 20)
        let few = try RectifiedDemonstrations(pairs: [pairs[0]], seed: 3).corruption(for: problems[0])
        let library = try LibraryDemonstrations().corruption(for: problems[0])
        #expect(library.count == 3)
        #expect(few == [pairs[0]] + library.prefix(2) || few == library)
    }

    @Test("an answer longer than what is asked for is cut and says so")
    func cut() async throws {
        let teacher = InProcessTeacher(SimulatedTeacher(seed: 1))
        let messages = [PromptMessage(role: "user", content: "What is 3 + 4?")]
        let reply = try await teacher.complete(.init(messages: messages, temperature: 0, seed: 1, maximumTokens: 2))
        #expect(reply.finishReason == "length")
        #expect(reply.completionTokens == 2)
    }
}
