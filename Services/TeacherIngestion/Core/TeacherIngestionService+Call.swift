import CompletionClient
import Foundation
import Schemas
import ServiceRuntime
import Teaching

extension TeacherIngestionService {
    /// Puts a question of a few words to each teacher, for `--check --call`.
    ///
    /// - Returns: A line for each, with what was adapted to its server.
    /// - Throws: ``ConfigurationError`` with the server's words, and the parameter where it names one.
    @Sendable static func call(_ configuration: Configuration) async throws -> String {
        guard try scope(configuration).asks else { return "no teacher is asked: ERRATA_TEACHER_PARTS is none\n" }
        var roles: [TeacherSettings: [TeacherRole]] = [:]
        for (role, entry) in try settings(configuration) { roles[entry, default: []].append(role) }
        var lines: [String] = []
        for (entry, roles) in roles {
            let names = TeacherRole.allCases.filter(roles.contains).map(\.rawValue).joined(separator: ", ")
            let options = HTTPTeacher.Options(settings: entry, apiKey: try apiKey(for: entry, configuration))
            let client = CompletionServer.makeClient(connectTimeout: .seconds(entry.connectSeconds ?? 10))
            guard let server = options.server(client) else { continue }
            lines.append("\(names): \(try await call(server, entry, names: names))\n")
        }
        return lines.sorted().joined()
    }

    private static func call(
        _ server: CompletionServer,
        _ entry: TeacherSettings,
        names: String
    ) async throws -> String {
        var adaptation = ChatAdaptation()
        var changes: [String] = []
        while true {
            let body = HTTPTeacher.probe(entry, adaptation: adaptation)
            do {
                let answer = try await server.post(
                    "chat/completions",
                    body: Array(try EventCoding.encodeJSON(body)),
                    isStream: body["stream"]?.boolValue == true
                )
                let reply = try ChatWire.reply(answer, model: entry.model ?? "", place: "\(server.options.address)")
                let answered = "\(reply.model) at \(server.options.address) answers in \(reply.latencyMilliseconds) ms"
                return ([answered] + changes).joined(separator: "; ")
            } catch let error as ServerError {
                if let change = adaptation.learn(from: error) {
                    changes.append(change)
                    continue
                }
                let cure = error.parameter.map { "; it refuses \($0): leave it out (null) or rename it in body" }
                throw ConfigurationError("\(names): the teacher gives no answer: \(error)\(cure ?? "")")
            }
        }
    }
}
