public import PostgresClient
import Schemas

/// What is kept for a time in the database, and which models it needs.
public enum RetentionStore {
    /// The number of inbox rows that are older than their life.
    public static func oldInboxRows(life: Duration, from pool: PostgresPool) async throws -> Int {
        try await pool.value("SELECT count(*) FROM inbox WHERE received_at < \(start(of: life))")
    }

    /// Deletes inbox rows that are older than their life, the oldest first.
    ///
    /// - Returns: how many, at most `limit`.
    public static func pruneInbox(life: Duration, limit: Int, in pool: PostgresPool) async throws -> Int {
        try await pool.execute(
            """
            DELETE FROM inbox WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM inbox WHERE received_at < \(start(of: life)) ORDER BY received_at LIMIT \(limit)
            ))
            """
        )
    }

    /// The number of bodies of events that were published longer ago than their life.
    public static func oldOutboxBodies(life: Duration, from pool: PostgresPool) async throws -> Int {
        try await pool.value("SELECT count(*) FROM outbox WHERE \(isPrunable(life))")
    }

    /// Empties the bodies of events that were published longer ago than their life, the oldest first; the events stay known
    /// by their ids, and are published no more.
    ///
    /// Events that the broker refused keep theirs until they are settled and published.
    /// - Returns: how many, at most `limit`.
    public static func pruneOutbox(life: Duration, limit: Int, in pool: PostgresPool) async throws -> Int {
        try await pool.execute(
            """
            WITH old AS (
                SELECT sequence FROM outbox WHERE \(isPrunable(life)) ORDER BY published_at LIMIT \(limit)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE outbox SET payload = '' FROM old WHERE outbox.sequence = old.sequence
            """
        )
    }

    /// The hashes of the models that runs need.
    ///
    /// All of runs that are active, or ended less than a life ago. Of earlier ones the student, each round's champion, each
    /// candidate that was promoted, and the last candidate; of runs whose candidate is not known, all. With each what it was
    /// trained from.
    public static func neededModels(life: Duration, from pool: PostgresPool) async throws -> Set<String> {
        let rows = try await pool.query(
            """
            WITH RECURSIVE kept AS (
                SELECT made.id, made.parent_id, made.model_hash
                FROM checkpoints AS made JOIN runs ON runs.id = made.run_id
                CROSS JOIN LATERAL (
                    SELECT coalesce(runs.body->'gate'->>'stage', runs.body->'stages'->-1->>'name') AS stage
                ) AS candidate
                WHERE runs.state = 'active' OR runs.ended_at IS NULL OR runs.ended_at >= \(start(of: life))
                   OR candidate.stage IS NULL
                   OR made.stage = candidate.stage AND made.round = (
                       SELECT max(round) FROM checkpoints WHERE run_id = made.run_id AND stage = made.stage
                   )
                   OR made.id IN (SELECT champion_checkpoint_id FROM rounds)
                   OR made.id IN (
                       SELECT body->>'candidateCheckpointId' FROM verdicts
                       WHERE decision = \(VerdictEvent.Decision.promote.rawValue)
                   )
                UNION
                SELECT parent.id, parent.parent_id, parent.model_hash
                FROM checkpoints AS parent JOIN kept ON parent.id = kept.parent_id
            )
            SELECT model_hash AS hash FROM kept
            UNION
            SELECT body->'student'->>'modelHash' FROM runs WHERE body->'student'->>'modelHash' IS NOT NULL
            """
        )
        return Set(try rows.map { try $0.get("hash", as: String.self) })
    }

    private static func start(of life: Duration) -> SQL { "now() - make_interval(secs => \(life / .seconds(1)))" }

    private static func isPrunable(_ life: Duration) -> SQL {
        "published_at < \(start(of: life)) AND payload <> '' AND refused_at IS NULL"
    }
}
