import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Runs, jobs, checkpoints, evaluations and roll-outs in the database")
struct JobsStoreTests {
    private static let run = RunEvent(
        id: "r-1",
        name: "first",
        dataset: "d",
        seed: 7,
        student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
        stages: [
            RunStage(
                name: "hsft",
                supervised: SupervisedMethod([ExampleSource("templates")]),
                start: StageStart(examples: 10, waitSeconds: 30),
                training: TrainingBlock(epochs: 2)
            ),
            RunStage(
                name: "krsl",
                parent: "hsft",
                keySteps: KeyStepMethod(alpha: 1, beta: 0.025),
                start: StageStart(examples: 5)
            ),
            RunStage(name: "dpo", parent: "krsl", preferences: PreferenceMethod(layout: "prefix", beta: 0.1)),
            RunStage(
                name: "plain",
                supervised: SupervisedMethod([ExampleSource("rightChains")]),
                tokensOf: ["hsft", "krsl", "dpo"]
            ),
        ],
        rollout: RolloutOptions(limit: 100),
        suites: [EvaluationSuite(name: "held-out", dataset: "d", split: .test, expectedProblems: 2)]
    )

    private static func id(_ stage: String) -> StageID { StageID(run: "r-1", round: 1, stage: stage) }

    private static func checkpoint(_ stage: String, id: String) -> CheckpointEvent {
        CheckpointEvent(
            id: id,
            runId: "r-1",
            stage: stage,
            parentCheckpointId: "c-0",
            modelHash: "m-\(id)",
            path: "m/\(id)",
            tokensTrained: 1_234,
            steps: 20,
            finalLoss: 0.5,
            trainSeconds: 1.5
        )
    }

    @Test("a run comes back as it was, with one waiting job a stage, however often it is inserted")
    func runs() async throws {
        try await TestDatabase.withPool { pool in
            for _ in 0..<2 { try await pool.withTransaction { try await RunStore.insert(Self.run, in: $0) } }
            #expect(try await RunStore.run("r-1", from: pool) == Self.run)
            #expect(try await RunStore.run("r-2", from: pool) == nil)
            #expect(try await RunStore.runs(from: pool) == [Self.run])
            let jobs = try await JobStore.jobs(from: pool)
            #expect(Set(jobs.map(\.id)) == Set(["hsft", "krsl", "dpo", "plain"].map(Self.id)))
            #expect(jobs.count == 4)
            #expect(jobs.allSatisfy { $0.state == .waiting && !$0.hasInputs && $0.waitedSeconds >= 0 })
            #expect(try await JobStore.jobs(run: "r-2", from: pool).isEmpty)
            #expect(try await JobStore.jobs(states: [.running, .done], from: pool).isEmpty)
            let initial = CheckpointEvent.id(run: "r-1", round: 1, stage: "initial")
            let rounds = try await RoundStore.rounds(of: "r-1", from: pool)
            #expect(rounds.map(\.number) == [1] && rounds.map(\.champion) == [initial])
        }
    }

    @Test("a stage that somebody has begun is failed by no one who has not its lease")
    func refusedUnlessBegun() async throws {
        try await TestDatabase.withPool { pool in
            try await pool.withTransaction { transaction in
                try await RunStore.insert(Self.run, in: transaction)
                _ = try await JobStore.start(Self.id("hsft"), inputs: JobStore.Inputs(), in: transaction)
                for stage in ["hsft", "plain"] {
                    try await JobStore.failed(
                        Self.id(stage),
                        followers: Self.run.followers(of: stage),
                        error: "planted",
                        unlessBegun: true,
                        in: transaction
                    )
                }
            }
            #expect(try await JobStore.jobs(states: [.running], from: pool).map(\.id.stage) == ["hsft"])
            #expect(try await JobStore.jobs(states: [.failed], from: pool).map(\.id.stage) == ["plain"])
        }
    }

