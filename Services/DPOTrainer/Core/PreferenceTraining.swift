public import Distillation
public import Logging
public import PostgresClient
import Schemas
public import ServiceRuntime
import Training

/// Trains the second stage of runs: cross-model DPO on the teacher's corrections of the student's own errors.
public struct PreferenceTraining: Sendable {
    private let pool: PostgresPool
    private let trainer: StageTrainer
    private let logger: Logger

    /// Creates the training.
    public init(pool: PostgresPool, trainer: StageTrainer, logger: Logger) {
        self.pool = pool
        self.trainer = trainer
        self.logger = logger
    }

    /// The job that looks for runs whose corrections are in and trains them.
    public var job: StageJob {
        StageJob(
            pool: pool,
            source: "/errata/dpo-trainer",
            logger: logger,
            ready: { try await PreferenceReadiness(pool: pool).ready() },
            endsStage: StageTrainer.isFinal,
            prepare: prepare
        )
    }

    private func prepare(_ ready: ReadyStage) async throws -> StageJob.Work {
        let run = ready.run
        let stage = run.stages.dpo ?? PreferenceStage()
        let source = PreferenceData(
            pool: pool,
            codec: try trainer.codec(of: ready.parent.modelHash),
            options: try stage.pairOptions()
        )
        var data = try await source.collect(run: run)
        guard !data.pairs.isEmpty else {
            throw DistillationError("no wrong attempt gave a preference pair: \(data.counts)")
        }
        // The paper's schedule and rate (A(e)); a run names what its student needs.
        let block = stage.training ?? TrainingBlock()
        let options = try block.options(
            defaults: TrainingOptions(learningRate: 1e-6, epochs: 8, schedule: .cosine, warmupRatio: 0.05),
            seed: run.seed
        )
        let preference = try stage.preferenceOptions()
        let adapter = try block.adapter()
        let training = try block.record(of: options)
        let supervised = preference.supervisedWeight > 0 ? try await source.templates(of: run) : []
        if !supervised.isEmpty { data.counts["templates"] = supervised.count }
        return StageJob.Work(examples: data.pairs.count) { [data] report in
            try trainer.preference(
                from: ready.parent.modelHash,
                name: "\(run.id)-\(ready.stage.rawValue)",
                pairs: data.pairs,
                options: options,
                preference: preference,
                supervised: supervised,
                adapter: adapter,
                onNotice: { logger.notice("\($0)") }
            ) { step in
                try report(step.step, step.totalSteps, step.loss, step.tokensSeen)
            }.checkpoint(
                of: ready.stage,
                run: run,
                parent: ready.parent,
                examples: data.counts,
                options: [
                    "training": .object(training),
                    "preference": .object(try JSONValue.object(of: preference)),
                    "pairs": .object(try JSONValue.object(of: source.options)),
                ]
            )
        }
    }
}
