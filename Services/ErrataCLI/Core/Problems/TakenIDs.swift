import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// Tells before a problem is sent that its id stands for another one already, where the database can be asked.
///
/// The service refuses such a problem too, as a dead letter; here the user still sees the line.
actor TakenIDs {
    private var pool: PostgresPool?
    private var isAsked = true

    /// Asks the database that the options name; none is asked where none is named.
    init(_ system: SystemOptions, environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let configuration = try? system.database(environment: environment) else {
            pool = nil
            return
        }
        pool = SystemOptions.pool(configuration, maximumConnections: 1)
    }

    /// What stands against problems, by their ids, and what the user is told once where the database cannot be asked: the
    /// problems are sent all the same.
    func conflicts(of events: [ProblemEvent]) async -> (byID: [String: String], warning: String?) {
        guard let pool, isAsked else { return ([:], nil) }
        do {
            let known = try await ProblemStore.problems(ids: events.map(\.id), from: pool)
            let byID = Dictionary(known.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            let conflicts = events.compactMap { event in
                byID[event.id].flatMap { ProblemStore.conflict(of: event, with: $0) }.map { (event.id, $0) }
            }
            return (Dictionary(conflicts, uniquingKeysWith: { first, _ in first }), nil)
        } catch {
            isAsked = false
            let warning = "the database cannot be asked whether ids are taken, the service refuses those that are"
            return ([:], "\(warning): \(Explanation.text(of: error))")
        }
    }

    /// Closes the connection.
    func close() { pool?.close() }
}
