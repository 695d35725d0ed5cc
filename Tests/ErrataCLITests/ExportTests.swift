import PostgresClient
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("errata export --run and --split")
struct ExportTests {
    private static func run(_ stage: RunStage) -> RunEvent {
        RunEvent(
            id: "r",
            name: "r",
            dataset: "d",
            seed: 1,
            student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
            stages: [stage],
            suites: []
        )
    }

    private static func chains(_ data: StageData? = nil) -> RunStage {
        RunStage(
            name: "s",
            supervised: SupervisedMethod([ExampleSource("rightChains")]),
            data: data,
            start: StageStart(examples: 1)
        )
    }

    /// Problems of several states, families, splits and data sets, each with a chain that is verified.
    private func withTraces(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            let problems:
                [(id: String, dataset: String, split: ProblemSplit, family: String, state: ProblemStore.State)] = [
                    ("p-1", "d", .train, "a", .ingested), ("p-2", "d", .train, "b", .ingested),
                    ("p-3", "d", .train, "a", .contaminated), ("p-4", "d", .train, "a", .duplicate),
                    ("p-5", "d", .rollout, "a", .ingested), ("p-6", "e", .train, "a", .ingested),
                ]
            for entry in problems {
                let problem = ProblemEvent(
                    id: entry.id,
                    dataset: entry.dataset,
                    split: entry.split,
                    question: "What is \(entry.id)?",
                    answer: "2",
                    family: entry.family
                )
                let state = entry.state
                try await pool.withTransaction { try await ProblemStore.insert(problem, state: state, in: $0) }
                try await StoredTraces.insert(
                    "t\(entry.id.dropFirst())",
                    of: entry.id,
                    StoredTraces.chain("2", correct: true),
                    in: pool
                )
            }
            let template = TraceBody.template(TemplateBody(steps: [.init(text: "a")], generalization: "b", answer: "2"))
            try await StoredTraces.insert("t-template", of: "p-1", template, in: pool)
            let correction = TraceBody.correction(
                CorrectionBody(steps: ["a"], firstWrongStep: 0, cause: "c", correction: "b", answer: "2")
            )
            try await StoredTraces.insert("t-own", of: "p-5", correction, run: "r", attempt: "a-1", in: pool)
            try await StoredTraces.insert("t-others", of: "p-5", correction, run: "q", attempt: "a-2", in: pool)
            try await body(pool)
        }
    }

    private func exported(
        _ pool: PostgresPool,
        dataset: String? = nil,
        split: ProblemSplit? = nil,
        run: RunEvent? = nil
    ) async throws -> [String] {
        var ids: [String] = []
        try await TraceStore.forEachWithProblem(
            kinds: TraceSelection.kinds,
            dataset: dataset,
            split: split,
            run: run,
            refused: false,
            page: 2,
            from: pool
        ) { trace, _ in ids.append(trace.id) }
        return ids.sorted()
    }

    @Test("of a run: what its stages learn from, and not what they leave out, for whatever reason")
    func run() async throws {
        try await withTraces { pool in
            let all = try await exported(pool, run: Self.run(Self.chains()))
            #expect(all == ["t-1", "t-2", "t-own"])
            let family = StageData(families: ["b"])
            let ofFamily = try await exported(pool, run: Self.run(Self.chains(family)))
            #expect(ofFamily == ["t-2", "t-own"])
            let first = StageData(limit: 1)
            let firstOnly = try await exported(pool, run: Self.run(Self.chains(first)))
            #expect(firstOnly == ["t-1", "t-own"])
            let other = StageData(datasets: ["e"])
            let elsewhere = try await exported(pool, run: Self.run(Self.chains(other)))
            #expect(elsewhere == ["t-6", "t-own"])
            let templates = RunStage(
                name: "s",
                supervised: SupervisedMethod([ExampleSource("templates")]),
                start: StageStart(examples: 1)
            )
            let ofTemplates = try await exported(pool, run: Self.run(templates))
            #expect(ofTemplates == ["t-own", "t-template"])
        }
    }

    @Test("of a split and a data set: all that is verified of it")
    func split() async throws {
        try await withTraces { pool in
            let rollout = try await exported(pool, split: .rollout)
            #expect(rollout == ["t-5", "t-others", "t-own"])
            let other = try await exported(pool, dataset: "e")
            #expect(other == ["t-6"])
            let all = try await exported(pool)
            #expect(all.count == 9)
        }
    }
}
