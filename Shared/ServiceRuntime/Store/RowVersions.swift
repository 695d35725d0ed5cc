public import PostgresClient

/// The tables `trace_versions` and `problem_versions`: what stood in rows before it was replaced.
///
/// Triggers fill them; the snapshots of stages read them.
public enum RowVersions {
    /// The versions of one table's rows.
    struct Table: Sendable {
        /// Its name.
        let name: SQL
        /// The column that names the row.
        let row: SQL
        /// The columns that it shares with the row.
        let columns: SQL
    }

    static let traces = Table(name: "trace_versions", row: "trace_id", columns: "body")

    static let problems = Table(
        name: "problem_versions",
        row: "problem_id",
        columns: "dataset, split, question, solution, answer, answer_source, family, steps"
    )

    /// The advisory lock that keeps a collection from deleting what a snapshot needs that is not committed yet.
    private static let lock = "row_versions"

    /// Holds the deletion of versions off until the transaction ends: to be called before its snapshot is taken.
    static func keepAll(in transaction: PostgresTransaction) async throws {
        try await transaction.query("SELECT pg_advisory_xact_lock_shared(hashtextextended(\(lock), 0))")
    }

    /// The condition on a row `version` that it was replaced after a snapshot was taken.
    ///
    /// Where the database moved from server to server twice since, what the one between replaced is not known to have
    /// come after the snapshot; the digest then tells.
    ///
    /// Arguments:
    ///   - seen: the transactions that the snapshot saw, a `pg_snapshot`.
    ///   - server: the system identifier of the server that counted them.
    static func isReplaced(after seen: SQL, of server: SQL) -> SQL {
        """
        CASE WHEN version.server = \(server) THEN NOT pg_visible_in_snapshot(version.replaced_by, \(seen))
             ELSE version.server = (SELECT system_identifier FROM pg_control_system()) END
        """
    }

    // MARK: Retention

    /// The number of versions that no stage which may still be trained began with.
    public static func unneeded(from pool: PostgresPool) async throws -> Int {
        try await pool.value(
            """
            SELECT (SELECT count(*) FROM \(traces.name) AS version WHERE \(isUnneeded))
                   + (SELECT count(*) FROM \(problems.name) AS version WHERE \(isUnneeded))
            """
        )
    }

    /// Deletes versions that no stage which may still be trained began with, the oldest first.
    ///
    /// - Returns: how many, at most `limit`; none while a stage is just being started.
    public static func prune(limit: Int, in pool: PostgresPool) async throws -> Int {
        try await pool.withTransaction { transaction in
            let isAlone = try await transaction.value(
                "SELECT pg_try_advisory_xact_lock(hashtextextended(\(lock), 0))",
                as: Bool.self
            )
            guard isAlone else { return 0 }
            var count = 0
            for table in [traces, problems] {
                // A statement of its own, which sees all snapshots that were committed before the lock was got.
                count += try await transaction.execute(
                    """
                    DELETE FROM \(table.name) WHERE number = ANY(ARRAY(
                        SELECT number FROM \(table.name) AS version WHERE \(isUnneeded)
                        ORDER BY number LIMIT \(limit - count)
                    ))
                    """
                )
            }
            return count
        }
    }

    /// The condition on a row `version` that no stage which may still be trained began with it.
    ///
    /// All rows of a stage's snapshot are of one moment, and each stage reads problems. Which rows it names is not looked
    /// at: versions are few, and a stage's ids many.
    private static var isUnneeded: SQL {
        """
        NOT EXISTS (
            SELECT FROM job_snapshots AS snapshot
            JOIN training_jobs AS job USING (run_id, round, stage)
            JOIN runs ON runs.id = job.run_id
            WHERE snapshot.source = \(JobSnapshot.Source.problems.rawValue)
              AND job.state IN ('waiting', 'running') AND runs.state = 'active'
              AND \(isReplaced(after: "snapshot.seen", of: "snapshot.server"))
        )
        """
    }
}
