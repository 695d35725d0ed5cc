package import PostgresClient
import ServiceRuntime

/// Databases with Errata's tables.
package enum TestDatabase {
    /// Runs the body with a pool of at most so many connections on a new database.
    package static func withPool<Value>(
        connections: Int = 10,
        _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        try await TestServer.withPool(.init(maximumConnections: connections)) { pool in
            try await DatabaseSchema.migrate(pool)
            return try await body(pool)
        }
    }
}
