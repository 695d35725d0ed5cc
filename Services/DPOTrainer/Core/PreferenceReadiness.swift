import PostgresClient
public import Schemas
import ServiceRuntime

/// A run whose corrections are in, so that cross-model DPO can begin.
public struct ReadyPreferences: Sendable {
    /// The run.
    public let run: RunEvent
    /// The stage-one checkpoint: the policy's start and, frozen, the reference.
    public let parent: CheckpointEvent
}

/// Which runs are ready for DPO.
struct PreferenceReadiness: Sendable {
    let pool: PostgresPool

    /// Runs whose stage-one student has attempted its problems and whose wrong attempts the teacher has answered: all of
    /// them, or as many as the run's threshold asks for, or what is there when the run has waited long enough.
    func ready() async throws -> [ReadyPreferences] {
        var result: [ReadyPreferences] = []
        for job in try await RunStore.jobs(states: ["waiting", "running"], from: pool) where job.stage == .dpo {
            guard let run = try await RunStore.run(job.runID, from: pool),
                let parent = try await RunStore.checkpoints(run: run.id, from: pool)
                    .first(where: { $0.stage == run.stageOneFinal }),
                let rollout = try await EvaluationStore.rolloutProgress(run: run.id, from: pool)
            else { continue }
            let enough = run.thresholds.corrections.map { rollout.verified >= $0 } ?? false
            if rollout.answered >= rollout.wrong || enough {
                result.append(ReadyPreferences(run: run, parent: parent))
            }
        }
        return result
    }
}
