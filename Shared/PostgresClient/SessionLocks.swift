/// Advisory locks by name that one process holds at a time, on a connection of their own.
///
/// The database gives them back when the connection ends, so that what a killed process held is free at once, without an
/// expiry that somebody would have to wait for. Many may be held at the same time. They are of the session: whoever asks
/// here again for a name that is held here gets it, and behind a pooler that gives each transaction another session they
/// hold nobody off.
public struct SessionLocks: Sendable {
    private let connection: PostgresConnection

    /// Makes locks; the connection is opened at the first one.
    public init(configuration: PostgresConfiguration) {
        connection = PostgresConnection(configuration: configuration, statementCacheSize: 8)
    }

    /// Takes a lock, if no other process has it.
    ///
    /// - Throws: `PostgresError` when the database cannot be asked; all that were held are then free.
    public func tryLock(_ name: String) async throws -> Bool {
        try await connection.openIfNeeded()
        return try await connection.value("SELECT pg_try_advisory_lock(hashtextextended(\(name), 0))")
    }

    /// Gives a lock back, whether or not the task is cancelled.
    public func unlock(_ name: String) async {
        // A connection that cannot be asked is at its end, and its locks with it.
        await Task { _ = try? await connection.query("SELECT pg_advisory_unlock(hashtextextended(\(name), 0))") }.value
    }

    /// Gives all back and closes the connection; the next lock opens another one.
    public func close() async { await connection.close() }
}
