public import Distillation
public import Logging
public import PostgresClient
import Schemas
public import ServiceRuntime
import Training

/// Trains the supervised stages of runs: HSFT, KRSL and the plain arm.
public struct StageOneTraining: Sendable {
    private let pool: PostgresPool
    private let trainer: StageTrainer
    private let logger: Logger

    /// Creates the training.
    public init(pool: PostgresPool, trainer: StageTrainer, logger: Logger) {
        self.pool = pool
        self.trainer = trainer
        self.logger = logger
    }

    /// The job that looks for ready stages and trains them.
    public var job: StageJob {
        StageJob(
            pool: pool,
            source: "/errata/template-distiller",
            logger: logger,
            ready: { try await StageReadiness(pool: pool).ready() },
            endsStage: StageTrainer.isFinal,
            prepare: prepare
        )
    }

    private func prepare(_ stage: ReadyStage) async throws -> StageJob.Work {
        let codec = try trainer.codec(of: stage.parent.modelHash)
        let data = try await StageExamples(pool: pool, codec: codec).collect(for: stage)
        let options = try Self.options(of: stage)
        let block = stage.run.stages.training(of: stage.stage) ?? TrainingBlock()
        let adapter = try block.adapter()
        let record = try block.record(of: options)
        return StageJob.Work(examples: data.examples.count) { report in
            try trainer.supervised(
                from: stage.parent.modelHash,
                name: "\(stage.run.id)-\(stage.stage.rawValue)",
                examples: data.examples,
                options: options,
                adapter: adapter,
                onNotice: { [logger] in logger.notice("\($0)") }
            ) { step in
                try report(step.step, step.totalSteps, step.loss, step.tokensSeen)
            }.checkpoint(
                of: stage.stage,
                run: stage.run,
                parent: stage.parent,
                examples: data.counts,
                options: record
            )
        }
    }

    /// Defaults: the papers' optimiser and schedule, with the rates of a small student trained from scratch.
    static func options(of stage: ReadyStage) throws -> TrainingOptions {
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
            return try (stage.run.stages.krsl ?? KeyStepStage()).trainingOptions(defaults: defaults, seed: seed)
        default:
            let defaults = TrainingOptions(learningRate: 2e-5, epochs: 4, schedule: .cosine, warmupRatio: 0.02)
            var options = try (stage.run.stages.plain?.training ?? TrainingBlock())
                .options(defaults: defaults, seed: seed)
            if options.maximumTokens == nil, options.maximumSteps == nil { options.maximumTokens = stage.tokens }
            return options
        }
    }
}
