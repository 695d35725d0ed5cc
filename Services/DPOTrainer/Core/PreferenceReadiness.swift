import PostgresClient
import Schemas
import ServiceRuntime

/// Which runs are ready for DPO.
struct PreferenceReadiness: Sendable {
    let pool: PostgresPool

    /// Runs whose stage-one student has attempted its problems and whose wrong attempts the teacher has answered: all of
    /// them, or as many as the run's threshold asks for, or what is there when no answer came for the longest wait.
    func ready() async throws -> [ReadyStage] {
        var result: [ReadyStage] = []
        for job in try await RunStore.jobs(states: ["waiting", "running"], from: pool) where job.stage == .dpo {
            guard let run = try await RunStore.run(job.runID, from: pool),
                let parent = try await RunStore.checkpoints(run: run.id, from: pool)
                    .first(where: { $0.stage == run.stageOneFinal }),
                let rollout = try await EvaluationStore.rolloutProgress(run: run.id, from: pool)
            else { continue }
            let enough = run.thresholds.corrections.map { rollout.verified >= $0 } ?? false
            // An attempt that the teacher fails on for good is never answered; the others must not wait for it for ever.
            let waited = rollout.verified > 0 && rollout.waitedSeconds >= run.thresholds.maximumWaitSeconds
            if rollout.answered >= rollout.wrong || enough || waited {
                // The stage-one checkpoint is the policy's start and, frozen, the reference.
                result.append(ReadyStage(run: run, stage: .dpo, parent: parent))
            }
        }
        return result
    }
}
