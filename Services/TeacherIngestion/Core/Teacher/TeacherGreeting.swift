import CompletionClient
import Logging
import Schemas
import ServiceLifecycle
import ServiceRuntime

/// Asks each teacher's server for its models when the service starts, so that a key which is refused is known before the first
/// message comes.
///
/// A refusal closes the server's gate, which says so; it is asked again until the key is mended. A server that has no such
/// list, or refuses it for another reason, is taken for well.
struct TeacherGreeting: Service {
    /// A server, with the gate that its calls go through and the models that it is asked for.
    struct Place: Sendable {
        let server: CompletionServer
        let gate: TeacherGate
        var models: Set<String>
    }

    let places: [Place]
    var backoff = Backoff(base: .seconds(2), cap: .seconds(30))
    let logger: Logger

    /// Asks the servers, and waits for the service's end.
    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            for place in places { group.addTask { try? await cancelWhenGracefulShutdown { try await greet(place) } } }
        }
        try? await gracefulShutdown()
    }

    /// Asks a server until it does not refuse the key.
    func greet(_ place: Place) async throws {
        var failures = 0
        while true {
            try await place.gate.enter(isProbe: true)
            do {
                let answer = try await place.server.get("models")
                await place.gate.leave(failures > 0 ? .judged : .abandoned)
                return warn(place, listed: answer.json["data"]?.arrayValue ?? [])
            } catch let error as ServerError where [.refusedKey, .quota].contains(error.kind) {
                await place.gate.leave(HTTPTeacher.outcome(of: error))
                failures += 1
                try await backoff.wait(afterFailure: failures)
            } catch let error as ServerError {
                await place.gate.leave(.abandoned)
                return logger.info("the teacher's server does not list its models", metadata: ["error": "\(error)"])
            } catch {
                await place.gate.leave(.abandoned)
                throw error
            }
        }
    }

    /// Names models that are asked for and are not in a server's list, which may know them by other names too.
    private func warn(_ place: Place, listed: [JSONValue]) {
        let names = listed.compactMap { $0.objectValue?["id"]?.stringValue }
        guard !names.isEmpty else { return }
        let missing = place.models.filter { model in !names.contains { $0 == model || $0.hasPrefix("\(model):") } }
        guard !missing.isEmpty else { return }
        logger.warning(
            "the teacher's server does not list a model that it is to be asked for",
            metadata: [
                "teacher": "\(place.server.options.address)", "asked": "\(missing.sorted().joined(separator: ", "))",
                "listed": "\(names.prefix(20).joined(separator: ", ").cut(toBytes: 1000))",
            ]
        )
    }
}
