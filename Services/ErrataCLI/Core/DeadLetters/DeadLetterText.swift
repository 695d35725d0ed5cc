import Foundation
import Schemas
import ServiceRuntime

/// Dead letters as tables, lines of JSON and text.
enum DeadLetterText {
    /// The most characters of a cause in a table.
    private static let shownCause = 80
    /// The most bytes of a body that are shown.
    private static let shownBody = 4_000

    // MARK: Tables

    /// The table of `errata dead-letters list`.
    static func table(of entries: [DeadLetters.Entry]) -> String {
        guard !entries.isEmpty else { return "no dead letters" }
        var table = TextTable([
            ("id", .left), ("consumer", .left), ("topic/partition/offset", .left), ("cause", .left), ("failed", .left),
            ("state", .left),
        ])
        for entry in entries {
            table.add([
                entry.id, entry.consumer, entry.origin,
                "\(entry.cause.code): \(TextTable.oneLine(entry.cause.message, atMost: shownCause))",
                entry.failedAt.ISO8601Format(), entry.state.rawValue,
            ])
        }
        return table.rendered()
    }

    /// The table of `errata dead-letters list --count`.
    static func table(of causes: [DeadLetters.Cause]) -> String {
        guard !causes.isEmpty else { return "no dead letters" }
        var table = TextTable([
            ("cause", .left), ("consumer", .left), ("topic", .left), ("count", .right), ("first", .left),
            ("last", .left),
            ("such as", .left),
        ])
        for cause in causes {
            table.add([
                cause.code, cause.consumer, cause.topic, String(cause.count), cause.first.ISO8601Format(),
                cause.last.ISO8601Format(), TextTable.oneLine(cause.example, atMost: shownCause),
            ])
        }
        return table.rendered()
    }

    // MARK: JSON

    private struct CauseLine: Encodable {
        let code: String
        let message: String
    }

    /// A line of `errata dead-letters list --json`.
    private struct Line: Encodable {
        let id: String
        let consumer: String
        let origin: String
        let key: String?
        let cause: CauseLine
        let attempts: Int
        let bytes: Int?
        let state: String
        let failedAt: String
        let replayedAt: String?
        let notes: [DeadLetters.Note]
        var payloadBase64: String?
        var headers: [DeadLetterHeader]?

        init(_ entry: DeadLetters.Entry) {
            id = entry.id
            consumer = entry.consumer
            origin = entry.origin
            key = entry.key.map { String(decoding: $0, as: UTF8.self) }
            cause = CauseLine(code: entry.cause.code, message: entry.cause.message)
            attempts = entry.attempts
            bytes = entry.bytes
            state = entry.state.rawValue
            failedAt = entry.failedAt.ISO8601Format()
            replayedAt = entry.replayedAt?.ISO8601Format()
            notes = entry.notes
        }
    }

    private struct CountLine: Encodable {
        let cause: CauseLine
        let consumer: String
        let topic: String
        let count: Int
        let first: String
        let last: String
    }

    private struct OutcomeLine: Encodable {
        let id: String
        let sent: Bool
        let error: String?
    }

    /// A dead letter without its bytes.
    static func line(of entry: DeadLetters.Entry) throws -> String { try json(Line(entry)) }

    /// A dead letter with its bytes.
    static func line(of letter: DeadLetters.Letter) throws -> String {
        var line = Line(letter.entry)
        line.payloadBase64 = letter.payload?.base64EncodedString()
        line.headers = letter.headers
        return try json(line)
    }

    /// The dead letters of a cause.
    static func line(of cause: DeadLetters.Cause) throws -> String {
        try json(
            CountLine(
                cause: CauseLine(code: cause.code, message: cause.example),
                consumer: cause.consumer,
                topic: cause.topic,
                count: cause.count,
                first: cause.first.ISO8601Format(),
                last: cause.last.ISO8601Format()
            )
        )
    }

    /// What came of sending one again.
    static func line(of outcome: DeadLetters.Replayed) throws -> String {
        let error = outcome.error.map { Explanation.text(of: $0) }
        return try json(OutcomeLine(id: outcome.id, sent: error == nil, error: error))
    }

    private static func json(_ value: some Encodable) throws -> String {
        String(decoding: try EventCoding.encodeJSON(value), as: UTF8.self)
    }

    // MARK: Text

    /// A dead letter for a person.
    static func text(of letter: DeadLetters.Letter) -> String {
        let entry = letter.entry
        var lines = [
            "id        \(entry.id)",
            "state     \(entry.state.rawValue)",
            "consumer  \(entry.consumer)",
            "from      \(entry.origin)",
            "key       \(entry.key.map { String(decoding: $0, as: UTF8.self) } ?? "none")",
            "failed    \(entry.failedAt.ISO8601Format()), attempts: \(entry.attempts)",
            "cause     \(entry.cause.code): \(entry.cause.message)",
        ]
        lines += entry.notes.map { "\($0.action.padding(toLength: 10, withPad: " ", startingAt: 0))\(text(of: $0))" }
        lines += letter.headers.map { header in
            let value = header.valueBase64.flatMap { Data(base64Encoded: $0) }
            return "header    \(header.name): \(value.map { String(decoding: $0, as: UTF8.self) } ?? "null")"
        }
        if entry.isErased {
            lines.append("body      erased")
        } else if let payload = letter.payload {
            lines.append("body      \(payload.count) bytes")
            lines.append(String(decoding: payload.prefix(shownBody), as: UTF8.self))
            if payload.count > shownBody {
                lines.append("… \(payload.count - shownBody) bytes more: `errata dead-letters show \(entry.id) --body`")
            }
        } else {
            lines.append("body      none")
        }
        return lines.map(Terminal.printable).joined(separator: "\n")
    }

    private static func text(of note: DeadLetters.Note) -> String {
        var text = "\(note.at.ISO8601Format()) by \(note.by)"
        if let reason = note.reason { text += ": \(reason)" }
        if note.mended == true { text += ", with a mended body" }
        if note.action == "dropped" {
            text += note.bytes.map { "; it held \($0) bytes, SHA-256 \(note.sha256 ?? "")" } ?? "; it held no body"
        }
        if note.erased == true { text += ", which were erased" }
        return text
    }
}
