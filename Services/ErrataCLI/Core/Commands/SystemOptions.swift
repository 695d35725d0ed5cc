import ArgumentParser
import Foundation
import KafkaClient
import Logging
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

    /// The broker: ERRATA_KAFKA_BOOTSTRAP_SERVERS (and ERRATA_KAFKA_SETTINGS) where set, else the local system's.
    func kafka() throws -> KafkaConfiguration {
        let environment = ProcessInfo.processInfo.environment
        guard let servers = environment["ERRATA_KAFKA_BOOTSTRAP_SERVERS"] else {
            return KafkaConfiguration(bootstrapServers: try LocalEndpoint.read(from: stateFolder).kafka)
        }
        guard let settings = PassThroughSettings(configurationText: environment["ERRATA_KAFKA_SETTINGS"] ?? "") else {
            throw CLIError("ERRATA_KAFKA_SETTINGS is not of the form name=value;name=value")
        }
        return KafkaConfiguration(bootstrapServers: servers, settings: settings.values)
    }

    /// The database: ERRATA_POSTGRES_URL (or _FILE) where set, else the local system's.
    func database() throws -> PostgresConfiguration {
        let environment = ProcessInfo.processInfo.environment
        var url = environment["ERRATA_POSTGRES_URL"]
        if url == nil, let file = environment["ERRATA_POSTGRES_URL_FILE"] { url = try secret(file) }
        var configuration = try PostgresConfiguration(
            url: try url ?? LocalEndpoint.read(from: stateFolder).postgres
        )
        if let password = environment["ERRATA_POSTGRES_PASSWORD"] {
            configuration.setPassword(password)
        } else if let file = environment["ERRATA_POSTGRES_PASSWORD_FILE"] {
            configuration.setPassword(try secret(file))
        }
        return configuration
    }

    /// Runs a body with a small connection pool and closes it.
    func withDatabase<Result>(_ body: (PostgresPool) async throws -> Result) async throws -> Result {
        let pool = PostgresPool(configuration: try database(), maximumConnections: 2)
        do {
            let result = try await body(pool)
            pool.close()
            return result
        } catch {
            pool.close()
            throw error
        }
    }

    private func secret(_ file: String) throws -> String {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw CLIError("\(file) cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Writes to standard output and error, one call a line.
enum Terminal {
    static func out(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    static func error(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}
