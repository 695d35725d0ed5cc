import Foundation
public import Logging
public import PostgresClient
public import Schemas

/// A stage of a run that could be trained now.
public struct ReadyStage: Sendable {
    /// The run.
    public let run: RunEvent
    /// The stage.
    public let stage: TrainingStage
    /// The checkpoint to start from.
    public let parent: CheckpointEvent
    /// The tokens to train on where the data does not say it: the plain arm takes as many as the chain of stages took.
    public let tokens: Int?

    /// Creates a ready stage.
    public init(run: RunEvent, stage: TrainingStage, parent: CheckpointEvent, tokens: Int? = nil) {
        self.run = run
        self.stage = stage
        self.parent = parent
        self.tokens = tokens
    }
}

/// What training the stages of runs has in common, whatever is trained on whatever data.
///
/// A stage is taken up under a lease, trained on a thread of its own while its progress is written down, and ends with
/// its checkpoint's row and event in one transaction. What another try cannot mend ends the stage as failed, with its
/// reason; anything else is thrown, and the stage is tried again.
public struct StageJob: Sendable {
    /// Told of each update; throws when the training is to end.
    public typealias Report = (_ step: Int, _ totalSteps: Int, _ loss: Double, _ tokens: Int) throws -> Void

    /// A stage with its data at hand.
    public struct Work: Sendable {
        /// The number of examples, for the log.
        public var examples: Int
        /// Computes the stage's checkpoint; runs for as long as it takes, on a thread of its own.
        public var train: @Sendable (_ report: Report) throws -> CheckpointEvent

        /// Creates work.
        public init(examples: Int, train: @escaping @Sendable (_ report: Report) throws -> CheckpointEvent) {
            self.examples = examples
            self.train = train
        }
    }

    private let pool: PostgresPool
    private let source: String
    private let logger: Logger
    private let ready: @Sendable () async throws -> [ReadyStage]
    private let endsStage: @Sendable (any Error) -> Bool
    private let prepare: @Sendable (ReadyStage) async throws -> Work

    /// Creates a job.
    ///
    /// Arguments:
    ///   - source: the sender of the checkpoint events, e.g. `/errata/dpo-trainer`.
    ///   - ready: the stages that could be trained now, in order.
    ///   - endsStage: whether an error of `prepare` or of its work is one that another try cannot mend.
    ///   - prepare: collects a stage's data.
    public init(
        pool: PostgresPool,
        source: String,
        logger: Logger,
        ready: @escaping @Sendable () async throws -> [ReadyStage],
        endsStage: @escaping @Sendable (any Error) -> Bool,
        prepare: @escaping @Sendable (ReadyStage) async throws -> Work
    ) {
        self.pool = pool
        self.source = source
        self.logger = logger
        self.ready = ready
        self.endsStage = endsStage
        self.prepare = prepare
    }

    /// The service that looks for ready stages and trains them.
    ///
    /// Arguments:
    ///   - holder: this process among all.
    ///   - interval: how often it looks.
    public func runner(holder: String, interval: Duration = .milliseconds(300)) -> JobRunner<ReadyStage> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            interval: interval,
            leaseName: { "run/\($0.run.id)/\($0.stage.rawValue)" },
            ready: ready,
            work: { stage, lease in try await train(stage, lease: lease) }
        )
    }

    private func train(_ stage: ReadyStage, lease: JobLease) async throws {
        // The stage may have been finished between the look and the lease.
        let jobs = try await RunStore.jobs(run: stage.run.id, from: pool)
        guard jobs.contains(where: { $0.stage == stage.stage && $0.state != "done" && $0.state != "failed" }) else {
            return
        }
        try await RunStore.started(stage.stage, run: stage.run.id, in: pool)
        do {
            let checkpoint = try await checkpoint(of: stage)
            let event = try OutgoingEvent(checkpoint, source: source, time: Date())
            let effects = Effects(events: [event]) { try await RunStore.insert(checkpoint, in: $0) }
            try await lease.commit(effects, in: pool)
        } catch  where endsStage(error) {
            logger.error("stage failed", metadata: metadata(of: stage, ["error": "\(error)"]))
            try await RunStore.failed(stage.stage, run: stage.run.id, error: "\(error)", in: pool)
        }
    }

    private func checkpoint(of stage: ReadyStage) async throws -> CheckpointEvent {
        let work = try await prepare(stage)
        logger.info("training", metadata: metadata(of: stage, ["examples": "\(work.examples)"]))
        let progress = TrainingProgress()
        return try await progress.reporting(stage.stage, run: stage.run.id, to: pool, logger: logger) {
            try await DedicatedThread.run(name: "train-\(stage.stage.rawValue)") { isCancelled in
                var isFirst = true
                return try work.train { step, totalSteps, loss, tokens in
                    if isCancelled() { throw CancellationError() }
                    if isFirst, step > 1 { logger.info("resumed", metadata: metadata(of: stage, ["step": "\(step)"])) }
                    isFirst = false
                    progress.update(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens)
                }
            }
        }
    }

    private func metadata(of stage: ReadyStage, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["run": "\(stage.run.id)", "stage": "\(stage.stage.rawValue)"]) { $1 }
    }
}