    @Test("a job goes from waiting over running and failed to done, and a checkpoint is what makes it done")
    func jobs() async throws {
        try await TestDatabase.withPool { pool in
            func job(_ stage: String) async throws -> JobStore.Job {
                try #require(try await JobStore.jobs(run: "r-1", from: pool).first { $0.id.stage == stage })
            }
            func start(_ stage: String, _ problems: [String] = []) async throws -> JobStore.Inputs? {
                try await pool.withTransaction {
                    try await JobStore.start(Self.id(stage), inputs: JobStore.Inputs(problems: problems), in: $0)
                }
            }
            func fail(_ stage: String, _ error: String) async throws {
                try await pool.withTransaction {
                    let followers = Self.run.followers(of: stage)
                    try await JobStore.failed(Self.id(stage), followers: followers, error: error, in: $0)
                }
            }
            func progress() async throws {
                try await pool.withTransaction {
                    try await JobStore.progressed(
                        Self.id("hsft"),
                        step: 3,
                        totalSteps: 20,
                        loss: 1.25,
                        tokens: 99,
                        in: $0
                    )
                }
            }
            try await pool.withTransaction { try await RunStore.insert(Self.run, in: $0) }
            // A waiting job has no progress.
            try await progress()
            #expect(try await job("hsft").step == 0)
            #expect(try await start("hsft", ["p-2", "p-1"]) == JobStore.Inputs(problems: ["p-1", "p-2"]))
            // What it learns from was written down the first time.
            #expect(try await start("hsft", ["p-3"]) == JobStore.Inputs(problems: ["p-1", "p-2"]))
            try await progress()
            let running = try await job("hsft")
            #expect(running.state == .running)
            #expect(running.step == 3)
            #expect(running.totalSteps == 20)
            #expect(running.loss == 1.25)
            #expect(running.tokens == 99)
            try await fail("hsft", "no templates")
            #expect(try await job("hsft").state == .failed)
            #expect(try await job("hsft").error == "no templates")
            // Nothing is to wait for ever.
            #expect(try await job("krsl").state == .failed)
            #expect(try #require(await job("krsl").error).contains("hsft"))
            #expect(try await job("plain").state == .failed)
            // What has failed is not begun again.
            #expect(try await start("krsl") == nil)

            let checkpoint = Self.checkpoint("hsft", id: "c-1")
            for _ in 0..<2 {
                try await pool.withTransaction { try await RunStore.insert(checkpoint, in: $0) }
            }
            #expect(try await RunStore.checkpoints(run: "r-1", from: pool) == [checkpoint])
            #expect(try await RunStore.checkpoints(run: "r-2", from: pool).isEmpty)
            let done = try await job("hsft")
            #expect(done.state == .done)
            #expect(done.step == 20)
            #expect(done.totalSteps == 20)
            #expect(done.loss == 0.5)
            #expect(done.tokens == 1_234)
            // Latecomers change nothing.
            #expect(try await start("hsft") == nil)
            try await fail("hsft", "late")
            try await progress()
            #expect(try await job("hsft").state == .done)
            #expect(try await job("hsft").step == 20)
            #expect(try await JobStore.jobs(states: [.done], from: pool).map(\.id.stage) == ["hsft"])
        }
    }

