import Logging
import PracticeDomain
import Testing

@testable import TeacherSimulatorCore

/// Serves a simulated teacher on a free port while the body runs, which is given the port.
func whileServing(
    _ teacher: SimulatedTeacher,
    batchDelay: Duration = .zero,
    _ body: (Int) async throws -> Void
) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let server = TeacherServer(
        teacher: teacher,
        batchDelay: batchDelay,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        onListening: {
            port.yield($0)
            port.finish()
        }
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        defer { group.cancelAll() }
        var iterator = ports.makeAsyncIterator()
        try await body(try #require(await iterator.next()))
    }
}
