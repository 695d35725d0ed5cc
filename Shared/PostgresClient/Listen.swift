import Dispatch
import Logging

/// A message that another session sent with NOTIFY.
public struct PostgresNotification: Sendable, Hashable {
    /// The channel.
    public var channel: String
    /// The text that came along, maybe empty.
    public var payload: String
    /// The server process of the sender.
    public var processID: Int32
}

/// What a listener sees.
public enum PostgresListenEvent: Sendable, Hashable {
    /// LISTEN is in force, at first or again after the connection was lost: look now for what was missed.
    case listening
    /// A message.
    case notification(PostgresNotification)
}

extension PostgresPool {
    /// Listens on a connection of its own until the stream's reader stops, and connects again when it is lost.
    ///
    /// A reader that is 4,096 events behind loses the oldest ones: notifications are hints to look, not a queue.
    public func listen(_ channel: String) -> AsyncStream<PostgresListenEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresListenEvent.self,
            bufferingPolicy: .bufferingNewest(4_096)
        )
        let configuration = configuration
        let logger = logger
        let task = Task {
            defer { continuation.finish() }
            let policy = RetryPolicy(maximumAttempts: .max, initialDelay: .milliseconds(50), maximumDelay: .seconds(5))
            let connection = PostgresConnection(configuration: configuration)
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await connection.open()
                    _ = try await connection.simple("LISTEN \(SQL.quote([channel]))")
                    failures = 0
                    continuation.yield(.listening)
                    while true {
                        for note in try await connection.takeNotifications() { continuation.yield(.notification(note)) }
                        try await connection.waitUntilReadable()
                    }
                } catch {
                    if Task.isCancelled { break }
                    failures += 1
                    logger.warning(
                        "the listener lost its connection",
                        metadata: ["channel": "\(channel)", "cause": "\(error)"]
                    )
                    // Cancellation ends the loop at its head.
                    try? await Task.sleep(for: policy.delay(afterFailures: failures))
                }
            }
            await connection.close()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}

extension PostgresConnection {
    /// Waits until the server has sent something, or closed the connection, without holding a thread.
    func waitUntilReadable() async throws {
        guard let descriptor = socketDescriptor else {
            throw PostgresError(kind: .usage, message: "the connection is closed")
        }
        let watch = ReadWatch(descriptor: descriptor, queue: executor.queue)
        await watch.wait()
        try Task.checkCancellation()
    }
}

/// Watches a descriptor once.
///
/// `wait` returns only after the watch has ended, so that the descriptor may be closed.
private final class ReadWatch: Sendable {
    /// Dispatch sources may be used from any thread; their protocol does not say so.
    private struct Source: @unchecked Sendable {
        let source: any DispatchSourceRead
    }

    private let box: Source

    init(descriptor: Int32, queue: DispatchQueue) {
        box = Source(source: DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue))
    }

    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                box.source.setEventHandler { [box] in box.source.cancel() }
                box.source.setCancelHandler { continuation.resume() }
                box.source.activate()
            }
        } onCancel: {
            box.source.cancel()
        }
    }
}