    @Test("a second checkpoint of a stage is refused whole")
    func secondCheckpoint() async throws {
        try await TestDatabase.withPool { pool in
            try await pool.withTransaction { try await RunStore.insert(Self.run, in: $0) }
            try await pool.withTransaction {
                try await RunStore.insert(Self.checkpoint("krsl", id: "c-1"), in: $0)
            }
            await #expect(throws: PostgresError.self) {
                try await pool.withTransaction {
                    try await RunStore.insert(Self.checkpoint("krsl", id: "c-2"), in: $0)
                }
            }
            #expect(try await RunStore.checkpoints(run: "r-1", from: pool).map(\.id) == ["c-1"])
        }
    }

    private static func insertProblems(_ ids: [String], into pool: PostgresPool) async throws {
        try await pool.withTransaction { transaction in
            try await RunStore.insert(run, in: transaction)
            for id in ids {
                let problem = ProblemEvent(id: id, dataset: "d", split: .rollout, question: "1+1?", answer: "2")
                try await ProblemStore.insert(problem, state: .ingested, in: transaction)
            }
        }
    }

    @Test("a roll-out has progress once it is whole, and counts the teacher's answers")
    func rollout() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblems(["p-1", "p-2", "p-3"], into: pool)
            let attempts = (1...3).map { index in
                AttemptEvent(
                    id: "a-\(index)",
                    runId: "r-1",
                    checkpointId: "c-1",
                    problemId: "p-\(index)",
                    sample: 0,
                    output: "so \(index)",
                    answer: "\(index)",
                    correct: index == 2,
                    promptFormat: "plain"
                )
            }
            #expect(try await EvaluationStore.rolloutProgress(checkpoint: "c-1", from: pool) == nil)
            for _ in 0..<2 {
                try await pool.withTransaction {
                    try await EvaluationStore.insert(attempts, in: $0)
                    try await EvaluationStore.finishRollout(checkpoint: "c-1", run: "r-1", round: 1, in: $0)
                }
            }
            var progress = try #require(try await EvaluationStore.rolloutProgress(checkpoint: "c-1", from: pool))
            #expect(progress.attempted == 3)
            #expect(progress.wrong == 2)
            #expect(progress.answered == 0)
            #expect(progress.verified == 0)
            #expect(try await EvaluationStore.attempts(checkpoint: "c-1", from: pool) == attempts)
            #expect(try await EvaluationStore.rolloutProgress(checkpoint: "c-1", round: 2, from: pool) == nil)
            for (index, isVerified) in [(1, true), (3, false)] {
                let trace = TraceEvent(
                    id: "t-\(index)",
                    problemId: "p-\(index)",
                    verified: isVerified,
                    failure: isVerified ? nil : "the answer is wrong",
                    body: .correction(
                        CorrectionBody(
                            steps: ["1+1=3"],
                            firstWrongStep: 0,
                            cause: "sum",
                            correction: "1+1=2",
                            answer: "2",
                            inspectorRounds: 1
                        )
                    ),
                    teacher: TeacherCall(
                        model: "m",
                        promptId: "p",
                        promptVersion: "1",
                        temperature: 0,
                        seed: 1,
                        calls: 1,
                        promptTokens: 1,
                        completionTokens: 1,
                        cost: nil,
                        latencyMs: 1,
                        finishReason: "stop"
                    ),
                    attemptId: "a-\(index)",
                    runId: "r-1"
                )
                try await pool.withTransaction { try await TraceStore.insert(trace, in: $0) }
            }
            progress = try #require(try await EvaluationStore.rolloutProgress(checkpoint: "c-1", from: pool))
            #expect(progress.answered == 2)
            #expect(progress.verified == 1)
            #expect(try await TraceStore.correctionIDs(checkpoint: "c-1", from: pool) == ["t-1", "t-3"])
        }
    }

    @Test("an evaluation comes back with its outcomes, and is written once")
    func evaluations() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertProblems(["p-1", "p-2"], into: pool)
            let evaluation = EvaluationEvent(
                id: "e-1",
                runId: "r-1",
                checkpointId: "c-1",
                stage: "hsft",
                suite: "held-out",
                problems: 2,
                correct: 1,
                accuracy: 0.5,
                interval: ConfidenceInterval(low: 0.1, high: 0.9),
                answered: 2,
                seconds: 3,
                comparisons: [],
                decoding: DecodingOptions(temperature: 0, maximumNewTokens: 64),
                graderVersion: "1"
            )
            let results = [
                EvaluationJobStore.Result(problemID: "p-1", correct: true, answer: "2", output: "so 2"),
                EvaluationJobStore.Result(problemID: "p-2", correct: false, answer: nil, output: "…"),
            ]
            func insert() async throws -> Bool {
                try await pool.withTransaction {
                    try await EvaluationJobStore.insert(results, evaluation: evaluation.id, in: $0)
                    return try await EvaluationStore.insert(evaluation, in: $0)
                }
            }
            #expect(try await insert())
            #expect(try await !insert())
            #expect(try await EvaluationStore.evaluations(run: "r-1", from: pool) == [evaluation])
            let outcomes = try await EvaluationStore.outcomes(checkpoint: "c-1", suite: "held-out", from: pool)
            #expect(outcomes == ["p-1": true, "p-2": false])
            let none = try await EvaluationStore.outcomes(checkpoint: "c-2", suite: "held-out", from: pool)
            #expect(none.isEmpty)
        }
    }
}

