public import PostgresClient
import Schemas

/// What a stage learns from, as the database stands now; written down when the stage starts.
public struct StageInputs: Sendable {
    private let pool: PostgresPool
    private let share: @Sendable (_ id: String, _ seed: UInt64) -> Double

    /// Creates a look at the database.
    ///
    /// Arguments:
    ///   - share: a number of a problem and a seed, spread evenly over 0 to 1: those below the replay share are replayed.
    public init(pool: PostgresPool, share: @escaping @Sendable (_ id: String, _ seed: UInt64) -> Double) {
        self.pool = pool
        self.share = share
    }

    /// The ids of a ready stage's problems and corrections.
    public func inputs(of ready: ReadyStage) async throws -> JobStore.Inputs {
        var inputs = JobStore.Inputs()
        func problems(onlyNew: Bool, limited: Bool = true) async throws -> [String] {
            var selection = TrainingSelection(ready.stage, of: ready.run, round: ready.round, onlyNew: onlyNew)
            if !limited { selection.limit = nil }
            return try await ProblemStore.ids(selection, from: pool)
        }
        switch ready.run.rounds?.data ?? "all" {
        case "new": inputs.problems = try await problems(onlyNew: true)
        case "replay":
            let new = Set(try await problems(onlyNew: true))
            let allNew = Set(try await problems(onlyNew: true, limited: false))
            // The limit bounds the new ones.
            inputs.problems = try await problems(onlyNew: false, limited: false).filter {
                new.contains($0) || !allNew.contains($0) && isReplayed($0, in: ready)
            }
        default: inputs.problems = try await problems(onlyNew: false)
        }
        if ready.stage.needsRollout { inputs.attempts = try await attempts(of: ready) }
        if ready.stage.needsCorrections {
            inputs.corrections = try await TraceStore.correctionIDs(
                checkpoint: ready.parent.id,
                attempts: inputs.attempts,
                from: pool
            )
        }
        return inputs
    }

    /// The attempts of the parent that the round learns from; nil for all.
    ///
    /// One that was the parent in an earlier round too, as no candidate took its place, has attempts of that one, which were
    /// learned from then.
    private func attempts(of ready: ReadyStage) async throws -> [String]? {
        guard let rounds = ready.run.rounds, rounds.learnsFromNew else { return nil }
        return try await EvaluationStore.attemptPlaces(checkpoint: ready.parent.id, from: pool).filter {
            $0.round == ready.round || rounds.data == "replay" && isReplayed($0.problem, in: ready)
        }.map(\.id)
    }

    /// Whether a problem of before is among those that a round learns from once more; each round draws anew.
    private func isReplayed(_ problem: String, in ready: ReadyStage) -> Bool {
        let replayed = ready.run.rounds?.replayShare ?? RunRounds.defaultReplayShare
        return share(problem, ready.run.seed &+ UInt64(ready.round)) < replayed
    }
}
