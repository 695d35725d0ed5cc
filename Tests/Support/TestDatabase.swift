import Foundation
package import PostgresClient
import ServiceRuntime
import Synchronization

/// One server for the whole test run; each test has a database of its own with Errata's tables.
package enum TestDatabase {
    private static let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("errata-tests-\(UUID().uuidString.prefix(8))")
    private static let postmaster = Mutex<Int32?>(nil)

    private static let configuration = Task { () async throws -> PostgresConfiguration in
        let server = EmbeddedPostgres(stateFolder: folder, settings: ["fsync": "off", "max_connections": "300"])
        let configuration = try await server.start()
        let pid = await server.processID
        postmaster.withLock { $0 = pid }
        // Swift Testing has no end-of-run hook.
        atexit { TestDatabase.remove() }
        return configuration
    }

    private static func remove() {
        if let pid = postmaster.withLock({ $0 }) {
            kill(pid, SIGQUIT)
            waitpid(pid, nil, 0)
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs the body with a pool of at most so many connections on a new database.
    package static func withPool<Value>(
        connections: Int = 10,
        _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        let server = try await configuration.value
        let name = "t_" + UUID().uuidString.replacing("-", with: "").lowercased()
        let administration = PostgresPool(configuration: server, maximumConnections: 1)
        defer { administration.close() }
        try await administration.execute("CREATE DATABASE \(identifier: name)")
        let pool = PostgresPool(configuration: server.with(database: name), maximumConnections: connections)
        defer { pool.close() }
        try await DatabaseSchema.migrate(pool)
        return try await body(pool)
    }
}