/// A run in rounds of two stages.
private let gatedRun = RunEvent(
    id: "r",
    name: "gated",
    dataset: "d",
    seed: 7,
    student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
    stages: ["a", "b"].map { name in
        RunStage(
            name: name,
            parent: name == "a" ? nil : "a",
            supervised: SupervisedMethod([ExampleSource("templates")]),
            start: StageStart(examples: 1)
        )
    },
    suites: [EvaluationSuite(name: "held-out", dataset: "d", split: .test, expectedProblems: 2)],
    rounds: RunRounds(),
    gate: RunGate(suite: "held-out")
)

private func insertGatedRun(into pool: PostgresPool, id: String = "r") async throws {
    var run = gatedRun
    run.id = id
    try await pool.withTransaction { [run] in try await RunStore.insert(run, in: $0) }
}

private func startRound(_ number: Int, champion: String, from start: String, in pool: PostgresPool) async throws {
    try await pool.withTransaction {
        try await RoundStore.start(
            gatedRun,
            round: number,
            champion: champion,
            from: start,
            reason: "planted",
            in: $0
        )
    }
}

@Suite("The state of runs, and stages round by round, in the database")
struct RunStateStoreTests {
    @Test("a run ends once, with the reason, and is no active one then")
    func end() async throws {
        try await TestDatabase.withPool { pool in
            for id in ["r", "s"] { try await insertGatedRun(into: pool, id: id) }
            func end(_ run: String, as state: RunStore.State, _ reason: String) async throws -> Bool {
                try await pool.withTransaction { try await RunStore.end(run, as: state, reason: reason, in: $0) }
            }
            #expect(try await RunStore.state(of: "none", from: pool) == nil)
            #expect(try await RunStore.state(of: "r", from: pool)?.state == .active)
            #expect(try await RunStore.state(of: "r", from: pool)?.reason == nil)
            #expect(try await end("r", as: .cancelled, "a typo"))
            #expect(try await !end("r", as: .finished, "too late"))
            #expect(try await !end("none", as: .cancelled, "nothing"))
            #expect(try await RunStore.state(of: "r", from: pool)?.state == .cancelled)
            #expect(try await RunStore.state(of: "r", from: pool)?.reason == "a typo")
            #expect(try await RunStore.runs(active: true, from: pool).map(\.id) == ["s"])
            #expect(try await RunStore.runs(from: pool).map(\.id) == ["r", "s"])
            #expect(Set(try await JobStore.jobs(active: true, from: pool).map(\.id.run)) == ["s"])
            #expect(try await JobStore.jobs(from: pool).count == 4)
        }
    }

    @Test("each round has jobs, inputs, failures and checkpoints of its own")
    func rounds() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            try await startRound(2, champion: "c", from: "c", in: pool)
            func start(_ round: Int, _ inputs: JobStore.Inputs) async throws -> JobStore.Inputs? {
                let id = StageID(run: "r", round: round, stage: "a")
                return try await pool.withTransaction { try await JobStore.start(id, inputs: inputs, in: $0) }
            }
            /// The states of the stages a and b in both rounds.
            func states() async throws -> [JobStore.State] {
                let jobs = try await JobStore.jobs(run: "r", from: pool)
                return jobs.sorted { ($0.id.round, $0.id.stage) < ($1.id.round, $1.id.stage) }.map(\.state)
            }
            let first = JobStore.Inputs(problems: ["p-1"], corrections: ["t-1", "t-2"])
            #expect(try await start(1, first) == first)
            #expect(try await start(2, JobStore.Inputs(problems: ["p-2"])) == JobStore.Inputs(problems: ["p-2"]))
            #expect(try await start(1, JobStore.Inputs(problems: ["p-9"])) == first)
            let jobs = try await JobStore.jobs(run: "r", from: pool).filter { $0.id.stage == "a" }
            #expect(jobs.map(\.hasInputs) == [true, true])
            try await pool.withTransaction {
                let id = StageID(run: "r", round: 2, stage: "a")
                try await JobStore.failed(id, followers: ["b"], error: "planted", in: $0)
            }
            #expect(try await states() == [.running, .waiting, .failed, .failed])
            func checkpoint(_ round: Int) -> CheckpointEvent {
                CheckpointEvent(
                    id: CheckpointEvent.id(run: "r", round: round, stage: "a"),
                    runId: "r",
                    stage: "a",
                    round: round,
                    parentCheckpointId: "c-0",
                    modelHash: "m-\(round)",
                    path: "m",
                    tokensTrained: 1,
                    steps: 1,
                    trainSeconds: 1
                )
            }
            try await pool.withTransaction { try await RunStore.insert(checkpoint(1), in: $0) }
            #expect(try await states() == [.done, .waiting, .failed, .failed])
            #expect(try await RunStore.checkpoint(run: "r", round: 1, stage: "a", from: pool)?.modelHash == "m-1")
            #expect(try await RunStore.checkpoint(run: "r", round: 2, stage: "a", from: pool) == nil)
        }
    }

    @Test("of the followers of a failed stage those fail that wait; one that is done stays so")
    func followers() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            try await pool.execute("UPDATE training_jobs SET state = 'done' WHERE stage = 'b'")
            let id = StageID(run: "r", round: 1, stage: "a")
            try await pool.withTransaction {
                try await JobStore.failed(id, followers: ["b"], error: "planted", in: $0)
            }
            let states = try await JobStore.jobs(run: "r", from: pool).map { [$0.id.stage, $0.state, $0.error ?? ""] }
            #expect(states == [["a", "failed", "planted"], ["b", "done", ""]])
        }
    }
}

