import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Synchronization
import Testing

@Suite("What stages learn from")
struct StageInputsTests {
    /// What a stage would learn from, with the shares that problems draw: p00 0.1, p01 0.2 and so on.
    private func inputs(
        _ ready: ReadyStage,
        _ bench: StageBench,
        seeds: Seeds = Seeds()
    ) async throws -> JobStore.Inputs {
        try await StageInputs(pool: bench.pool) { id, seed in
            seeds.add(seed)
            return (Double(id.dropFirst()) ?? 0) / 10 + 0.1
        }.inputs(of: ready)
    }

    private func ready(
        _ stage: RunStage,
        round: Int = 1,
        in rounds: RunRounds? = nil,
        _ bench: StageBench
    ) -> ReadyStage {
        let run = bench.run(
            stages: [stage],
            suites: [.ofTen()],
            rounds: rounds,
            gate: rounds.map { _ in .on(stage.name) }
        )
        return ReadyStage(run: run, round: round, stage: stage, parent: .initial(of: run, path: "models"))
    }

    /// The seeds that shares were drawn by.
    private final class Seeds: Sendable {
        private let seen = Mutex<Set<UInt64>>([])
        var all: Set<UInt64> { seen.withLock { $0 } }
        func add(_ seed: UInt64) { seen.withLock { _ = $0.insert(seed) } }
    }

