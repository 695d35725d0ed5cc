public import PostgresClient
public import Schemas
public import ServiceRuntime

/// Asks for each checkpoint's scoring on the run's suites, and for its roll-out where other stages learn from its attempts;
/// ``EvaluationWork`` does what is asked for.
public struct CheckpointProcessor: EventProcessor {
    private let pool: PostgresPool

    /// Creates a processor.
    public init(pool: PostgresPool) { self.pool = pool }

    /// The consumer group.
    public var consumerName: String { "evaluator" }
    /// The topics that are read.
    public var topics: [Topic] { [.checkpoints] }

    /// Writes down what is to be done for a checkpoint.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        let checkpoint = try event.decode(CheckpointEvent.self)
        guard let run = try await RunStore.run(checkpoint.runId, from: pool) else {
            throw EvaluatorError.runNotThere(checkpoint.runId)
        }
        return Effects { transaction in
            for suite in run.suites where suite.scores(checkpoint.stage) {
                try await EvaluationJobStore.insert(suite: suite.name, checkpoint: checkpoint, in: transaction)
            }
            // In its first round the untrained student is the champion too.
            let isInitial = checkpoint.stage == RunStage.initial
            let round = checkpoint.round ?? 1
            if run.isRolledOut(checkpoint.stage, round: round)
                || isInitial && run.isRolledOut(RunStage.champion, round: round)
            {
                try await EvaluationJobStore.insertRollout(
                    checkpoint: checkpoint.id,
                    run: run.id,
                    round: round,
                    in: transaction
                )
            }
        }
    }
}

/// Why a checkpoint cannot be evaluated yet; the cause mends itself, so the message is tried again.
enum EvaluatorError: Error, CustomStringConvertible {
    case runNotThere(String)

    var description: String {
        switch self {
        case .runNotThere(let id): "the run \(id) is not in the database yet"
        }
    }
}
