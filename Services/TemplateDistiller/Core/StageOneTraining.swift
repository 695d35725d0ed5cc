import Distillation
public import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
import Schemas
public import ServiceRuntime
import Training

/// Trains the supervised stages of runs: HSFT, KRSL and the plain arm.
public struct StageOneTraining: Sendable {
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

    /// The service that looks for ready stages and trains them.
    public func runner(holder: String) -> JobRunner<ReadyStage> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            leaseName: { "run/\($0.run.id)/\($0.stage.rawValue)" },
            ready: { try await StageReadiness(pool: pool).ready() },
            work: { stage, lease in try await train(stage, lease: lease) }
        )
    }

    private func train(_ stage: ReadyStage, lease: JobLease) async throws {
        let run = stage.run
        // The job may have been finished between the look and the lease.
        let jobs = try await RunStore.jobs(run: run.id, from: pool)
        guard jobs.contains(where: { $0.stage == stage.stage && $0.state != "done" && $0.state != "failed" }) else {
            return
        }
        try await RunStore.started(stage.stage, run: run.id, in: pool)
        let trainer = StageTrainer(store: store, workFolder: workFolder)
        do {
            let data = try await StageExamples(pool: pool, codec: trainer.codec(of: stage.parent.modelHash))
                .collect(for: stage)
            let options = try self.options(of: stage)
            logger.info(
                "training",
                metadata: [
                    "run": "\(run.id)", "stage": "\(stage.stage.rawValue)", "examples": "\(data.examples.count)",
                ]
            )
            let progress = TrainingProgress()
            let trained = try await progress.reporting(stage.stage, run: run.id, to: pool, logger: logger) {
                try await DedicatedThread.run(name: "train-\(stage.stage.rawValue)") { isCancelled in
                    try trainer.supervised(
                        from: stage.parent.modelHash,
                        name: "\(run.id)-\(stage.stage.rawValue)",
                        examples: data.examples,
                        options: options
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
            try await publish(trained, stage: stage, data: data, options: options, lease: lease)
        } catch let error as TrainingError {
            try await fail(stage, error: error)
        } catch let error as DistillationError {
            try await fail(stage, error: error)
        }
    }

    /// What another try cannot mend ends the stage; anything else is thrown and tried again.
    private func fail(_ stage: ReadyStage, error: any Error) async throws {
        logger.error(
            "stage failed",
            metadata: ["run": "\(stage.run.id)", "stage": "\(stage.stage.rawValue)", "error": "\(error)"]
        )
        try await RunStore.failed(stage.stage, run: stage.run.id, error: "\(error)", in: pool)
    }

    private func publish(
        _ trained: StageTrainer.Trained,
        stage: ReadyStage,
        data: StageExamples.Collected,
        options: TrainingOptions,
        lease: JobLease
    ) async throws {
        let checkpoint = CheckpointEvent(
            id: DeterministicID.make(cause: stage.run.id, parts: "checkpoint", stage.stage.rawValue),
            runId: stage.run.id,
            stage: stage.stage,
            parentCheckpointId: stage.parent.id,
            modelHash: trained.stored.hash,
            tokenizerFingerprint: stage.run.student.tokenizerFingerprint,
            path: trained.stored.folder.path,
            tokensTrained: trained.tokens,
            steps: trained.steps,
            finalLoss: trained.finalLoss,
            trainSeconds: trained.seconds,
            examples: data.counts,
            options: try JSONValue.object(of: options),
            metrics: trained.metrics
        )
        let event = try OutgoingEvent(checkpoint, source: "/errata/template-distiller", time: Date())
        let effects = Effects(events: [event]) { try await RunStore.insert(checkpoint, in: $0) }
        try await lease.commit(effects, in: pool)
    }

    /// Defaults: the papers' optimiser and schedule, with the rates of a small student trained from scratch.
    private func options(of stage: ReadyStage) throws -> TrainingOptions {
        let seed = stage.run.seed
        switch stage.stage {
        case .hsft:
            let defaults = TrainingOptions(learningRate: 2e-5, epochs: 4, schedule: .cosine, warmupRatio: 0.02)
            return try (stage.run.stages.hsft?.training ?? TrainingBlock()).options(defaults: defaults, seed: seed)
        case .krsl:
            // Eq. 7 as the authors' code has it: each sequence's sum over its response length.
            let defaults = TrainingOptions(
                learningRate: 5e-6,
                epochs: 10,
                schedule: .exponential,
                normalization: .perSequence
            )
            return try (stage.run.stages.krsl?.training ?? TrainingBlock()).options(defaults: defaults, seed: seed)
        default:
            let defaults = TrainingOptions(learningRate: 2e-5, epochs: 4, schedule: .cosine, warmupRatio: 0.02)
            var options = try (stage.run.stages.plain?.training ?? TrainingBlock())
                .options(defaults: defaults, seed: seed)
            if options.maximumTokens == nil, options.maximumSteps == nil { options.maximumTokens = stage.tokens }
            return options
        }
    }
}
