import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing

@testable import TemplateDistillerCore

extension StageBench {
    /// Lets the service process a message, and applies what comes of it.
    @discardableResult
    func process(_ payload: some EventPayload) async throws -> Effects {
        let processor = RunProcessor(pool: pool, store: store, logger: LogBook().logger)
        let effects = try await processor.process(try StageBench.received(payload))
        try await pool.withTransaction { try await effects.apply($0) }
        return effects
    }

    /// Why an order is refused.
    func refusal(_ action: RunControlEvent.Action, of run: String = "r1", round: Int? = nil) async -> PermanentFailure?
    {
        let order = RunControlEvent(id: "refused", runId: run, action: action, round: round)
        return await #expect(throws: PermanentFailure.self) { try await process(order) }
    }
}

/// A run with a gate on ten problems, whose students' scores are planted.
struct GateBench {
    let bench: StageBench
    let run: RunEvent
    let log = LogBook()

    static func with(
        stages: [RunStage] = [.templates()],
        suites: [EvaluationSuite] = [.ofTen()],
        rounds: RunRounds? = RunRounds(),
        gate: RunGate? = RunGate(suite: "held-out", stage: "templates"),
        _ body: (GateBench) async throws -> Void
    ) async throws {
        try await StageBench.with { bench in
            let run = bench.run(name: "first run", stages: stages, suites: suites, rounds: rounds, gate: gate)
            try await bench.insert(run)
            try await body(GateBench(bench: bench, run: run))
        }
    }

    var keeper: RoundKeeper { RoundKeeper(pool: bench.pool, store: bench.store, logger: log.logger) }
    var initial: CheckpointEvent { bench.checkpoint("initial", of: run) }

    /// What the keeper would do now, in a word.
    func next() async throws -> String? {
        let work = try await keeper.ready()
        #expect(work.count <= 1)
        switch work.first {
        case .judge: return "judge"
        case .giveUp: return "give up"
        case .next: return "next"
        case .finish: return "finish"
        case .name: return "name"
        case nil: return nil
        }
    }

    /// Lets the keeper work until a condition holds.
    func keep(_ what: String, until condition: () async throws -> Bool) async throws {
        try await whileRunning(keeper.runner(holder: "keeper", interval: .milliseconds(5))) {
            try await eventually(what, condition)
        }
    }

    /// Lets the keeper judge a round.
    func judge(round: Int = 1) async throws -> VerdictEvent {
        try await keep("the verdict") {
            guard try await verdicts().contains(where: { $0.round == round }) else { return false }
            // Its work is not over before its lease is given back; asked for in this order, as there is none before it is taken.
            return try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0
        }
        return try #require(try await verdicts().first { $0.round == round })
    }

    func verdicts() async throws -> [VerdictEvent] { try await RoundStore.verdicts(of: run.id, from: bench.pool) }

    func rounds() async throws -> [RoundStore.Round] { try await RoundStore.rounds(of: run.id, from: bench.pool) }

    func state() async throws -> RunStore.State? { try await RunStore.state(of: run.id, from: bench.pool)?.state }

    /// Lets the keeper work until a model has a name, and that is noted.
    func keepNamed(_ name: String, _ hash: String) async throws {
        try await keep("the name \(name)") {
            guard try names()[name] == hash else { return false }
            return try await bench.pool.value("SELECT count(*) FROM verdicts WHERE named_at IS NULL", as: Int.self) == 0
        }
    }

    /// The models that the run's names stand for.
    func names() throws -> [String: String] { try bench.store.names() }

    // MARK: What other services write

    /// A model in the store that is no one else's.
    func model(_ content: String) throws -> String {
        try bench.store.make { try Data(content.utf8).write(to: $0.appending(path: "weights")) }.hash
    }

    /// A checkpoint of a stage with a model of its own, which ends the stage.
    @discardableResult
    func train(_ stage: String = "templates", round: Int = 1) async throws -> CheckpointEvent {
        let checkpoint = bench.checkpoint(
            stage,
            of: run,
            round: round,
            modelHash: try model("\(stage) of round \(round)")
        )
        try await bench.insert(checkpoint)
        return checkpoint
    }

    /// Asks for the scoring of a checkpoint on a suite.
    func ask(_ checkpoint: CheckpointEvent, on suite: String = "held-out") async throws {
        try await bench.pool.withTransaction {
            try await EvaluationJobStore.insert(suite: suite, checkpoint: checkpoint, in: $0)
        }
    }

    /// Scores a checkpoint: of ten problems it solves those whose numbers are given.
    func score(_ checkpoint: CheckpointEvent, solves: some Sequence<Int>, on suite: String = "held-out") async throws {
        let solved = Set(solves)
        let results = (0..<10).map { number in
            EvaluationJobStore.Result(
                problemID: "t\(number)",
                correct: solved.contains(number),
                answer: "1",
                output: "So 1."
            )
        }
        let evaluation = EvaluationEvent(
            id: EvaluationJobStore.evaluationID(checkpoint: checkpoint.id, suite: suite),
            runId: run.id,
            checkpointId: checkpoint.id,
            stage: checkpoint.stage,
            round: checkpoint.round,
            suite: suite,
            problems: 10,
            correct: solved.count,
            accuracy: Double(solved.count) / 10,
            interval: ConfidenceInterval(low: 0, high: 1),
            answered: 10,
            seconds: 1,
            decoding: DecodingOptions(maximumNewTokens: 24),
            graderVersion: "1"
        )
        try await ask(checkpoint, on: suite)
        try await bench.pool.withTransaction { transaction in
            try await EvaluationJobStore.insert(results, evaluation: evaluation.id, in: transaction)
            _ = try await EvaluationStore.insert(evaluation, in: transaction)
            try await EvaluationJobStore.finish(evaluation.id, in: transaction)
        }
    }

    /// Leaves a checkpoint's scoring out.
    func leaveOut(_ checkpoint: CheckpointEvent, on suite: String = "held-out") async throws {
        try await ask(checkpoint, on: suite)
        try await bench.pool.withTransaction {
            try await EvaluationJobStore.finish(
                EvaluationJobStore.evaluationID(checkpoint: checkpoint.id, suite: suite),
                leftOut: "none of its 10 problems came",
                in: $0
            )
        }
    }

    /// Fails a stage.
    func fail(_ stage: String = "templates", round: Int = 1) async throws {
        try await bench.pool.withTransaction {
            try await JobStore.failed(
                StageID(run: run.id, round: round, stage: stage),
                followers: run.followers(of: stage),
                error: "planted",
                in: $0
            )
        }
    }

    /// Notes what a stage learned from.
    func learn(_ problems: [String], stage: String = "templates", round: Int = 1) async throws {
        _ = try await bench.pool.withTransaction {
            try await JobStore.start(
                StageID(run: run.id, round: round, stage: stage),
                inputs: JobStore.Inputs(problems: problems),
                in: $0
            )
        }
    }
}
