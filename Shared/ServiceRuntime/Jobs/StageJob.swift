import FaultPoints
import Foundation
public import Logging
public import PostgresClient
public import Schemas
import Tracing

/// What training the stages of runs has in common, whatever is trained on whatever data.
///
/// A stage is taken up under a lease. The rows that it learns from are written down the first time, in the transaction that
/// starts it. It is trained on a thread of its own while its progress is written down, and ends with its checkpoint's row
/// and event in one transaction. What another try cannot mend ends the stage as failed, with its reason; anything else is
/// thrown, and the stage is tried again. Who has lost the lease changes nothing any more, and stops.
public struct StageJob: Sendable {
    /// Told of each update; throws when the training is to end.
    public typealias Report = (_ step: Int, _ totalSteps: Int, _ loss: Double, _ tokens: Int) throws -> Void

    /// The same, from any thread.
    public typealias SendableReport =
        @Sendable (_ step: Int, _ totalSteps: Int, _ loss: Double, _ tokens: Int) throws -> Void

    /// Throws once the stage may be another process's: asked before something is written that no transaction fences.
    ///
    /// Of a stage that is waited for it also throws once the run has ended, and is asked all the time.
    public typealias Fence = @Sendable () throws -> Void

    /// A stage with its data at hand.
    public struct Work: Sendable {
        /// How the stage's checkpoint comes to be; either runs for as long as it takes.
        public enum Training: Sendable {
            /// It is computed, on a thread of its own.
            case compute(@Sendable (_ report: Report, _ fence: @escaping Fence) throws -> CheckpointEvent)
            /// It is waited for: another program computes it.
            case handOver(
                @Sendable (_ report: @escaping SendableReport, _ fence: @escaping Fence) async throws -> CheckpointEvent
            )
        }

        /// The number of examples, for the log.
        public var examples: Int
        /// How the checkpoint comes to be.
        public var training: Training
        /// Takes away what was kept for a process that would take the stage over: called once the checkpoint is committed.
        public var forget: @Sendable () -> Void

        /// Creates work.
        public init(examples: Int, training: Training, forget: @escaping @Sendable () -> Void = {}) {
            self.examples = examples
            self.training = training
            self.forget = forget
        }
    }

    private let pool: PostgresPool
    private let source: String
    private let logger: Logger
    private let ready: @Sendable () async throws -> [ReadyStage]
    private let inputs: @Sendable (ReadyStage) async throws -> JobStore.Inputs
    private let endsStage: @Sendable (any Error) -> Bool
    private let prepare: @Sendable (ReadyStage, JobSnapshot) async throws -> Work

    /// Creates a job.
    ///
    /// Arguments:
    ///   - source: the sender of the checkpoint events, e.g. `/errata/dpo-trainer`.
    ///   - ready: the stages that could be trained now, in order.
    ///   - inputs: what a stage learns from, as the database stands when it is started the first time.
    ///   - endsStage: whether an error of `prepare` or of its work is one that another try cannot mend.
    ///   - prepare: reads the rows that a stage's snapshot names.
    public init(
        pool: PostgresPool,
        source: String,
        logger: Logger,
        ready: @escaping @Sendable () async throws -> [ReadyStage],
        inputs: @escaping @Sendable (ReadyStage) async throws -> JobStore.Inputs,
        endsStage: @escaping @Sendable (any Error) -> Bool,
        prepare: @escaping @Sendable (ReadyStage, JobSnapshot) async throws -> Work
    ) {
        self.pool = pool
        self.source = source
        self.logger = logger
        self.ready = ready
        self.inputs = inputs
        self.endsStage = endsStage
        self.prepare = prepare
    }

