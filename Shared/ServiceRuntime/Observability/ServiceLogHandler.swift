import Foundation
public import Logging
import Schemas
import Synchronization

/// Where log lines go.
public struct LogSink: Sendable {
    let write: @Sendable (String) -> Void

    /// Makes a sink from what takes a line with its line feed.
    public init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

    /// Standard error, a line a write, so that lines of several processes do not mix.
    public static let standardError = LogSink { line in
        FileHandle.standardError.write(Data(line.utf8))
    }

    /// Standard output, for what a person asked for.
    public static let standardOutput = LogSink { line in
        FileHandle.standardOutput.write(Data(line.utf8))
    }
}

/// Writes log lines as logfmt or JSON, with the service's name; secrets that it was told are held back.
public struct ServiceLogHandler: LogHandler {
    /// The longest text of a field, in characters; what is longer is cut.
    static let longestField = 8192

    /// The least severe level that is logged.
    public var logLevel: Logger.Level
    /// Fields of every line.
    public var metadata: Logger.Metadata = [:]
    /// Fields from the task.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let service: String
    private let format: LogFormat
    private let secrets: [String]
    private let sink: LogSink
    private let now: @Sendable () -> Date

    /// Makes a handler.
    ///
    /// Secrets shorter than four characters are not searched for: they would tear every line apart.
    public init(
        label: String,
        service: String,
        level: LogLevel = .info,
        format: LogFormat = .logfmt,
        secrets: [String] = [],
        sink: LogSink = .standardError
    ) {
        self.label = label
        self.service = service
        logLevel = level.level
        self.format = format
        self.secrets = secrets.filter { $0.count >= 4 }.sorted { $0.count > $1.count }
        self.sink = sink
        now = { Date() }
    }

    /// A field of every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line.
    public func log(event: LogEvent) {
        var fields = metadata
        fields.merge(metadataProvider?.get() ?? [:]) { $1 }
        fields.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        var pairs: [(String, String)] = [
            ("time", (try? Timestamp.format(now())) ?? ""), ("level", event.level.rawValue), ("service", service),
            ("logger", label), ("msg", clean(event.message.description)),
        ]
        let own = Set(pairs.map(\.0))
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            pairs.append((own.contains(key) ? "field_\(key)" : key, clean(value.description)))
        }
        sink.write((format == .json ? Self.json(pairs) : Self.logfmt(pairs)) + "\n")
    }

    private func clean(_ text: String) -> String {
        var text = text
        for secret in secrets where text.contains(secret) {
            text = text.replacingOccurrences(of: secret, with: "<secret>")
        }
        return text.utf8.count > Self.longestField ? String(text.prefix(Self.longestField)) + "…" : text
    }

    static func logfmt(_ pairs: [(String, String)]) -> String {
        pairs.map { key, value in
            let name = String(key.map { $0.isWhitespace || "=\"".contains($0) ? "_" : $0 })
            let isPlain =
                !value.isEmpty
                && value.unicodeScalars.allSatisfy { $0.value > 32 && $0.value != 127 && $0 != "\"" && $0 != "=" }
            return "\(name)=\(isPlain ? value : quoted(value))"
        }.joined(separator: " ")
    }

    static func json(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 32 || scalar.value == 127:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
