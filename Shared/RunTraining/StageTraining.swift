public import Distillation
public import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
import Reasoning
public import Schemas
public import ServiceRuntime
import Training

/// Trains stages of runs for the services: each service those of its methods.
public struct StageTraining: Sendable {
    /// What the trainings are at, for `/metrics`.
    public let gauges = TrainingGauges()
    /// Where models come from and go to.
    public let store: ModelStore
    private let pool: PostgresPool
    private let workFolder: URL
    private let engines: EngineCatalog
    private let trainer: StageTrainer
    private let source: String
    private let logger: Logger
    private let trains: @Sendable (RunStage) -> Bool

    /// Creates the training.
    ///
    /// Arguments:
    ///   - store: where models come from and go to.
    ///   - workFolder: where resumable state is kept while a stage is trained.
    ///   - engines: what may train a stage in Errata's place.
    ///   - trainer: Errata's own; of this store and folder unless given.
    ///   - source: the sender of the checkpoint events, e.g. `/errata/dpo-trainer`.
    ///   - trains: the stages that are this service's.
    public init(
        pool: PostgresPool,
        store: ModelStore,
        workFolder: URL,
        engines: EngineCatalog,
        trainer: StageTrainer? = nil,
        source: String,
        logger: Logger,
        trains: @escaping @Sendable (RunStage) -> Bool
    ) {
        self.pool = pool
        self.store = store
        self.workFolder = workFolder
        self.engines = engines
        self.trainer = trainer ?? StageTrainer(store: store, workFolder: workFolder)
        self.source = source
        self.logger = logger
        self.trains = trains
    }

    /// The job that looks for ready stages and trains them.
    public var job: StageJob {
        StageJob(
            pool: pool,
            source: source,
            logger: logger,
            ready: ready,
            inputs: { ready in
                try await StageInputs(pool: pool) { id, seed in
                    Double(StableHash.value(of: "\(seed)/\(id)") % 1_000_000) / 1_000_000
                }.inputs(of: ready)
            },
            endsStage: { StageTrainer.isFinal($0) || $0 is SnapshotGone },
            prepare: prepare
        )
    }

    /// The stages that could be trained now; one that never can be fails at once, and not when its data are there.
    private func ready() async throws -> [ReadyStage] {
        let readiness = StageReadiness(pool: pool, trains: trains)
        var trainable: [StageReadiness.Candidate] = []
        for candidate in try await readiness.candidates() {
            guard candidate.job.state == .waiting, let reason = try await obstacle(to: candidate, readiness) else {
                trainable.append(candidate)
                continue
            }
            let (run, stage) = (candidate.run, candidate.stage)
            logger.error(
                "stage failed",
                metadata: ["run": "\(run.id)", "stage": "\(stage.name)", "error": "\(reason)"]
            )
            try await pool.withTransaction { transaction in
                try await JobStore.failed(
                    candidate.job.id,
                    followers: run.followers(of: stage.name),
                    error: reason,
                    unlessBegun: true,
                    in: transaction
                )
            }
        }
        return try await readiness.ready(among: trainable)
    }

    /// Why a stage can never be trained: this trainer does not have its engine, or its parent's attempts will not come.
    private func obstacle(
        to candidate: StageReadiness.Candidate,
        _ readiness: StageReadiness
    ) async throws -> String? {
        if let engine = candidate.stage.engine, engines.engines[engine] == nil { return engines.unknown(engine) }
        return try await readiness.lastingObstacle(to: candidate)
    }

    private func prepare(_ ready: ReadyStage, _ snapshot: JobSnapshot) async throws -> StageJob.Work {
        let unfinished = try await JobStore.jobs(states: [.waiting, .running], active: true, from: pool)
        WorkFolder(folder: workFolder).removeFinished(unfinished: unfinished.map(\.id))
        let changed = try await JobSnapshotStore.changed(since: snapshot, from: pool)
        if !changed.isEmpty {
            logger.warning(
                "what the stage began with has another content by now; where its examples differ, it begins anew",
                metadata: [
                    "run": "\(ready.run.id)", "round": "\(ready.round)", "stage": "\(ready.stage.name)",
                    "sources": "\(changed.map(\.rawValue).joined(separator: ","))",
                ]
            )
        }
        let codec = try trainer.codec(of: ready.parent.modelHash, prompt: ready.run.prompt)
        let work = try StageWork(
            ready.stage,
            of: ready.run,
            material: try await MaterialReader(pool: pool).material(of: snapshot),
            codec: codec,
            tokens: ready.tokens
        )
        let name = WorkFolder.name(of: ready.id)
        if let engine = ready.stage.engine { return try handOver(ready, work, codec, to: engine, name: name) }
        return StageJob.Work(
            examples: work.count,
            training: .compute { [trainer, gauges, logger] report, fence in
                defer { gauges.ended(ready.id) }
                return try trainer.train(
                    work,
                    from: ready.parent.modelHash,
                    name: name,
                    onNotice: { logger.notice("\($0)") },
                    fence: fence
                ) { step in
                    gauges.note(step, of: ready.id)
                    try report(step.step, step.totalSteps, step.loss, step.tokensSeen)
                }.checkpoint(ready, work, options: work.record)
            },
            forget: { [trainer] in trainer.forget(name) }
        )
    }

    /// The stage as work of another engine.
    private func handOver(
        _ ready: ReadyStage,
        _ work: StageWork,
        _ codec: StudentCodec,
        to name: String,
        name folder: String
    ) throws -> StageJob.Work {
        guard let engine = engines.engines[name] else { throw DistillationError(engines.unknown(name)) }
        let job = EngineJob(folder: workFolder.appending(path: "\(folder).engine", directoryHint: .isDirectory))
        let parent = try store.folder(ready.parent.modelHash)
        return StageJob.Work(
            examples: work.count,
            training: .handOver { [store, gauges] report, fence in
                defer { gauges.ended(ready.id) }
                let started = ContinuousClock.now
                try fence()
                try job.prepare(
                    work,
                    stage: ready.stage,
                    run: ready.run,
                    round: ready.round,
                    parent: parent,
                    codec: codec
                )
                if !job.isDone {
                    try await EngineProcess(engine: engine, job: job).run(check: fence) { line in
                        gauges.note(line, of: ready.id)
                        try report(line.step, line.totalSteps ?? 0, line.loss ?? .nan, line.tokens ?? 0)
                    }
                }
                try fence()
                let trained = try job.trained(
                    student: ready.run.student,
                    seconds: (ContinuousClock.now - started) / .seconds(1),
                    store: store
                )
                return trained.checkpoint(
                    ready,
                    work,
                    options: work.record.merging(["engine": .string(name)]) { $1 }
                )
            },
            forget: { job.remove() }
        )
    }
}

extension StageTrainer.Trained {
    /// The checkpoint of a ready stage.
    fileprivate func checkpoint(
        _ ready: ReadyStage,
        _ work: StageWork,
        options: [String: JSONValue]
    ) -> CheckpointEvent {
        checkpoint(
            of: ready.stage,
            run: ready.run,
            round: ready.round,
            parent: ready.parent,
            examples: work.examples.counts,
            options: options
        )
    }
}
