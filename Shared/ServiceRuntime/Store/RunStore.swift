import Foundation
public import PostgresClient
public import Schemas

/// The tables `runs`, `training_jobs` and `checkpoints`.
public enum RunStore {
    /// Writes a run and a waiting job for each of its stages.
    ///
    /// Every service that reads runs does this, so that none depends on another having seen the run first.
    public static func insert(_ run: RunEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO runs (id, name, dataset, body)
            VALUES (\(run.id), \(run.name), \(run.dataset), \(try EventBody.text(of: run))::jsonb)
            ON CONFLICT (id) DO NOTHING
            """
        )
        for stage in run.trainedStages {
            try await transaction.execute(
                """
                INSERT INTO training_jobs (run_id, stage) VALUES (\(run.id), \(stage.rawValue)) ON CONFLICT DO NOTHING
                """
            )
        }
    }

    /// One run by its id.
    public static func run(_ id: String, from pool: PostgresPool) async throws -> RunEvent? {
        try await pool.query("SELECT body::text AS body FROM runs WHERE id = \(id)").first
            .map { try EventBody.event(RunEvent.self, of: $0) }
    }

    /// All runs, oldest first.
    public static func runs(from pool: PostgresPool) async throws -> [RunEvent] {
        try await pool.query("SELECT body::text AS body FROM runs ORDER BY created_at, id")
            .map { try EventBody.event(RunEvent.self, of: $0) }
    }

    /// The names and ids of the runs that a model is the student or a checkpoint of, oldest first; none in a database
    /// without the schema.
    public static func runs(
        needingModel hash: String,
        from pool: PostgresPool
    ) async throws -> [(name: String, id: String)] {
        let tables = try await pool.query(
            "SELECT to_regclass('runs') IS NOT NULL AND to_regclass('checkpoints') IS NOT NULL AS complete"
        )
        guard let row = tables.first, try row.get("complete", as: Bool.self) else { return [] }
        return try await pool.query(
            """
            SELECT name, id FROM runs WHERE body->'student'->>'modelHash' = \(hash)
                OR id IN (SELECT run_id FROM checkpoints WHERE model_hash = \(hash)) ORDER BY created_at, id
            """
        ).map { (try $0.get("name", as: String.self), try $0.get("id", as: String.self)) }
    }

    // MARK: Jobs

    /// A stage to be trained, being trained, or done.
    public struct Job: Sendable {
        /// The run.
        public let runID: String
        /// The stage.
        public let stage: TrainingStage
        /// `waiting`, `running`, `done` or `failed`.
        public let state: String
        /// Why it failed.
        public let error: String?
        /// Optimizer steps done and planned.
        public let step: Int
        /// Optimizer steps planned; 0 before the start.
        public let totalSteps: Int
        /// The latest training loss.
        public let loss: Double?
        /// Tokens trained on.
        public let tokens: Int
        /// Seconds since the run arrived.
        public let waitedSeconds: Double
    }

    /// Jobs by run and state; without arguments all.
    public static func jobs(
        run: String? = nil,
        states: [String]? = nil,
        from pool: PostgresPool
    ) async throws -> [Job] {
        try await pool.query(
            """
            SELECT run_id, stage, state, error, step, total_steps, loss, tokens,
                   extract(epoch FROM now() - created_at)::float8 AS waited
            FROM training_jobs
            WHERE (\(run)::text IS NULL OR run_id = \(run)) AND (\(states)::text[] IS NULL OR state = ANY(\(states)))
            ORDER BY created_at, run_id, stage
            """
        ).map { row in
            Job(
                runID: try row.get("run_id", as: String.self),
                stage: try stage(try row.get("stage", as: String.self), table: "training_jobs"),
                state: try row.get("state", as: String.self),
                error: try row.get("error", as: String?.self),
                step: try row.get("step", as: Int.self),
                totalSteps: try row.get("total_steps", as: Int.self),
                loss: try row.get("loss", as: Double?.self),
                tokens: try row.get("tokens", as: Int.self),
                waitedSeconds: try row.get("waited", as: Double.self)
            )
        }
    }

    /// Notes that a stage is being trained.
    public static func started(_ stage: TrainingStage, run: String, in pool: PostgresPool) async throws {
        try await pool.execute(
            """
            UPDATE training_jobs SET state = 'running', started_at = now(), error = NULL
            WHERE run_id = \(run) AND stage = \(stage.rawValue) AND state <> 'done'
            """
        )
    }

    /// Notes how far a stage has come.
    public static func progressed(
        _ stage: TrainingStage,
        run: String,
        step: Int,
        totalSteps: Int,
        loss: Double?,
        tokens: Int,
        in pool: PostgresPool
    ) async throws {
        try await pool.execute(
            """
            UPDATE training_jobs SET step = \(step), total_steps = \(totalSteps), loss = \(loss), tokens = \(tokens)
            WHERE run_id = \(run) AND stage = \(stage.rawValue) AND state = 'running'
            """
        )
    }

    /// Notes that a stage cannot be trained, with the reason, and with it the stages that would follow on it.
    public static func failed(_ stage: TrainingStage, run: String, error: String, in pool: PostgresPool) async throws {
        // The plain arm is trained on as many tokens as the whole chain: without the chain it is nothing to compare.
        let chain: [TrainingStage] = [.hsft, .krsl, .dpo, .plain]
        let followers = chain.firstIndex(of: stage).map { chain[($0 + 1)...].map(\.rawValue) } ?? []
        let reason = "not trained, as the stage \(stage.rawValue) failed"
        try await pool.withTransaction { transaction in
            let ended = try await transaction.query(
                """
                UPDATE training_jobs SET state = 'failed', error = \(error), finished_at = now()
                WHERE run_id = \(run) AND stage = \(stage.rawValue) AND state <> 'done' RETURNING stage
                """
            )
            guard !ended.isEmpty else { return }
            for follower in followers {
                try await transaction.execute(
                    """
                    UPDATE training_jobs SET state = 'failed', error = \(reason), finished_at = now()
                    WHERE run_id = \(run) AND stage = \(follower) AND state = 'waiting'
                    """
                )
            }
        }
    }

    // MARK: Checkpoints

    /// Writes a checkpoint and marks its stage as done.
    public static func insert(_ checkpoint: CheckpointEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO checkpoints (id, run_id, stage, parent_id, model_hash, tokens_trained, body)
            VALUES (\(checkpoint.id), \(checkpoint.runId), \(checkpoint.stage.rawValue),
                    \(checkpoint.parentCheckpointId), \(checkpoint.modelHash), \(checkpoint.tokensTrained),
                    \(try EventBody.text(of: checkpoint))::jsonb)
            ON CONFLICT (id) DO NOTHING
            """
        )
        try await transaction.execute(
            """
            UPDATE training_jobs SET state = 'done', finished_at = now(), error = NULL, step = \(checkpoint.steps),
                   total_steps = \(checkpoint.steps), loss = \(checkpoint.finalLoss),
                   tokens = \(checkpoint.tokensTrained)
            WHERE run_id = \(checkpoint.runId) AND stage = \(checkpoint.stage.rawValue)
            """
        )
    }

    /// The checkpoints of a run, oldest first.
    public static func checkpoints(run: String, from pool: PostgresPool) async throws -> [CheckpointEvent] {
        try await pool.query(
            "SELECT body::text AS body FROM checkpoints WHERE run_id = \(run) ORDER BY created_at, id"
        ).map { try EventBody.event(CheckpointEvent.self, of: $0) }
    }

    static func stage(_ name: String, table: String) throws -> TrainingStage {
        guard let stage = TrainingStage(rawValue: name) else { throw StoreError(table: table, what: "stage '\(name)'") }
        return stage
    }
}

extension RunEvent {
    /// The stages that the run trains, in order: the chain of the methods, then the plain arm, which is given as many
    /// tokens as the chain took.
    public var trainedStages: [TrainingStage] {
        var result: [TrainingStage] = []
        if stages.hsft != nil { result.append(.hsft) }
        if stages.krsl != nil { result.append(.krsl) }
        if stages.dpo != nil { result.append(.dpo) }
        if stages.plain != nil { result.append(.plain) }
        return result
    }

    /// The stage that roll-outs and DPO start from: the last supervised one of the chain.
    public var stageOneFinal: TrainingStage {
        stages.krsl != nil ? .krsl : (stages.hsft != nil ? .hsft : .initial)
    }
}