    /// The service that looks for ready stages and trains them.
    ///
    /// Arguments:
    ///   - holder: this process among all.
    ///   - interval: how often it asks whether something has come.
    public func runner(holder: String, interval: Duration = .milliseconds(300)) -> JobRunner<ReadyStage> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            interval: interval,
            changes: { try await JobChanges.latest(from: pool) },
            leaseName: { "run/\($0.run.id)/\($0.round)/\($0.stage.name)" },
            ready: ready,
            work: { stage, lease in
                try await Traced.run(
                    "train \(stage.stage.name)",
                    in: stage.trace,
                    attributes: [
                        "errata.run.id": .string(stage.run.id), "errata.round": .int64(Int64(stage.round)),
                        "errata.stage": .string(stage.stage.name),
                    ]
                ) { span in
                    try await train(stage, lease: lease, span)
                }
            }
        )
    }

    private func train(_ stage: ReadyStage, lease: JobLease, _ span: any Tracing.Span) async throws {
        let wanted = try await inputs(stage)
        // The stage may have been finished between the look and the lease.
        let snapshot = try await pool.withTransaction { transaction -> JobSnapshot? in
            try await lease.verify(in: transaction)
            // It looks at all that the stage learns from.
            try await transaction.allowLongStatements()
            guard let noted = try await JobStore.start(stage.id, inputs: wanted, in: transaction) else { return nil }
            return try await JobSnapshotStore.keep(stage, noted, in: transaction)
        }
        guard let snapshot else { return }
        try FaultPoint.stageBegins.reach()
        do {
            let work = try await prepare(stage, snapshot)
            span.attributes["errata.examples"] = work.examples
            let checkpoint = try await checkpoint(of: stage, work, lease)
            try FaultPoint.stageStored.reach()
            let event = try OutgoingEvent(checkpoint, source: source, time: Date())
            let effects = Effects(events: [event]) { transaction in
                // The run may have ended since it was looked at last: nothing is evaluated or gated for one that was cancelled.
                guard try await RunStore.isActive(stage.run.id, in: transaction) else { throw RunEnded() }
                try await RunStore.insert(checkpoint, in: transaction)
            }
            try await lease.commit(effects, in: pool)
            // Not before: where the process ends between, the next goes on from what was kept.
            work.forget()
        } catch is RunEnded {
            logger.notice("training ended with its run", metadata: metadata(of: stage))
        } catch let error where endsStage(error) {
            logger.error("stage failed", metadata: metadata(of: stage, ["error": "\(error)"]))
            span.recordError(error)
            span.setStatus(SpanStatus(code: .error))
            try await pool.withTransaction { transaction in
                try await lease.verify(in: transaction)
                try await JobStore.failed(
                    stage.id,
                    followers: stage.run.followers(of: stage.stage.name),
                    error: "\(error)",
                    in: transaction
                )
            }
        }
    }

    private func checkpoint(
        of stage: ReadyStage,
        _ work: Work,
        _ lease: JobLease
    ) async throws -> CheckpointEvent {
        logger.info("training", metadata: metadata(of: stage, ["examples": "\(work.examples)"]))
        let progress = TrainingProgress()
        return try await progress.reporting(stage.id, under: lease, to: pool, logger: logger) {
            switch work.training {
            case .compute(let train):
                return try await DedicatedThread.run(name: "train-\(stage.stage.name)") { isCancelled in
                    var isFirst = true
                    let report: Report = { step, totalSteps, loss, tokens in
                        if isCancelled() { throw CancellationError() }
                        try progress.check()
                        if isFirst, step > 1 {
                            logger.info("resumed", metadata: metadata(of: stage, ["step": "\(step)"]))
                        }
                        isFirst = false
                        progress.update(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens)
                        try FaultPoint.stageStep.reach()
                    }
                    return try train(report) { try lease.checkHeld() }
                }
            case .handOver(let train):
                let report: SendableReport = { step, totalSteps, loss, tokens in
                    try progress.check()
                    progress.update(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens)
                }
                return try await train(report) {
                    try lease.checkHeld()
                    // A program that is waited for may say nothing for hours: whoever asks this learns of the run's end.
                    try progress.check()
                }
            }
        }
    }

    private func metadata(of stage: ReadyStage, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
        more.merging([
            "run": "\(stage.run.id)", "round": "\(stage.round)", "stage": "\(stage.stage.name)",
        ]) { $1 }
    }
}

/// The run was cancelled or replaced while a stage of it was trained.
struct RunEnded: Error {}
