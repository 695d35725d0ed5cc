import Distillation
import Foundation
import ModelFiles
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport

@testable import RunTraining

extension StageBench {
    /// The stages that are ready now.
    func ready() async throws -> [ReadyStage] { try await StageReadiness(pool: pool) { _ in true }.ready() }

    /// The names of the stages that are ready now, as `run/round/stage`, sorted.
    func readyNames() async throws -> [String] {
        try await ready().map { "\($0.run.id)/\($0.round)/\($0.stage.name)" }.sorted()
    }

    /// The examples of a stage on an initial student, from what the database holds now.
    func collect(_ stage: RunStage) async throws -> StageExamples.Collected {
        let run = run(stages: [stage])
        return try await collect(
            ReadyStage(run: run, round: 1, stage: stage, parent: .initial(of: run, path: "models"))
        )
    }

    /// The examples of a ready stage, from what the database holds now.
    func collect(_ ready: ReadyStage) async throws -> StageExamples.Collected {
        let inputs = try await StageInputs(pool: pool) { _, _ in 0 }.inputs(of: ready)
        let snapshot = try await JobSnapshotStore.look(ready, inputs, from: pool)
        let material = try await MaterialReader(pool: pool).material(of: snapshot)
        return try StageWork(ready.stage, of: ready.run, material: material, codec: codec).examples
    }

    /// The service that trains.
    ///
    /// Arguments:
    ///   - saveInterval: how often it keeps what a take-over goes on from.
    ///   - engines: the file of other engines.
    ///   - trains: the stages that it trains.
    func runner(
        holder: String = "first",
        log: LogBook = LogBook(),
        saveInterval: Duration = .seconds(3600),
        engines: String = "",
        trains: @escaping @Sendable (RunStage) -> Bool = { _ in true }
    ) throws -> JobRunner<ReadyStage> {
        StageTraining(
            pool: pool,
            store: store,
            workFolder: workFolder,
            engines: try EngineCatalog(file: engines),
            trainer: StageTrainer(store: store, workFolder: workFolder, saveInterval: saveInterval),
            source: "/errata/tested",
            logger: log.logger,
            trains: trains
        ).job.runner(holder: holder, interval: .milliseconds(5))
    }

    /// Where a training keeps what a take-over goes on from.
    func state(_ name: String) -> URL { workFolder.appending(path: "\(name).state") }

    /// The step that a training's state was kept at.
    func savedStep(_ name: String) -> Int? {
        (try? SafetensorsFile(url: state(name))).flatMap { $0.metadata["step"] }.flatMap { Int($0) }
    }

    /// Notes that a stage has started.
    func start(
        _ stage: String,
        of run: String = "r1",
        round: Int = 1,
        inputs: JobStore.Inputs = JobStore.Inputs()
    ) async throws {
        let id = StageID(run: run, round: round, stage: stage)
        _ = try await pool.withTransaction { try await JobStore.start(id, inputs: inputs, in: $0) }
    }

    /// Begins a round of a run.
    func startRound(_ round: Int, of run: RunEvent, champion: CheckpointEvent, from start: CheckpointEvent) async throws
    {
        try await pool.withTransaction {
            try await RoundStore.start(
                run,
                round: round,
                champion: champion.id,
                from: start.id,
                reason: "planted",
                in: $0
            )
        }
    }

    /// Lets what a run waits for be as old as said.
    func age(jobs: Int? = nil, checkpoints: Int? = nil) async throws {
        if let jobs {
            try await pool.execute(
                "UPDATE training_jobs SET created_at = now() - make_interval(secs => \(Double(jobs)))"
            )
        }
        if let checkpoints {
            try await pool.execute(
                "UPDATE checkpoints SET created_at = now() - make_interval(secs => \(Double(checkpoints)))"
            )
        }
    }
}

extension RunGate {
    /// A gate on the suite of ten problems.
    static func on(_ stage: String) -> RunGate { RunGate(suite: "held-out", stage: stage) }
}
