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
