import Distillation
public import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
import Schemas
public import ServiceRuntime
import Training

/// Trains the second stage of runs: cross-model DPO on the teacher's corrections of the student's own errors.
public struct PreferenceTraining: Sendable {
    private let pool: PostgresPool
    private let store: ModelStore
    private let workFolder: URL
    private let logger: Logger

    /// Creates the training.
    public init(pool: PostgresPool, store: ModelStore, workFolder: URL, logger: Logger) {
        self.pool = pool
        self.store = store
        self.workFolder = workFolder
        self.logger = logger
    }

    /// The service that looks for runs whose corrections are in and trains them.
    public func runner(holder: String) -> JobRunner<ReadyPreferences> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            leaseName: { "run/\($0.run.id)/dpo" },
            ready: { try await PreferenceReadiness(pool: pool).ready() },
            work: { ready, lease in try await train(ready, lease: lease) }
        )
    }

    private func train(_ ready: ReadyPreferences, lease: JobLease) async throws {
        let run = ready.run
        let jobs = try await RunStore.jobs(run: run.id, from: pool)
        guard jobs.contains(where: { $0.stage == .dpo && $0.state != "done" && $0.state != "failed" }) else { return }
        try await RunStore.started(.dpo, run: run.id, in: pool)
        do {
            let stage = run.stages.dpo ?? PreferenceStage()
            let trainer = StageTrainer(store: store, workFolder: workFolder)
            let data = try await PreferenceData(
                pool: pool,
                codec: try trainer.codec(of: ready.parent.modelHash),
                layout: try stage.layout()
            ).collect(run: run)
            guard !data.pairs.isEmpty else {
                throw DistillationError("no wrong attempt gave a preference pair: \(data.counts)")
            }
            // The paper's schedule and rate (A(e)); a run names what its student needs.
            let options = try (stage.training ?? TrainingBlock()).options(
                defaults: TrainingOptions(learningRate: 1e-6, epochs: 8, schedule: .cosine, warmupRatio: 0.05),
                seed: run.seed
            )
            let preference = try stage.preferenceOptions()
            logger.info("training", metadata: ["run": "\(run.id)", "stage": "dpo", "pairs": "\(data.pairs.count)"])
            let progress = TrainingProgress()
            let trained = try await progress.reporting(.dpo, run: run.id, to: pool, logger: logger) {
                try await DedicatedThread.run(name: "train-dpo") { isCancelled in
                    try trainer.preference(
                        from: ready.parent.modelHash,
                        name: "\(run.id)-dpo",
                        pairs: data.pairs,
                        options: options,
                        preference: preference
                    ) { step in
                        if isCancelled() { throw CancellationError() }
                        progress.update(
                            step: step.step,
                            totalSteps: step.totalSteps,
                            loss: step.loss,
                            tokens: step.tokensSeen
                        )
                    }
                }
            }
            let checkpoint = CheckpointEvent(
                id: DeterministicID.make(cause: run.id, parts: "checkpoint", TrainingStage.dpo.rawValue),
                runId: run.id,
                stage: .dpo,
                parentCheckpointId: ready.parent.id,
                modelHash: trained.stored.hash,
                tokenizerFingerprint: run.student.tokenizerFingerprint,
                path: trained.stored.folder.path,
                tokensTrained: trained.tokens,
                steps: trained.steps,
                finalLoss: trained.finalLoss,
                trainSeconds: trained.seconds,
                examples: data.counts,
                options: [
                    "training": .object(try JSONValue.object(of: options)),
                    "preference": .object(try JSONValue.object(of: preference)),
                ],
                metrics: trained.metrics
            )
            let event = try OutgoingEvent(checkpoint, source: "/errata/dpo-trainer", time: Date())
            try await lease.commit(
                Effects(events: [event]) { try await RunStore.insert(checkpoint, in: $0) },
                in: pool
            )
        } catch let error as TrainingError {
            try await fail(run, error: error)
        } catch let error as DistillationError {
            try await fail(run, error: error)
        }
    }

    /// What another try cannot mend ends the stage; anything else is thrown and tried again.
    private func fail(_ run: RunEvent, error: any Error) async throws {
        logger.error("stage failed", metadata: ["run": "\(run.id)", "stage": "dpo", "error": "\(error)"])
        try await RunStore.failed(.dpo, run: run.id, error: "\(error)", in: pool)
    }
}