    @Test("a stage learns from the training problems that its data chooses, in order of id")
    func selection() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplate(3, family: "pears")
            try await bench.insertTemplate(0, family: "plums")
            try await bench.insert(problem: 1, family: "pears")
            try await bench.insert(problem: 2, dataset: "other", family: "pears")
            try await bench.insert(problem: 4, split: .test, family: "pears")
            func problems(_ data: StageData?) async throws -> [String] {
                let inputs = try await inputs(ready(.templates(data: data), bench), bench)
                #expect(inputs.corrections == [])
                return inputs.problems
            }
            #expect(try await problems(nil) == ["p00", "p01", "p03"])
            #expect(try await problems(StageData(datasets: ["sums", "other"])) == ["p00", "p01", "p02", "p03"])
            #expect(try await problems(StageData(datasets: ["other"])) == ["p02"])
            #expect(try await problems(StageData(families: ["pears"])) == ["p01", "p03"])
            #expect(try await problems(StageData(limit: 2)) == ["p00", "p01"])
            #expect(try await problems(StageData(families: ["pears"], limit: 1)) == ["p01"])
        }
    }

    @Test("a stage on corrections learns from those of its parent's attempts, and what is right needs none")
    func corrections() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21), rollout.attempt(22)])
            try await rollout.correct(20)
            try await rollout.correct(21, verified: false)
            // An attempt of another student, and its correction.
            var other = rollout.attempt(23)
            other.checkpointId = "another"
            try await rollout.bench.pool.withTransaction { [other] in try await EvaluationStore.insert([other], in: $0)
            }
            try await rollout.correct(23)
            let parent = rollout.bench.checkpoint("templates", of: rollout.run)
            func corrections(_ stage: RunStage) async throws -> [String] {
                let ready = ReadyStage(run: rollout.run, round: 1, stage: stage, parent: parent)
                return try await inputs(ready, rollout.bench).corrections
            }
            #expect(try await corrections(.corrections()) == ["c-20-0", "c-21-0"])
            #expect(try await corrections(.supervised(["teacherSteps"], "steps")) == ["c-20-0", "c-21-0"])
            #expect(try await corrections(.supervised(["attempts"], "self")) == [])
            #expect(try await corrections(.templates()) == [])
        }
    }

    /// A run in rounds whose first round learned from the problems 0 to 3; 4 and 5 came after.
    private func withRounds(
        _ rounds: RunRounds,
        _ body: (StageBench, _ second: ReadyStage) async throws -> Void
    ) async throws {
        try await StageBench.with { bench in
            let second = ready(.templates(), round: 2, in: rounds, bench)
            try await bench.insert(second.run)
            try await bench.insertTemplates(0..<4)
            let first = ready(.templates(), round: 1, in: rounds, bench)
            let learned = try await inputs(first, bench)
            #expect(learned.problems == ["p00", "p01", "p02", "p03"], "at first all problems are new")
            try await bench.start("templates", inputs: learned)
            try await bench.insertTemplates(4..<6)
            try await body(bench, second)
        }
    }

    @Test("a second round learns from all problems, as the default is")
    func all() async throws {
        for rounds in [RunRounds(), RunRounds(data: "all")] {
            try await withRounds(rounds) { bench, second in
                let problems = try await inputs(second, bench).problems
                #expect(problems == ["p00", "p01", "p02", "p03", "p04", "p05"])
            }
        }
    }

    @Test("a second round of new data learns from what no earlier round of the stage did")
    func new() async throws {
        try await withRounds(RunRounds(data: "new")) { bench, second in
            #expect(try await inputs(second, bench).problems == ["p04", "p05"])
            // What another run or another stage learned from is as new to this one as before.
            try await bench.insert(bench.run("r2", stages: [.templates()]))
            try await bench.start("templates", of: "r2", inputs: JobStore.Inputs(problems: ["p04"]))
            #expect(try await inputs(second, bench).problems == ["p04", "p05"])
            // What this round itself has noted is not old: a take-over sees the same.
            try await bench.startRound(
                2,
                of: second.run,
                champion: bench.checkpoint("initial", of: second.run),
                from: bench.checkpoint("initial", of: second.run)
            )
            try await bench.start("templates", round: 2, inputs: JobStore.Inputs(problems: ["p04", "p05"]))
            #expect(try await inputs(second, bench).problems == ["p04", "p05"])
            let third = ready(.templates(), round: 3, in: RunRounds(data: "new"), bench)
            #expect(try await inputs(third, bench).problems == [])
        }
    }

    @Test("the first problems of new data are the first new ones")
    func newWithLimit() async throws {
        try await withRounds(RunRounds(data: "new")) { bench, second in
            let stage = RunStage.templates(data: StageData(limit: 1))
            let limited = ReadyStage(run: second.run, round: 2, stage: stage, parent: second.parent)
            let problems = try await inputs(limited, bench).problems
            #expect(problems == ["p04"])
        }
    }

    @Test("a round of replay adds the old problems whose draw lies below the share, by a draw of the round's own")
    func replay() async throws {
        try await withRounds(RunRounds(data: "replay", replayShare: 0.3)) { bench, second in
            let seeds = Seeds()
            let problems = try await inputs(second, bench, seeds: seeds).problems
            #expect(problems == ["p00", "p01", "p04", "p05"])
            // The run's seed is 5.
            #expect(seeds.all == [7])
        }
        try await withRounds(RunRounds(data: "replay")) { bench, second in
            let problems = try await inputs(second, bench).problems
            #expect(problems == ["p00", "p01", "p04", "p05"], "a quarter is the default")
        }
        try await withRounds(RunRounds(data: "replay", replayShare: 0)) { bench, second in
            let problems = try await inputs(second, bench).problems
            #expect(problems == ["p04", "p05"])
        }
    }

    @Test("a stage of a later round starts with one new example: what started the round is enough for it")
    func laterRounds() async throws {
        for data in ["new", "replay", "all"] {
            try await StageBench.with { bench in
                let first = ready(.templates(examples: 3), in: RunRounds(data: data), bench)
                try await bench.insert(first.run)
                try await bench.insertTemplates(0..<3)
                try await bench.start("templates", inputs: try await inputs(first, bench))
                let initial = bench.checkpoint("initial", of: first.run)
                try await bench.startRound(2, of: first.run, champion: initial, from: initial)
                func isReady() async throws -> Bool { try await bench.readyNames().contains("r1/2/templates") }
                #expect(try await isReady() == (data == "all"), "\(data): there is no new problem")
                try await bench.insert(problem: 3)
                #expect(try await isReady() == (data == "all"), "\(data): the new problem has no template")
                try await bench.insert(Sum(3).templateBody, problem: 3)
                #expect(try await isReady(), "\(data)")
            }
        }
    }

    @Test(
        "of a parent that has been one before, a round learns from the attempts made for it, and of others as its data says",
        arguments: [
            (nil, nil, [0, 3, 5, 6]), ("all", nil, [0, 3, 5, 6]), ("new", [5, 6], [5, 6]),
            ("replay", [0, 1, 5, 6], [0, 5, 6]),
        ] as [(String?, [Int]?, [Int])]
    )
    func attempts(data: String?, expected: [Int]?, corrected: [Int]) async throws {
        try await StageBench.with { bench in
            let stage = RunStage.corrections(parent: "champion")
            let ready = ready(stage, round: 2, in: RunRounds(data: data), bench)
            try await bench.insert(ready.run)
            for number in 0..<7 { try await bench.insert(problem: number, split: .rollout) }
            // Three of before, one of them of a version that did not tell the round; the shares are 0.1, 0.2 and 0.4, and a
            // quarter is replayed.
            let made: [(number: Int, round: Int?)] = [(0, 1), (1, nil), (3, 1), (5, 2), (6, 2)]
            try await bench.pool.withTransaction { transaction in
                for (number, round) in made {
                    let attempt = AttemptEvent(
                        id: "a-\(number)",
                        runId: ready.run.id,
                        checkpointId: ready.parent.id,
                        round: round,
                        problemId: Sum(number).id,
                        sample: 0,
                        output: Rollout.output(number),
                        correct: false,
                        promptFormat: "hierarchical-thought"
                    )
                    try await EvaluationStore.insert([attempt], in: transaction)
                }
                try await EvaluationStore.finishRollout(
                    checkpoint: ready.parent.id,
                    run: ready.run.id,
                    round: 2,
                    in: transaction
                )
            }
            let body = CorrectionBody(steps: ["a"], firstWrongStep: 0, cause: "c", correction: "d", answer: "1")
            for number in [0, 3, 5, 6] {
                try await bench.insert(
                    .correction(body),
                    id: "c-\(number)",
                    problem: number,
                    attempt: "a-\(number)",
                    run: ready.run.id
                )
            }
            let inputs = try await inputs(ready, bench)
            #expect(inputs.attempts == expected?.map { "a-\($0)" })
            #expect(inputs.corrections == corrected.map { "c-\($0)" })
            let snapshot = try await JobSnapshotStore.look(ready, inputs, from: bench.pool)
            let numbers = expected ?? made.map(\.number)
            #expect(snapshot.ids(.attempts) == numbers.map { "a-\($0)" })
            #expect(snapshot.ids(.attempted) == numbers.map { Sum($0).id })
            let progress = try #require(
                try await EvaluationStore.rolloutProgress(
                    checkpoint: ready.parent.id,
                    round: 2,
                    onlyOwn: data == "new",
                    from: bench.pool
                )
            )
            #expect(progress.attempted == 5)
            #expect(progress.wrong == (data == "new" ? 2 : 5) && progress.answered == (data == "new" ? 2 : 4))
        }
    }
}
