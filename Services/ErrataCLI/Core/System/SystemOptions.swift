import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import ServiceRuntime

/// Which system a command talks to.
struct SystemOptions: ParsableArguments {
    @Option(help: "The state folder of a system started by `errata up`.")
    var state = ".errata"

    /// The folder.
    var stateFolder: URL {
        URL(fileURLWithPath: state, relativeTo: URL(fileURLWithPath: FileManager.default.currentDirectoryPath))
            .absoluteURL
    }

    /// The broker: ERRATA_KAFKA_BOOTSTRAP_SERVERS (and ERRATA_KAFKA_SETTINGS, ERRATA_KAFKA_SASL_PASSWORD or their
    /// _FILE) where set, else the local system's.
    func kafka(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> KafkaConfiguration {
        guard let servers = environment["ERRATA_KAFKA_BOOTSTRAP_SERVERS"] else {
            return KafkaConfiguration(bootstrapServers: try LocalEndpoint.read(from: stateFolder).kafka)
        }
        return try Self.kafka(at: servers, environment: environment)
    }

    /// The broker at an address, with the settings and the password that the environment has for it.
    static func kafka(at servers: String, environment: [String: String]) throws -> KafkaConfiguration {
        let text = try SecretFile.value(of: "ERRATA_KAFKA_SETTINGS", in: environment) ?? ""
        guard var settings = PassThroughSettings(configurationText: text)?.values else {
            throw CLIError("ERRATA_KAFKA_SETTINGS is not of the form name=value;name=value")
        }
        if let fault = KafkaConfiguration.fault(in: settings) { throw CLIError("ERRATA_KAFKA_SETTINGS: \(fault)") }
        if let password = try SecretFile.value(of: "ERRATA_KAFKA_SASL_PASSWORD", in: environment) {
            settings["sasl.password"] = password
        }
        return KafkaConfiguration(bootstrapServers: servers, settings: settings)
    }

    /// The database: ERRATA_POSTGRES_URL (and ERRATA_POSTGRES_PASSWORD, or their _FILE) where set, else the local
    /// system's.
    func database(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> PostgresConfiguration {
        let url = try SecretFile.value(of: "ERRATA_POSTGRES_URL", in: environment)
        var configuration = try Self.database(
            at: try url ?? LocalEndpoint.read(from: stateFolder).postgres,
            environment: environment
        )
        // Listings read all there is, and who waits for one can stop it.
        configuration.statementTimeout = nil
        return configuration
    }

    /// The database at an address, with the password that the environment has for it.
    static func database(at url: String, environment: [String: String]) throws -> PostgresConfiguration {
        var configuration = try PostgresConfiguration(url: url)
        if let password = try SecretFile.value(of: "ERRATA_POSTGRES_PASSWORD", in: environment) {
            configuration.setPassword(password)
        }
        return configuration
    }

    /// Whether the environment names the broker, so that its services may run on other machines.
    static func namesBroker(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
        environment["ERRATA_KAFKA_BOOTSTRAP_SERVERS"] != nil
    }

    /// Whether the environment names the database, so that it is not the state folder's.
    static func namesDatabase(_ environment: [String: String]) -> Bool {
        environment["ERRATA_POSTGRES_URL"] != nil || environment["ERRATA_POSTGRES_URL_FILE"] != nil
    }

    /// Runs a body with a small connection pool and closes it.
    ///
    /// Arguments:
    ///   - checksSchema: whether the tables must be this version's.
    /// - Throws: ``SystemFault`` where the database does not answer or its tables do not fit, and what the body throws.
    func withDatabase<Result>(
        checksSchema: Bool = true,
        _ body: (PostgresPool) async throws -> Result
    ) async throws -> Result {
        let pool = Self.pool(try database())
        defer { pool.close() }
        try await check(pool, schema: checksSchema)
        return try await body(pool)
    }

    /// Runs a body on the database that there is; nil where there is none.
    ///
    /// That is the one that is set, the running system's, or that of the state folder, whose server is started for it.
    func withStoredDatabase<Result>(
        checksSchema: Bool = true,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        _ body: (PostgresPool) async throws -> Result
    ) async throws -> Result? {
        let endpoint = stateFolder.appending(path: LocalEndpoint.fileName)
        if Self.namesDatabase(environment) || FileManager.default.fileExists(atPath: endpoint.path) {
            return try await withDatabase(checksSchema: checksSchema, body)
        }
        let folder = stateFolder.appending(path: "postgres")
        guard FileManager.default.fileExists(atPath: folder.path) else { return nil }
        let lock = try StateLock(state: stateFolder)
        defer { withExtendedLifetime(lock) {} }
        let server = EmbeddedPostgres(stateFolder: folder)
        let pool = Self.pool(try await server.start(), maximumConnections: 1)
        let result: Result = try await attempting {
            try await check(pool, schema: checksSchema)
            return try await body(pool)
        } finally: {
            pool.close()
            await server.stop()
        }
        return result
    }
}
