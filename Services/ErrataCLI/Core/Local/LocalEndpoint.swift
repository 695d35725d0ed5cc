import Foundation
import ModelFiles

/// Where a system started by `errata up` can be reached: written into its state folder, read by the other commands.
struct LocalEndpoint: Codable, Sendable {
    /// A running service.
    struct Service: Codable, Sendable {
        /// Its process id.
        let pid: Int32
        /// The address of its health and metrics pages.
        let http: String
    }

    /// Bootstrap servers of the broker.
    let kafka: String
    /// The database's address.
    ///
    /// That of a private cluster has no password. That of a server that ran already may have one, so that the other
    /// commands reach it: only the owner may read the file.
    let postgres: String
    /// The teacher's base address.
    let teacher: String
    /// The services by name.
    let services: [String: Service]

    /// The file's name in the state folder.
    static let fileName = "endpoint.json"

    func write(to state: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(encoder.encode(self), to: state.appending(path: Self.fileName), mode: 0o600)
    }

    /// Reads the file.
    ///
    /// - Throws: ``CLIError`` that says how to start a system when there is none.
    static func read(from state: URL) throws -> LocalEndpoint {
        let file = state.appending(path: fileName)
        guard let data = try? Data(contentsOf: file) else {
            throw CLIError(
                "no running system in \(state.path): start one with `errata up --state \(state.path)`, "
                    + "or set ERRATA_KAFKA_BOOTSTRAP_SERVERS and ERRATA_POSTGRES_URL"
            )
        }
        do {
            return try JSONDecoder().decode(LocalEndpoint.self, from: data)
        } catch {
            throw CLIError("\(file.path) is damaged (\(error)); stop the system and start it again")
        }
    }

    static func remove(from state: URL) {
        try? FileManager.default.removeItem(at: state.appending(path: fileName))
    }
}
