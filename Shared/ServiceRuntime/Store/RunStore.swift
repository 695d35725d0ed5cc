import Foundation
public import PostgresClient
public import Schemas

/// The tables `runs` and `checkpoints`.
public enum RunStore {
    /// Writes a run with its first round and a waiting job for each of its stages.
    ///
    /// The service that takes runs up does this, once it has checked all that there is to check; others wait for it.
    public static func insert(_ run: RunEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO runs (id, name, dataset, body, trace_context)
            VALUES (\(run.id), \(run.name), \(run.dataset), \(try EventBody.text(of: run))::jsonb,
                    \(TraceContext.current?.text))
            ON CONFLICT (id) DO NOTHING
            """
        )
        let initial = CheckpointEvent.id(run: run.id, round: 1, stage: RunStage.initial)
        try await RoundStore.start(
            run,
            round: 1,
            champion: initial,
            from: initial,
            reason: "the run arrived",
            in: transaction
        )
    }

    /// What became of a run.
    public enum State: String, Sendable {
        /// It is trained, or waits.
        case active
        /// All of it is done.
        case finished
        /// It was cancelled.
        case cancelled
    }

    /// The state of a run with its reason; nil where there is no such run.
    public static func state(
        of run: String,
        from pool: PostgresPool
    ) async throws -> (state: State, reason: String?)? {
        guard
            let row = try await pool.query("SELECT state, state_reason FROM runs WHERE id = \(run)").first
        else { return nil }
        return (try row.named("state", in: "runs", as: State.self), try row.get("state_reason", as: String?.self))
    }

    /// Why the service that takes runs up has refused one delivery of a run; nil where it has not, or the message was sent
    /// again since.
    ///
    /// What became of an earlier delivery says nothing: the run, or what it needs, may have been mended since. Orders to the
    /// run have its key too, and places of their own.
    ///
    /// Arguments:
    ///   - partition: the delivery's partition of the topic of runs.
    ///   - offset: its offset there.
    private static func refusal(
        of run: String,
        partition: Int32,
        offset: Int64,
        from pool: PostgresPool
    ) async throws -> PermanentFailure? {
        try await pool.first(
            """
            SELECT cause_code, cause_message FROM dead_letters
            WHERE topic = \(Topic.runs.rawValue) AND key = \(Data(run.utf8)) AND consumer = 'template-distiller'
              AND partition = \(partition) AND "offset" = \(offset) AND replayed_at IS NULL
            ORDER BY failed_at DESC LIMIT 1
            """
        ).map {
            PermanentFailure(
                code: try $0.get("cause_code", as: String.self),
                message: try $0.get("cause_message", as: String.self)
            )
        }
    }

    /// Ends a run that is active; its stages and evaluations that are not done are not begun any more.
    ///
    /// - Returns: whether it was active.
    public static func end(
        _ run: String,
        as state: State,
        reason: String,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        try await !transaction.query(
            """
            UPDATE runs SET state = \(state.rawValue), state_reason = \(reason), ended_at = now()
            WHERE id = \(run) AND state = 'active' RETURNING id
            """
        ).isEmpty
    }

    /// Whether a run is active.
    static func isActive(_ run: String, in transaction: PostgresTransaction) async throws -> Bool {
        let found = try await transaction.first("SELECT state FROM runs WHERE id = \(run)")
        return try found.map { try $0.named("state", in: "runs", as: State.self) == .active } ?? false
    }

    /// Sets what the teacher may cost for a run.
    ///
    /// - Returns: whether there is such a run.
    public static func setTeacherBudget(
        _ budget: RunTeacherBudget?,
        of id: String,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        guard
            let row = try await transaction.first("SELECT body::text AS body FROM runs WHERE id = \(id) FOR UPDATE")
        else { return false }
        var run = try EventBody.event(RunEvent.self, of: row)
        run.teacherBudget = budget
        // One that was taken up before there was a rule is not judged by it now.
        let body = String(decoding: try EventCoding.encodeJSON(run), as: UTF8.self)
        try await transaction.execute("UPDATE runs SET body = \(body)::jsonb WHERE id = \(id)")
        return true
    }

    /// One run by its id.
    public static func run(_ id: String, from database: some PostgresQueryable) async throws -> RunEvent? {
        try await database.query("SELECT body::text AS body FROM runs WHERE id = \(id)").first
            .map { try EventBody.event(RunEvent.self, of: $0) }
    }

    /// Whether a run is written; every service that takes runs up asks, so that all refuse the same ones.
    ///
    /// What the teacher may cost is not looked at: an order may have changed it since the run came.
    ///
    /// - Throws: ``PermanentFailure`` `run-exists` where another run is written under its id, with the other's name and the
    ///   cure.
    @discardableResult
    public static func isWritten(_ run: RunEvent, in database: some PostgresQueryable) async throws -> Bool {
        guard var known = try await self.run(run.id, from: database) else { return false }
        known.teacherBudget = run.teacherBudget
        guard known == run else {
            throw PermanentFailure(
                code: "run-exists",
                message:
                    "id: there is another run with the id \(run.id), \"\(known.name)\"; submit this one under an id of "
                    + "its own (`errata runs replace` then puts it in that one's place)"
            )
        }
        return true
    }

    /// Whether the service that takes runs up has accepted one: it writes the run with its initial checkpoint. (Others, which
    /// do not check all that it does, wrote runs in earlier versions.)
    ///
    /// - Throws: ``PermanentFailure`` `run-exists` as ``isWritten(_:in:)`` does.
    private static func isAccepted(_ run: RunEvent, in database: some PostgresQueryable) async throws -> Bool {
        guard try await isWritten(run, in: database) else { return false }
        let initial = CheckpointEvent.id(run: run.id, round: 1, stage: RunStage.initial)
        return try await database.first("SELECT 1 AS found FROM checkpoints WHERE id = \(initial)") != nil
    }

    /// Whether the service that takes runs up has accepted one, of which one delivery is meant.
    ///
    /// - Throws: ``PermanentFailure`` `run-exists` as ``isWritten(_:in:)`` does, and the refusal of that delivery (see
    ///   ``refusal(of:partition:offset:from:)``) where the run is not accepted.
    public static func isAccepted(
        _ run: RunEvent,
        partition: Int32,
        offset: Int64,
        from pool: PostgresPool
    ) async throws -> Bool {
        if try await isAccepted(run, in: pool) { return true }
        let refusal = try await refusal(of: run.id, partition: partition, offset: offset, from: pool)
        if let refusal { throw refusal }
        return false
    }

    /// The trace that a run came in; nil where it came in none.
    public static func trace(of run: String, from database: some PostgresQueryable) async throws -> TraceContext? {
        try await database.first("SELECT trace_context FROM runs WHERE id = \(run)")?.traceContext()
    }

    /// The runs, oldest first.
    ///
    /// Arguments:
    ///   - active: only those that are.
    public static func runs(
        active: Bool = false,
        from database: some PostgresQueryable
    ) async throws -> [RunEvent] {
        try await database.query(
            "SELECT body::text AS body FROM runs WHERE NOT \(active) OR state = 'active' ORDER BY created_at, id"
        )
        .map { try EventBody.event(RunEvent.self, of: $0) }
    }

    /// The names of the runs that came after one.
    public static func names(after run: String, from pool: PostgresPool) async throws -> [String] {
        try await pool.values(
            """
            SELECT younger.name FROM runs AS own JOIN runs AS younger
                ON (younger.created_at, younger.id) > (own.created_at, own.id)
            WHERE own.id = \(run)
            """,
            as: String.self
        )
    }

    /// Runs by their ids, oldest first; those that are not there are left out.
    public static func runs(ids: [String], from database: some PostgresQueryable) async throws -> [RunEvent] {
        try await database.query(
            "SELECT body::text AS body FROM runs WHERE id = ANY(\(ids)) ORDER BY created_at, id"
        ).map { try EventBody.event(RunEvent.self, of: $0) }
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

    // MARK: Checkpoints

    /// Writes a checkpoint and marks its stage as done.
    public static func insert(_ checkpoint: CheckpointEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO checkpoints (id, run_id, round, stage, parent_id, model_hash, tokens_trained, body)
            VALUES (\(checkpoint.id), \(checkpoint.runId), \(checkpoint.round ?? 1), \(checkpoint.stage),
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
            WHERE run_id = \(checkpoint.runId) AND round = \(checkpoint.round ?? 1) AND stage = \(checkpoint.stage)
            """
        )
    }

    /// The checkpoints of a run, oldest first.
    public static func checkpoints(run: String, from pool: PostgresPool) async throws -> [CheckpointEvent] {
        try await pool.query(
            "SELECT body::text AS body FROM checkpoints WHERE run_id = \(run) ORDER BY created_at, id"
        ).map { try EventBody.event(CheckpointEvent.self, of: $0) }
    }

    /// A checkpoint by its id.
    public static func checkpoint(_ id: String, from pool: PostgresPool) async throws -> CheckpointEvent? {
        try await pool.query("SELECT body::text AS body FROM checkpoints WHERE id = \(id)").first
            .map { try EventBody.event(CheckpointEvent.self, of: $0) }
    }

    /// The checkpoint of a stage in a round.
    public static func checkpoint(
        run: String,
        round: Int,
        stage: String,
        from pool: PostgresPool
    ) async throws -> CheckpointEvent? {
        try await checkpoint(CheckpointEvent.id(run: run, round: round, stage: stage), from: pool)
    }
}