@Suite("Rounds and verdicts in the database")
struct RoundStoreTests {
    private static func verdict(
        _ id: String,
        round: Int,
        _ decision: VerdictEvent.Decision,
        candidate: String? = nil,
        by: VerdictEvent.Decider = .gate
    ) -> VerdictEvent {
        VerdictEvent(
            id: id,
            runId: "r",
            round: round,
            decision: decision,
            by: by,
            reasons: ["planted"],
            candidateCheckpointId: candidate ?? "c-\(round)",
            championCheckpointId: "c-0"
        )
    }

    @Test("a round begins once, with a waiting job a stage, and ends once")
    func rounds() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            // Another champion for a round that is there changes nothing.
            for champion in ["c-1", "c-9"] { try await startRound(2, champion: champion, from: "c-0", in: pool) }
            let rounds = try await RoundStore.rounds(of: "r", from: pool)
            #expect(rounds.map(\.number) == [1, 2])
            #expect(rounds.last?.champion == "c-1" && rounds.last?.start == "c-0")
            #expect(rounds.allSatisfy { !$0.isOver && $0.secondsOver == 0 })
            let jobs = try await JobStore.jobs(run: "r", from: pool).filter { $0.id.round == 2 }
            #expect(jobs.map(\.id.stage) == ["a", "b"] && jobs.allSatisfy { $0.state == .waiting })
            func end() async throws {
                try await pool.withTransaction { try await RoundStore.end("r", round: 2, in: $0) }
            }
            try await end()
            try await pool.execute("UPDATE rounds SET ended_at = ended_at - interval '50 seconds' WHERE number = 2")
            // An end that comes again does not move it.
            try await end()
            let ended = try await RoundStore.rounds(of: "r", from: pool)
            #expect(ended.map(\.isOver) == [false, true])
            #expect((50..<3600).contains(ended.last?.secondsOver ?? 0))
            #expect(try await RoundStore.rounds(of: "none", from: pool).isEmpty)
        }
    }

    @Test("verdicts come back as they were, oldest first, and one is written once")
    func verdicts() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            var full = Self.verdict("v-2", round: 1, .promote)
            full.look = 1
            full.level = 0.025
            full.comparison = GateComparison(
                suite: "held-out",
                problems: 10,
                candidateCorrect: 9,
                championCorrect: 2,
                onlyCandidate: 8,
                onlyChampion: 1,
                pValue: 0.039_062_5
            )
            let other = Self.verdict("v-1", round: 1, .reject, by: .operator)
            for verdict in [full, other, full] {
                try await pool.withTransaction { try await RoundStore.insert(verdict, in: $0) }
            }
            #expect(try await RoundStore.verdicts(of: "r", from: pool) == [full, other])
        }
    }

    @Test("the champion is what the latest verdict of each round promoted, round by round")
    func champion() {
        func champion(_ verdicts: [VerdictEvent]) -> String { RoundStore.champion("c-0", after: verdicts) }
        #expect(champion([]) == "c-0")
        #expect(champion([Self.verdict("v", round: 1, .hold)]) == "c-0")
        #expect(champion([Self.verdict("v", round: 1, .promote)]) == "c-1")
        let two = [Self.verdict("v", round: 1, .promote), Self.verdict("w", round: 2, .promote)]
        #expect(champion(two) == "c-2")
        #expect(champion(two + [Self.verdict("x", round: 2, .reject, by: .operator)]) == "c-1")
        #expect(champion(two + [Self.verdict("x", round: 1, .reject, by: .operator)]) == "c-2")
        let overruled =
            two + [
                Self.verdict("x", round: 2, .reject, by: .operator),
                Self.verdict("y", round: 1, .reject, by: .operator),
            ]
        #expect(champion(overruled) == "c-0")
        #expect(champion(overruled + [Self.verdict("z", round: 2, .promote, by: .operator)]) == "c-2")
    }

    @Test("a run's champion is at first the untrained student; a run that was not taken up has none")
    func firstChampion() async throws {
        try await TestDatabase.withPool { pool in
            #expect(try await RoundStore.champion(of: "r", from: pool) == nil)
            try await insertGatedRun(into: pool)
            // SHA-256 of the parts with their lengths, as `DeterministicID` says; what earlier versions wrote has it too.
            let initial = "2cd7a86f-d27e-8387-b6ba-766279e415f9"
            #expect(try await RoundStore.champion(of: "r", from: pool) == initial)
            try await pool.withTransaction {
                try await RoundStore.insert(Self.verdict("v", round: 1, .promote), in: $0)
            }
            #expect(try await RoundStore.champion(of: "r", from: pool) == "c-1")
        }
    }

    @Test("checkpoints of the first round have the ids of earlier versions, those of later ones the round's number too")
    func ids() {
        #expect(CheckpointEvent.id(run: "r", round: 1, stage: "hsft") == "c0c95616-7379-880a-b912-3bc7ba3b2462")
        #expect(CheckpointEvent.id(run: "r", round: 2, stage: "hsft") == "fc0f34f8-2831-8fca-8d3f-775514dae362")
    }
}

