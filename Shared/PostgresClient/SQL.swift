/// A statement whose interpolated values travel as bind parameters, never as text.
///
/// ```swift
/// let sql: SQL = "SELECT name FROM \(identifier: table) WHERE id = ANY(\(ids)) AND created < \(date)"
/// ```
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    enum Segment: Sendable {
        case text(String)
        case value(PostgresValue)
    }

    var segments: [Segment]

    /// A statement without parameters.
    public init(stringLiteral value: String) {
        segments = [.text(value)]
    }

    /// A statement from its interpolation.
    public init(stringInterpolation: StringInterpolation) {
        segments = stringInterpolation.segments
    }

    /// A statement from text that is trusted as it is.
    ///
    /// It is not checked: never give it input.
    public init(unsafeSQL text: String) {
        segments = [.text(text)]
    }

    private init(segments: [Segment]) {
        self.segments = segments
    }

    /// Collects text and bind parameters.
    public struct StringInterpolation: StringInterpolationProtocol {
        var segments: [Segment] = []

        /// An empty interpolation.
        public init(literalCapacity: Int, interpolationCount: Int) {
            segments.reserveCapacity(2 * interpolationCount + 1)
        }

        /// SQL as written in the source.
        public mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { segments.append(.text(literal)) }
        }

        /// A bind parameter.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            segments.append(.value(value.postgresValue))
        }

        /// A bind parameter that may be NULL.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            segments.append(.value(value.postgresValue))
        }

        /// A bind parameter of type jsonb.
        public mutating func appendInterpolation<Value: Encodable & Sendable>(json value: Value) {
            segments.append(.value(PostgresJSON(value).postgresValue))
        }

        /// Another statement, its parameters included.
        public mutating func appendInterpolation(_ sql: SQL) {
            segments.append(contentsOf: sql.segments)
        }

        /// One name, or a name with its qualifiers, quoted: `\(identifier: schema, table)`.
        public mutating func appendInterpolation(identifier names: String...) {
            segments.append(.text(SQL.quote(names)))
        }

        /// A list of quoted names with commas between: `INSERT INTO t (\(identifiers: columns))`.
        public mutating func appendInterpolation(identifiers names: [String]) {
            segments.append(.text(names.map { SQL.quote([$0]) }.joined(separator: ", ")))
        }

        /// Text that is trusted as it is.
        ///
        /// It is not checked: never give it input.
        public mutating func appendInterpolation(unsafeSQL text: String) {
            segments.append(.text(text))
        }
    }

    /// Statements joined by a separator, for lists of conditions or rows.
    public static func joined(_ parts: [SQL], separator: SQL) -> SQL {
        var segments: [Segment] = []
        for (index, part) in parts.enumerated() {
            if index > 0 { segments.append(contentsOf: separator.segments) }
            segments.append(contentsOf: part.segments)
        }
        return SQL(segments: segments)
    }

    /// Quoted names with dots between.
    ///
    /// A NUL cannot stand in a name; it becomes U+FFFD, which no table has.
    static func quote(_ names: [String]) -> String {
        names.map { name in
            let inner = name.unicodeScalars.reduce(into: "") { text, scalar in
                switch scalar {
                case "\"": text += "\"\""
                case "\0": text += "\u{FFFD}"
                default: text.unicodeScalars.append(scalar)
                }
            }
            return "\"\(inner)\""
        }.joined(separator: ".")
    }

    /// The text with `$1`, `$2`, … and the values in that order.
    func rendered() -> RenderedSQL {
        var text = ""
        var values: [PostgresValue] = []
        var endsInParameter = false
        for segment in segments {
            switch segment {
            case .text(let part):
                // `\(a)5` must not become `$15`.
                if endsInParameter, let first = part.utf8.first, (48...57).contains(first) { text += " " }
                if !part.isEmpty { endsInParameter = false }
                text += part
            case .value(let value):
                values.append(value)
                text += "$\(values.count)"
                endsInParameter = true
            }
        }
        return RenderedSQL(text: text, values: values)
    }
}

extension SQL: CustomStringConvertible {
    /// The text with placeholders; the values do not show.
    public var description: String { rendered().text }
}

/// A statement as libpq takes it.
struct RenderedSQL: Sendable {
    let text: String
    let values: [PostgresValue]

    /// The most parameters that the protocol can count.
    static let maximumParameters = 65_535
}
