import PostgresClient
import Schemas
import ServiceRuntime

/// Which stages of which runs can be trained now.
struct StageReadiness: Sendable {
    let pool: PostgresPool

    /// Stages whose data and parent checkpoint are there.
    func ready() async throws -> [ReadyStage] {
        var result: [ReadyStage] = []
        for job in try await RunStore.jobs(states: ["waiting", "running"], from: pool) {
            guard [.hsft, .krsl, .plain].contains(job.stage), let run = try await RunStore.run(job.runID, from: pool)
            else { continue }
            let checkpoints = try await RunStore.checkpoints(run: run.id, from: pool)
            if let stage = try await ready(job, run: run, checkpoints: checkpoints) { result.append(stage) }
        }
        return result
    }

    private func ready(
        _ job: RunStore.Job,
        run: RunEvent,
        checkpoints: [CheckpointEvent]
    ) async throws -> ReadyStage? {
        func checkpoint(_ stage: TrainingStage) -> CheckpointEvent? { checkpoints.first { $0.stage == stage } }
        guard let initial = checkpoint(.initial) else { return nil }
        let waited = job.waitedSeconds >= run.thresholds.maximumWaitSeconds
        switch job.stage {
        case .hsft:
            let count = try await TraceStore.countVerified(.template, dataset: run.dataset, from: pool)
            guard count > 0, count >= run.thresholds.templates || waited else { return nil }
            return ReadyStage(run: run, stage: .hsft, parent: initial)
        case .krsl:
            guard let parent = run.stages.hsft == nil ? initial : checkpoint(.hsft) else { return nil }
            let count = try await TraceStore.countKeySteps(KeyStepQuery(run), from: pool)
            guard count > 0, count >= run.thresholds.pairs || waited else { return nil }
            return ReadyStage(run: run, stage: .krsl, parent: parent)
        case .plain:
            // The fair comparison: the same weights at the start, the same problems, as many tokens as the chain.
            let chain = run.trainedStages.filter { $0 != .plain }
            let trained = chain.compactMap { checkpoint($0) }
            guard trained.count == chain.count else { return nil }
            let tokens = trained.reduce(0) { $0 + $1.tokensTrained }
            return ReadyStage(run: run, stage: .plain, parent: initial, tokens: tokens > 0 ? tokens : nil)
        default:
            return nil
        }
    }
}
