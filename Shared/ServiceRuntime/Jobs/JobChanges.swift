public import PostgresClient

/// Whether something has been written that could make a job ready.
public enum JobChanges {
    /// A number that has grown where something has; it may grow for less.
    ///
    /// It grows before what was written is committed, and so seen.
    public static func latest(from pool: PostgresPool) async throws -> Int {
        try await pool.value("SELECT last_job_change()", as: Int.self)
    }
}
