import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import EvaluatorCore

@Suite("Scores by group")
struct ScoreGroupTests {
    private func result(_ problem: String, _ correct: Bool, _ tokens: Int?) -> EvaluationJobStore.Result {
        EvaluationJobStore.Result(problemID: problem, correct: correct, answer: nil, output: "", tokens: tokens)
    }

    /// A group as `by value: correct/problems`.
    private func told(_ groups: [ScoreGroup]) -> [String] {
        groups.map { "\($0.by) \($0.value): \($0.correct)/\($0.problems)" }
    }

    @Test("families stand in order of name, difficulties and steps of number, lengths of the output in doublings")
    func groups() {
        func problem(_ id: String, _ family: String?, _ steps: Int?, _ difficulty: String? = nil) -> ProblemEvent {
            ProblemEvent(
                id: id,
                dataset: "d",
                split: .test,
                question: "?",
                answer: "1",
                family: family,
                steps: steps,
                difficulty: difficulty
            )
        }
        let groups = EvaluationReport.groups(
            [
                result("a", true, 12), result("b", false, 40), result("c", true, 33), result("d", true, 200),
                result("e", false, nil),
            ],
            [
                problem("a", "rates", 10, "Level 10"), problem("b", "rates", 2, "Level 2"), problem("c", "ages", 2),
                problem("d", nil, 10, "Level 10"), problem("e", "ages", nil, "Level ?"), problem("unasked", "ages", 2),
            ]
        )
        #expect(
            told(groups) == [
                "family ages: 1/2", "family rates: 1/2", "difficulty Level ?: 0/1", "difficulty Level 2: 0/1",
                "difficulty Level 10: 2/2", "steps 2: 1/2", "steps 10: 2/2", "length 0-32: 1/1",
                "length 33-64: 1/2", "length 129-256: 1/1",
            ]
        )
        // Wilson's interval for 1 of 2 at z = 1.959964.
        #expect(groups.first.map { abs($0.interval.low - 0.094_53) < 1e-4 } == true)
        #expect(groups.first.map { abs($0.interval.high - 0.905_47) < 1e-4 } == true)
    }

    @Test(
        "lengths are grouped by doubling from 32 tokens",
        arguments: [
            (0, "0-32"), (32, "0-32"), (33, "33-64"), (64, "33-64"), (65, "65-128"), (128, "65-128"), (129, "129-256"),
            (5000, "4097-8192"),
        ]
    )
    func lengths(tokens: Int, name: String) { #expect(EvaluationReport.lengthGroup(tokens).name == name) }

    @Test("an evaluation has the groups of its problems, and none by what its problems do not say")
    func event() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(run)
            for number in 30..<36 {
                let problem = ProblemEvent(
                    id: Sum(number).id,
                    dataset: StageBench.dataset,
                    split: .test,
                    question: Sum(number).question,
                    answer: number < 32 ? "7" : "8",
                    family: number < 34 ? "pears" : "figs",
                    difficulty: number < 31 ? "Level 5" : nil
                )
                try await bench.pool.withTransaction {
                    try await ProblemStore.insert(problem, state: .registered, in: $0)
                }
            }
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.parrot())
            try await bench.insert(checkpoint)
            let groups = try #require(try await bench.evaluate(checkpoint).groups)
            #expect(
                told(groups) == [
                    "family figs: 0/2", "family pears: 2/4", "difficulty Level 5: 1/1", "length 0-32: 2/6",
                ]
            )
        }
    }
}
