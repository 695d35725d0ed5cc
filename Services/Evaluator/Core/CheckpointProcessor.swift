import Distillation
import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
import Reasoning
public import Schemas
public import ServiceRuntime
import Tokenization

/// Scores each checkpoint on the run's suites, and lets the stage-one student attempt the problems held back for it.
public struct CheckpointProcessor: EventProcessor {
    private let pool: PostgresPool
    private let store: ModelStore
    private let logger: Logger

    /// Creates a processor.
    public init(pool: PostgresPool, store: ModelStore, logger: Logger) {
        self.pool = pool
        self.store = store
        self.logger = logger
    }

    /// The consumer group.
    public var consumerName: String { "evaluator" }
    /// The topics that are read.
    public var topics: [Topic] { [.checkpoints] }

    /// Scores a checkpoint, and rolls the stage-one student out.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        let checkpoint = try event.decode(CheckpointEvent.self)
        guard let run = try await RunStore.run(checkpoint.runId, from: pool) else {
            throw EvaluatorError.runNotThere(checkpoint.runId)
        }
        var evaluations: [(event: EvaluationEvent, results: [EvaluationStore.Result])] = []
        for suite in run.suites {
            let problems = try await problems(of: suite)
            evaluations.append(try await evaluate(checkpoint, run: run, suite: suite, problems: problems))
        }
        var attempts: [AttemptEvent]?
        if checkpoint.stage == run.stageOneFinal, run.stages.dpo != nil {
            attempts = try await rollOut(checkpoint, run: run)
        }
        let outgoing =
            try evaluations.map { try OutgoingEvent($0.event, source: "/errata/evaluator", time: Date()) }
            + (attempts ?? []).map { try OutgoingEvent($0, source: "/errata/evaluator", time: Date()) }
        return Effects(events: outgoing) { [evaluations, attempts] transaction in
            for (event, results) in evaluations {
                try await EvaluationStore.insert(event, results: results, in: transaction)
            }
            if let attempts {
                try await EvaluationStore.insertRollout(
                    checkpoint: checkpoint.id,
                    run: run.id,
                    attempts: attempts,
                    in: transaction
                )
            }
        }
    }

    // MARK: Suites

    private func problems(of suite: EvaluationSuite) async throws -> [ProblemEvent] {
        let problems = try await ProblemStore.problems(dataset: suite.dataset, split: suite.split, from: pool)
        guard problems.count >= suite.expectedProblems else {
            throw EvaluatorError.suiteIncomplete(suite.name, have: problems.count, want: suite.expectedProblems)
        }
        return problems
    }

    private func evaluate(
        _ checkpoint: CheckpointEvent,
        run: RunEvent,
        suite: EvaluationSuite,
        problems: [ProblemEvent]
    ) async throws -> (event: EvaluationEvent, results: [EvaluationStore.Result]) {
        let decoding = run.decoding ?? DecodingOptions(temperature: 0, maximumNewTokens: 512)
        let folder = try store.folder(checkpoint.modelHash)
        let format: StudentFormat = checkpoint.stage == .plain ? .chainOfThought : .hierarchicalThought
        let tasks = problems.map { StudentSolver.Task(question: $0.question, gold: $0.answer) }
        let started = ContinuousClock.now
        let (outcomes, corrected) = try await DedicatedThread.run(name: "evaluate") { isCancelled in
            let solver = try Self.solver(folder)
            let parameters = GenerationParameters(decoding)
            let stop: (Int) throws -> Void = { _ in if isCancelled() { throw CancellationError() } }
            guard decoding.selfCorrection == true else {
                let outcomes = try solver.solve(tasks, format: format, parameters: parameters, onFinish: stop)
                return (outcomes, [StudentSolver.CorrectedOutcome]?.none)
            }
            let both = try solver.solveAndCorrect(tasks, format: format, parameters: parameters, onFinish: stop)
            return (both.map(\.first), both)
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let results = zip(problems, outcomes).map { problem, outcome in
            EvaluationStore.Result(
                problemID: problem.id,
                correct: outcome.correct,
                answer: outcome.answer,
                output: StudentSolver.storable(outcome.output)
            )
        }
        let correct = results.count(where: \.correct)
        let event = EvaluationEvent(
            id: DeterministicID.make(cause: checkpoint.id, parts: "evaluation", suite.name),
            runId: run.id,
            checkpointId: checkpoint.id,
            stage: checkpoint.stage,
            suite: suite.name,
            problems: results.count,
            correct: correct,
            accuracy: Double(correct) / Double(max(1, results.count)),
            interval: ConfidenceInterval(successes: correct, trials: results.count),
            answered: results.count { $0.answer != nil },
            seconds: seconds,
            comparisons: try await comparisons(of: results, run: run, checkpoint: checkpoint, suite: suite),
            decoding: decoding,
            graderVersion: StudentSolver.graderVersion,
            selfCorrection: corrected.map { SelfCorrectionScore(SelfCorrectionGain($0)) }
        )
        logger.info(
            "evaluated",
            metadata: [
                "run": "\(run.id)", "stage": "\(checkpoint.stage.rawValue)", "suite": "\(suite.name)",
                "correct": "\(correct)", "problems": "\(results.count)", "seconds": "\(seconds)",
            ]
        )
        return (event, results)
    }

    /// Exact McNemar tests against every checkpoint of the run that was scored on the suite before.
    private func comparisons(
        of results: [EvaluationStore.Result],
        run: RunEvent,
        checkpoint: CheckpointEvent,
        suite: EvaluationSuite
    ) async throws -> [PairedComparison] {
        var comparisons: [PairedComparison] = []
        for earlier in try await EvaluationStore.evaluations(run: run.id, from: pool)
        where earlier.suite == suite.name && earlier.checkpointId != checkpoint.id {
            let outcomes = try await EvaluationStore.outcomes(
                run: run.id,
                stage: earlier.stage,
                suite: suite.name,
                from: pool
            )
            let onlyThis = results.count { $0.correct && outcomes[$0.problemID] == false }
            let onlyOther = results.count { !$0.correct && outcomes[$0.problemID] == true }
            comparisons.append(
                PairedComparison(
                    againstCheckpointId: earlier.checkpointId,
                    againstStage: earlier.stage,
                    onlyThis: onlyThis,
                    onlyOther: onlyOther,
                    pValue: ExactMcNemar.pValue(onlyFirst: onlyThis, onlySecond: onlyOther)
                )
            )
        }
        return comparisons
    }

    // MARK: Roll-outs

    /// Samples solutions of the problems held back from stage one, and the student's own correction of the wrong ones.
    private func rollOut(_ checkpoint: CheckpointEvent, run: RunEvent) async throws -> [AttemptEvent] {
        let options = run.rollout
        let problems = try await ProblemStore.problems(
            dataset: run.dataset,
            split: options.split,
            limit: options.limit,
            from: pool
        )
        let folder = try store.folder(checkpoint.modelHash)
        var parameters = GenerationParameters(run.decoding ?? DecodingOptions(temperature: 0, maximumNewTokens: 512))
        parameters.temperature = options.temperature
        parameters.seed = run.seed
        return try await DedicatedThread.run(name: "roll-out") { [parameters] isCancelled in
            try Self.solver(folder).attempts(
                at: problems,
                samples: options.samples,
                format: .hierarchicalThought,
                parameters: parameters,
                runID: run.id,
                checkpointID: checkpoint.id
            ) { _ in
                if isCancelled() { throw CancellationError() }
            }
        }
    }

    private static func solver(_ folder: URL) throws -> StudentSolver {
        StudentSolver(
            // Generating from stored bfloat16 gives the same bits as from a float32 copy.
            model: try CausalLanguageModel.load(folder: folder, weights: .asStored),
            codec: try StudentCodec(try Tokenizer(folder: folder))
        )
    }
}