@Suite("Evaluations in pieces in the database")
struct EvaluationJobStoreTests {
    private static func checkpoint(_ id: String, run: String = "r", round: Int? = nil) -> CheckpointEvent {
        CheckpointEvent(
            id: id,
            runId: run,
            stage: "a",
            round: round,
            parentCheckpointId: "c-0",
            modelHash: "m",
            path: "m",
            tokensTrained: 1,
            steps: 1,
            trainSeconds: 1
        )
    }

    private static func jobs(_ pool: PostgresPool) async throws -> [EvaluationJobStore.Job] {
        try await EvaluationJobStore.jobs(unfinished: true, from: pool)
    }

    /// Asks for the scoring of the checkpoint `c-1`; gives the job's id.
    private static func ask(_ pool: PostgresPool) async throws -> String {
        try await insertGatedRun(into: pool)
        try await pool.withTransaction {
            try await EvaluationJobStore.insert(suite: "held-out", checkpoint: checkpoint("c-1"), in: $0)
        }
        return EvaluationJobStore.evaluationID(checkpoint: "c-1", suite: "held-out")
    }

    @Test("a checkpoint's scoring is asked for once, and waits under the id of the evaluation that comes of it")
    func scoring() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            // As earlier versions made it, so that none is done twice.
            #expect(id == "7ca57bf8-ce1a-8076-8ea7-532dfe15382f")
            _ = try await Self.ask(pool)
            let job = try #require(try await Self.jobs(pool).first)
            #expect(try await Self.jobs(pool).count == 1)
            #expect(job.id == id && job.run == "r" && job.checkpoint == "c-1" && job.suite == "held-out")
            #expect(job.state == .waiting && job.reason == nil && job.waitedSeconds >= 0 && job.shots == [])
        }
    }

    @Test("a checkpoint is rolled out once a round")
    func rollouts() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            for round in [1, 2, 2] {
                try await pool.withTransaction {
                    try await EvaluationJobStore.insertRollout(checkpoint: "c-1", run: "r", round: round, in: $0)
                }
            }
            let jobs = try await Self.jobs(pool)
            #expect(jobs.map(\.round) == [1, 2] && jobs.allSatisfy { $0.suite == nil && $0.checkpoint == "c-1" })
            #expect(Set(jobs.map(\.id)).count == 2)
        }
    }

    @Test("a job's problems are divided once, in order, with what is shown before them")
    func pieces() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            func open(_ problems: [String], shots: [String]) async throws {
                try await pool.withTransaction {
                    try await EvaluationJobStore.open(id, problems: problems, shots: shots, pieceSize: 2, in: $0)
                }
            }
            try await open(["p-5", "p-1", "p-4", "p-2", "p-3"], shots: ["s-2", "s-1"])
            // Another evaluator that saw it wait opens it once more: what was opened first counts.
            try await open(["p-9"], shots: [])
            #expect(try await Self.jobs(pool).map(\.state) == [.open])
            #expect(try await Self.jobs(pool).map(\.shots) == [["s-2", "s-1"]])
            let pieces = try await EvaluationJobStore.pieces(of: id, from: pool)
            #expect(pieces.map(\.problems) == [["p-5", "p-1"], ["p-4", "p-2"], ["p-3"]])
            #expect(pieces.map(\.number) == [0, 1, 2] && pieces.map(\.offset) == [0, 2, 4])
            #expect(pieces.allSatisfy { $0.seconds == nil })
            try await pool.withTransaction {
                try await EvaluationJobStore.finish(piece: 1, of: id, seconds: 2.5, in: $0)
            }
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).map(\.seconds) == [nil, 2.5, nil])
        }
    }

    @Test("a job without problems is open without pieces")
    func noProblems() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            try await pool.withTransaction {
                try await EvaluationJobStore.open(id, problems: [], pieceSize: 2, in: $0)
            }
            #expect(try await Self.jobs(pool).map(\.state) == [.open])
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).isEmpty)
        }
    }

    @Test(
        "a job ends done or left out, once, and is not among the unfinished then",
        arguments: [nil, "no problems came"]
    )
    func finish(reason: String?) async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            func finish(_ reason: String?) async throws {
                try await pool.withTransaction { try await EvaluationJobStore.finish(id, leftOut: reason, in: $0) }
            }
            try await finish(reason)
            try await finish("too late")
            #expect(try await Self.jobs(pool).isEmpty)
            let job = try #require(try await EvaluationJobStore.jobs(run: "r", from: pool).first)
            #expect(job.state == (reason == nil ? .done : .leftOut) && job.reason == reason)
            #expect(try await EvaluationJobStore.jobs(run: "s", from: pool).isEmpty)
            // What has ended is not opened again.
            try await pool.withTransaction {
                try await EvaluationJobStore.open(id, problems: ["p-1"], pieceSize: 2, in: $0)
            }
            #expect(try await Self.jobs(pool).isEmpty)
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).isEmpty)
        }
    }

    @Test("the jobs of a run that has ended are not done")
    func endedRun() async throws {
        try await TestDatabase.withPool { pool in
            _ = try await Self.ask(pool)
            _ = try await pool.withTransaction {
                try await RunStore.end("r", as: .cancelled, reason: "planted", in: $0)
            }
            #expect(try await Self.jobs(pool).isEmpty)
            #expect(try await EvaluationJobStore.jobs(run: "r", from: pool).map(\.state) == [.waiting])
        }
    }

    @Test("results come back as they were, in order of the problem, with the second pass where there is one")
    func results() async throws {
        try await TestDatabase.withPool { pool in
            var first = EvaluationJobStore.Result(
                problemID: "p-2",
                correct: false,
                answer: nil,
                output: "So it",
                truncated: true,
                tokens: 24
            )
            first.second = .init(output: "No: 3.", correct: true, readable: true, named: false)
            let second = EvaluationJobStore.Result(
                problemID: "p-1",
                correct: true,
                answer: "2",
                output: "So 2.",
                tokens: 3
            )
            func insert(_ results: [EvaluationJobStore.Result]) async throws {
                try await pool.withTransaction { try await EvaluationJobStore.insert(results, evaluation: "e", in: $0) }
            }
            try await insert([first, second])
            // A piece that is done again changes nothing.
            try await insert([
                EvaluationJobStore.Result(problemID: "p-1", correct: false, answer: nil, output: "Other.")
            ])
            #expect(try await EvaluationJobStore.results(of: "e", from: pool) == [second, first])
            #expect(try await EvaluationJobStore.results(of: "none", from: pool).isEmpty)
        }
    }
}
