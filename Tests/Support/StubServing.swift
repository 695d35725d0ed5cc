package import Hummingbird
import Logging
import NIOCore

/// The stub's server has ended before it listened.
package struct StubNotServing: Error {}

/// Serves routes on a free port of the loopback while the body runs, which is given the port.
package func whileServing(_ router: Router<BasicRequestContext>, _ body: (Int) async throws -> Void) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
        router: router,
        configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in
            port.yield(channel.localAddress?.port ?? 0)
            port.finish()
        },
        logger: Logger(label: "stub") { _ in SwiftLogNoOpLogHandler() }
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.runService(gracefulShutdownSignals: []) }
        defer { group.cancelAll() }
        var iterator = ports.makeAsyncIterator()
        guard let number = await iterator.next() else { throw StubNotServing() }
        try await body(number)
    }
}
