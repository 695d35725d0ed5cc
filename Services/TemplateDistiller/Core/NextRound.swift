import PostgresClient
import Schemas
import ServiceRuntime

/// The round that follows on one that is over.
struct NextRound: Sendable {
    let run: RunEvent
    let number: Int
    let champion: String
    let start: String
    let reason: String

    /// Works out what the round starts from.
    init(run: RunEvent, after last: RoundStore.Round, reason: String, from pool: PostgresPool) async throws {
        self.run = run
        self.reason = reason
        number = last.number + 1
        let initial = CheckpointEvent.id(run: run.id, round: 1, stage: RunStage.initial)
        champion = try await RoundStore.champion(of: run.id, from: pool) ?? initial
        start = run.rounds?.from == RunStage.initial ? initial : champion
    }

    /// Writes the round with its jobs, and asks for the roll-outs of parents that no stage of the round makes.
    func start(in transaction: PostgresTransaction) async throws {
        try await RoundStore.start(
            run,
            round: number,
            champion: champion,
            from: start,
            reason: reason,
            in: transaction
        )
        for (parent, checkpoint) in [(RunStage.initial, start), (RunStage.champion, champion)]
        where run.isRolledOut(parent, round: number) {
            try await EvaluationJobStore.insertRollout(
                checkpoint: checkpoint,
                run: run.id,
                round: number,
                in: transaction
            )
        }
    }
}
