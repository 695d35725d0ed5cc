import ArgumentParser
import Foundation
import Logging
import PostgresClient
import ServiceRuntime

/// The database that is measured: one of a server that `ERRATA_TEST_POSTGRES` names by a URL, or of one that is started
/// for it.
struct DatabaseOptions: ParsableArguments {
    @Option(help: "A setting of the private server, name=value, such as synchronous_commit=off; may be repeated.")
    var postgresSetting: [String] = []

    @Flag(help: "List what the private server spends on each statement; costs a little itself.")
    var statements = false

    func validate() throws {
        guard postgresSetting.allSatisfy({ $0.contains("=") }) else {
            throw ValidationError("--postgres-setting is name=value")
        }
    }

    /// Runs the body with a server on which databases can be made.
    func withServer<Value>(_ body: (BenchmarkServer) async throws -> Value) async throws -> Value {
        if let url = ProcessInfo.processInfo.environment["ERRATA_TEST_POSTGRES"] {
            guard postgresSetting.isEmpty, !statements else {
                throw BenchmarkError(
                    "--postgres-setting and --statements are for the private server: unset ERRATA_TEST_POSTGRES"
                )
            }
            return try await body(
                BenchmarkServer(configuration: PostgresConfiguration(url: url), postmaster: nil, showsStatements: false)
            )
        }
        var settings = ["max_connections": "200"]
        for setting in postgresSetting {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            settings[String(parts[0])] = String(parts[1])
        }
        if statements { settings["shared_preload_libraries"] = "pg_stat_statements" }
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-benchmark-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = EmbeddedPostgres(stateFolder: folder, settings: settings, logger: .quiet)
        let configuration = try await server.start()
        let result: Result<Value, any Error>
        do {
            let postmaster = await server.processID
            result = .success(
                try await body(
                    BenchmarkServer(
                        configuration: configuration,
                        postmaster: postmaster,
                        showsStatements: statements
                    )
                )
            )
        } catch {
            result = .failure(error)
        }
        await server.stop()
        return try result.get()
    }
}

/// A server of PostgreSQL.
struct BenchmarkServer: Sendable {
    let configuration: PostgresConfiguration
    /// The process of a private server.
    let postmaster: Int32?
    let showsStatements: Bool

    /// Runs the body with a pool on a new database that has Errata's tables, which is dropped at the end.
    func withDatabase<Value>(connections: Int, _ body: (PostgresPool) async throws -> Value) async throws -> Value {
        let name = "benchmark_" + UUID().uuidString.replacing("-", with: "").lowercased()
        let administration = PostgresPool(configuration: configuration, maximumConnections: 1, logger: .quiet)
        defer { administration.close() }
        try await administration.execute("CREATE DATABASE \(identifier: name)")
        let pool = PostgresPool(
            configuration: configuration.with(database: name),
            maximumConnections: connections,
            logger: .quiet
        )
        let result: Result<Value, any Error>
        do {
            try await DatabaseSchema.migrate(pool)
            if showsStatements { try await pool.execute("CREATE EXTENSION pg_stat_statements") }
            result = .success(try await body(pool))
        } catch {
            result = .failure(error)
        }
        pool.close()
        try? await administration.execute("DROP DATABASE \(identifier: name) WITH (FORCE)")
        return try result.get()
    }

    /// Forgets what statements cost so far.
    func resetStatements(_ pool: PostgresPool) async throws {
        guard showsStatements else { return }
        try await pool.query("SELECT pg_stat_statements_reset()")
    }

    /// Prints what the server spent on the costliest statements, a message.
    func printStatements(_ pool: PostgresPool, messages: Int) async throws {
        guard showsStatements else { return }
        let rows = try await pool.query(
            """
            SELECT calls::float8 AS calls, total_exec_time AS milliseconds,
                   left(regexp_replace(query, '\\s+', ' ', 'g'), 70) AS text
            FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            ORDER BY total_exec_time DESC LIMIT 15
            """
        )
        var table = Table("statement", "calls/message", "us/message")
        for row in rows {
            let calls = try row.get("calls", as: Double.self)
            let milliseconds = try row.get("milliseconds", as: Double.self)
            table.add(
                try row.get("text", as: String.self),
                (calls / Double(messages)).text(3),
                (1_000 * milliseconds / Double(messages)).text(1)
            )
        }
        table.print()
    }
}
