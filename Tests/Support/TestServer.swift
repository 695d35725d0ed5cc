import Foundation
package import PostgresClient
import Synchronization

/// One server for the whole test run; each test makes a database of its own.
package enum TestServer {
    private static let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("errata-tests-\(UUID().uuidString.prefix(8))")
    private static let postmaster = Mutex<Int32?>(nil)

    private static let configuration = Task { () async throws -> PostgresConfiguration in
        let server = EmbeddedPostgres(stateFolder: folder, settings: ["fsync": "off", "max_connections": "300"])
        let configuration = try await server.start()
        let pid = await server.processID
        postmaster.withLock { $0 = pid }
        // Swift Testing has no end-of-run hook.
        atexit { TestServer.remove() }
        return configuration
    }

    private static func remove() {
        if let pid = postmaster.withLock({ $0 }) {
            kill(pid, SIGQUIT)
            waitpid(pid, nil, 0)
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs the body with a pool on a new, empty database.
    package static func withPool<Value>(
        _ options: PostgresPool.Options = .init(maximumConnections: 4),
        _ body: (PostgresPool) async throws -> Value
    ) async throws -> Value {
        let server = try await configuration.value
        let name = "t_" + UUID().uuidString.replacing("-", with: "").lowercased()
        let administration = PostgresPool(configuration: server, maximumConnections: 1)
        defer { administration.close() }
        try await administration.execute("CREATE DATABASE \(identifier: name)")
        let pool = PostgresPool(configuration: server.with(database: name), options: options)
        defer { pool.close() }
        return try await body(pool)
    }
}
