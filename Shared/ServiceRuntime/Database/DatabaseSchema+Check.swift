import PostgresClient

extension DatabaseSchema {
    /// Fails where the database's tables are not those that this program works with, and says what mends it.
    static func check(_ database: some PostgresQueryable) async throws {
        if let fault = try await fault(of: database) { throw NotReady(fault.description) }
    }
}
