import Foundation
import Logging
import Synchronization

/// Takes what a client logs while it is asked whether anyone answers, and keeps why nobody did.
final class LastWords: Sendable {
    private let words = Mutex<String?>(nil)

    /// A logger that writes nothing.
    var logger: Logger {
        Logger(label: "errata.command", factory: { _ in Handler(words: self) })
    }

    /// Why the last attempt to connect failed, as librdkafka says it; nil where none did.
    var cause: String? { words.withLock { $0 } }

    /// Keeps the last failure.
    func take(_ message: String) { words.withLock { $0 = Self.shortened(message) } }

    /// librdkafka's sentence without the name of its thread and what it says of times:
    /// `[thrd:a:1/bootstrap]: a:1/bootstrap: Connect to … failed: Connection refused (after 0ms in state CONNECT)`.
    static func shortened(_ message: String) -> String {
        var text = Substring(message)
        if text.hasPrefix("[thrd:"), let end = text.range(of: "]: ") { text = text[end.upperBound...] }
        if let end = text.range(of: " (after ") { text = text[..<end.lowerBound] }
        return String(text)
    }

    private struct Handler: LogHandler {
        let words: LastWords
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if event.metadata?["facility"] == "FAIL" { words.take(event.message.description) }
        }
    }
}
