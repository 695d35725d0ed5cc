package import Logging
package import ServiceLifecycle
import Synchronization

/// Runs a service while the body runs, then cancels it, as the end of its process would, and waits for its end.
package func whileRunning<Value: Sendable>(
    _ service: some Service,
    _ body: () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await service.run() }
        defer { group.cancelAll() }
        let value = try await body()
        group.cancelAll()
        try await group.waitForAll()
        return value
    }
}

/// Keeps what is logged.
package final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    package init() {}

    /// A logger that writes here.
    package var logger: Logger { Logger(label: "test") { _ in Handler(book: self) } }

    /// Message and metadata of every line so far.
    package var text: [String] { lines.withLock { $0 } }

    /// The number of lines that hold a text.
    package func count(_ part: String) -> Int { text.count { $0.contains(part) } }

    fileprivate func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct Handler: LogHandler {
    let book: LogBook
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        book.add((["\(event.message)"] + values).joined(separator: " "))
    }
}
