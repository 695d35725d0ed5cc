public import PostgresClient
import Schemas

/// What the stages of active runs wait for, in words for people.
public enum StageWaiting {
    /// A stage that is not being trained, and why.
    public struct Reason: Sendable, Hashable {
        /// The stage.
        public let id: StageID
        /// The run's name.
        public let runName: String
        /// What it waits for.
        public let what: String
    }

    /// The waiting stages of active runs, in order.
    public static func reasons(from pool: PostgresPool) async throws -> [Reason] {
        let readiness = StageReadiness(pool: pool) { _ in true }
        let candidates = try await readiness.candidates().filter { $0.job.state == .waiting }
        let ready = Set(try await readiness.ready(among: candidates).map(\.id))
        var reasons: [Reason] = []
        for candidate in candidates {
            let what =
                ready.contains(candidate.job.id)
                ? "a trainer: it can be trained now" : try await missing(candidate, readiness, from: pool)
            reasons.append(Reason(id: candidate.job.id, runName: candidate.run.name, what: what))
        }
        return reasons
    }

    /// What a stage that is not ready lacks.
    private static func missing(
        _ candidate: StageReadiness.Candidate,
        _ readiness: StageReadiness,
        from pool: PostgresPool
    ) async throws -> String {
        let (job, stage) = (candidate.job, candidate.stage)
        guard let parent = try await readiness.parent(of: stage, job.id) else {
            return "its parent, \(stage.parentName)"
        }
        for name in stage.tokensOf ?? [] {
            let done = try await RunStore.checkpoint(run: job.id.run, round: job.id.round, stage: name, from: pool)
            if done == nil { return "the tokens of stage \(name)" }
        }
        let patience = Int(stage.start?.waitSeconds ?? StageStart.defaultWait)
        if stage.needsRollout {
            guard
                let rollout = try await EvaluationStore.rolloutProgress(
                    checkpoint: parent.checkpoint.id,
                    round: job.id.round,
                    onlyOwn: candidate.run.rounds?.learnsFromNew ?? false,
                    from: pool
                )
            else { return "the roll-out of \(stage.parentName)" }
            return
                "corrections: \(rollout.answered) of \(rollout.wrong) wrong attempts are answered, \(rollout.verified) "
                + "verified; it goes on after \(patience) s without one"
        }
        let examples = try await readiness.examples(for: stage, of: candidate.run, round: job.id.round)
        return
            "examples: \(examples.found) of \(examples.wanted) are there; it goes on after \(patience) s with what there is"
    }
}