/// Why a checkpoint cannot be evaluated yet; both causes mend themselves, so the message is tried again.
enum EvaluatorError: Error, CustomStringConvertible {
    case runNotThere(String)
    case suiteIncomplete(String, have: Int, want: Int)

    var description: String {
        switch self {
        case .runNotThere(let id): "the run \(id) is not in the database yet"
        case .suiteIncomplete(let name, let have, let want):
            "suite '\(name)' has \(have) of \(want) problems; submit the rest or correct expectedProblems"
        }
    }
}

extension ConfidenceInterval {
    /// Wilson's 95 % interval.
    init(successes: Int, trials: Int) {
        let interval = WilsonInterval(successes: successes, trials: trials)
        self.init(low: interval.low, high: interval.high)
    }
}

extension SelfCorrectionScore {
    /// The score of a second pass.
    init(_ gain: SelfCorrectionGain) {
        self.init(
            correct: gain.correct,
            accuracy: Double(gain.correct) / Double(max(1, gain.tasks)),
            interval: ConfidenceInterval(successes: gain.correct, trials: gain.tasks),
            changedToRight: gain.changedToRight,
            changedToWrong: gain.changedToWrong,
            readable: gain.readable,
            named: gain.named
        )
    }
}

extension GenerationParameters {
    /// Decoding as a run's event gives it.
    init(_ options: DecodingOptions) {
        self.init(
            maximumNewTokens: options.maximumNewTokens,
            temperature: options.temperature,
            topK: options.topK ?? 0,
            topP: options.topP ?? 1,
            repetitionPenalty: options.repetitionPenalty ?? 1,
            seed: options.seed ?? 0
        )
    }
}
