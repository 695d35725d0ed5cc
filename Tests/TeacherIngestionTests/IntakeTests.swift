import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("Problems that overlap")
struct IntakeTests {
    private static let pears =
        "Ann picks 3 baskets of 4 pears in her garden on a warm day and eats 2 of them at once. How many pears are left?"
    private static let plums =
        "A shop buys 20 crates of plums for 7 dollars each and sells them for 9 dollars. What does it earn on all of them?"

    private func problem(
        _ id: String,
        _ question: String = pears,
        dataset: String = "test",
        split: ProblemSplit = .train
    ) -> ProblemEvent {
        ProblemEvent(id: id, dataset: dataset, split: split, question: question, answer: "10")
    }

    private func bench(_ pool: PostgresPool, _ intake: IntakeOptions = IntakeOptions()) -> Bench {
        Bench(pool, intake: intake) { prompt, _, _ in Good.answer(prompt) }
    }

    private func states(_ pool: PostgresPool) async throws -> [String: String] {
        let rows = try await pool.query("SELECT id, state FROM problems")
        let pairs = try rows.map { (try $0.get("id", as: String.self), try $0.get("state", as: String.self)) }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }

    @Test("a duplicate within a data set is stored as such with its reason, and no teacher is asked about it")
    func duplicate() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem("p1"))
            let calls = bench.teacher.calls.count
            #expect(try await bench.run(problem("p2", Self.pears.uppercased())).isEmpty)
            #expect(try await bench.run(problem("p3", Self.pears.replacing("left?", with: "left over?"))).isEmpty)
            #expect(try await bench.run(problem("p4", split: .rollout)).isEmpty)
            #expect(bench.teacher.calls.count == calls)
            #expect(
                try await states(pool) == ["p1": "ingested", "p2": "duplicate", "p3": "duplicate", "p4": "duplicate"]
            )
            let removals = try await sent(RemovalEvent.self, pool)
            #expect(removals.filter { $0.otherId == "p1" }.map(\.problemId) == ["p2", "p3", "p4"])
            #expect(removals.first?.kind == .exact && removals.first?.from == .all && removals.first?.similarity == 1)
            let reports = try await ProblemOverlapStore.reports(from: pool)
            let first = reports.filter { $0.overlap.otherID == "p1" }
            #expect(Set(first.map(\.overlap.problemID)) == ["p2", "p3", "p4"])
            #expect(first.first { $0.overlap.problemID == "p2" }?.overlap.kind == "exact")
            let near = try #require(first.first { $0.overlap.problemID == "p3" }?.overlap)
            #expect(near.kind == "near" && near.similarity > 0.8 && near.similarity < 1)
            // A message that comes again changes nothing.
            #expect(try await bench.run(problem("p2", Self.pears.uppercased())).isEmpty)
            #expect(try await ProblemOverlapStore.reports(from: pool).count == reports.count)
        }
    }

    @Test("the same story with other numbers is another problem")
    func variants() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem("t", Self.pears.replacing("4 pears", with: "6 pears"), split: .test))
            for number in 3..<9 {
                try await bench.run(problem("p\(number)", Self.pears.replacing("3 baskets", with: "\(number) baskets")))
            }
            #expect(try await states(pool).values.filter { $0 == "ingested" }.count == 6)
            #expect(try await ProblemOverlapStore.reports(from: pool).isEmpty)
        }
    }

    @Test(
        "a problem that gives away an evaluation question is left out, whichever comes first",
        arguments: [true, false]
    )
    func contaminated(evaluationFirst: Bool) async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            let learned = [
                problem("quoted", "Think well. \(Self.pears) Then say: how many are 7 more?"),
                problem("rollout", Self.pears.lowercased(), split: .rollout), problem("other", Self.plums),
            ]
            let scored = [problem("t1", split: .test), problem("d1", split: .development)]
            for problem in evaluationFirst ? scored + learned : learned + scored { try await bench.run(problem) }
            #expect(
                try await states(pool) == [
                    "quoted": "contaminated", "rollout": "contaminated", "other": "ingested", "t1": "registered",
                    "d1": "registered",
                ]
            )
            let reports = try await ProblemOverlapStore.reports(from: pool)
            #expect(Set(reports.map(\.overlap.otherID)).isSubset(of: ["t1", "d1"]))
            #expect(reports.contains { $0.overlap.problemID == "quoted" && $0.overlap.kind == "contains" })
            #expect(reports.contains { $0.overlap.problemID == "rollout" && $0.overlap.kind == "exact" })
        }
    }

    @Test("across data sets an overlap is written down, and the problem is left out of the runs that have both")
    func acrossDataSets() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem("a", dataset: "first"))
            try await bench.run(problem("b", dataset: "second"))
            try await bench.run(problem("c", Self.plums, dataset: "second"))
            try await bench.run(problem("t", Self.plums, dataset: "third", split: .test))
            #expect(try await states(pool) == ["a": "ingested", "b": "ingested", "c": "ingested", "t": "registered"])
            func learned(_ datasets: [String], scoredOn suites: [EvaluationSuite] = []) async throws -> [String] {
                let stage = RunStage(
                    name: "s",
                    supervised: SupervisedMethod([ExampleSource("rightChains")]),
                    data: StageData(datasets: datasets)
                )
                let run = RunEvent(
                    id: "r",
                    name: "r",
                    dataset: datasets[0],
                    seed: 1,
                    student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
                    stages: [stage],
                    suites: suites
                )
                return try await ProblemStore.ids(
                    TrainingSelection(stage, of: run, round: 1, onlyNew: false),
                    from: pool
                )
            }
            #expect(try await learned(["first"]) == ["a"])
            #expect(try await learned(["second"]) == ["b", "c"])
            #expect(try await learned(["first", "second"]) == ["a", "c"])
            let suite = EvaluationSuite(name: "x", dataset: "third", split: .test, expectedProblems: 1)
            #expect(try await learned(["second"], scoredOn: [suite]) == ["b"])
            // A suite over problems that others learn from, in whichever order they came.
            let training = EvaluationSuite(name: "y", dataset: "second", split: .train, expectedProblems: 1)
            #expect(try await learned(["first"], scoredOn: [training]) == [])
        }
    }

    @Test("nothing is looked for where the settings say so, and the strict rule takes any thirteen words")
    func settings() async throws {
        try await TestDatabase.withPool { pool in
            let off = bench(pool, .off)
            try await off.run(problem("t", split: .test))
            try await off.run(problem("p"))
            #expect(try await states(pool)["p"] == "ingested")
            // What came while it was off is taken up.
            let strict = bench(pool, IntakeOptions(findsDuplicates: false, decontamination: .strict))
            let start = "Ann picks 3 baskets of 4 pears in her garden on a warm day and sings. Why?"
            try await strict.run(problem("q", start))
            try await strict.run(problem("r", Self.plums))
            try await strict.run(problem("s", Self.plums))
            #expect(
                try await states(pool) == [
                    "t": "registered", "p": "contaminated", "q": "contaminated", "r": "ingested", "s": "ingested",
                ]
            )
        }
    }

    @Test("of duplicates that come at the same time one is kept")
    func race() async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask { try await bench.run(problem("p\(number)")) }
                }
                try await group.waitForAll()
            }
            #expect(try await states(pool).values.sorted() == [String](repeating: "duplicate", count: 7) + ["ingested"])
        }
    }

    @Test(
        "a corrected text under an old id is refused with what differs",
        arguments: ["question", "answer", "solution"]
    )
    func correctedText(field: String) async throws {
        try await TestDatabase.withPool { pool in
            let bench = bench(pool)
            try await bench.run(problem("p"))
            var other = problem("p")
            switch field {
            case "question": other.question += " Say why."
            case "answer": other.answer = "11"
            default: other.solution = "3 * 4 = 12"
            }
            let error = await #expect(throws: PermanentFailure.self) { try await bench.run(other) }
            #expect(error?.code == "problem-id-taken")
            #expect(error?.message.contains("with another \(field);") == true)
        }
    }
}
