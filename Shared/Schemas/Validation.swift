/// Collects the checks of ``EventPayload/validate()``; each names the type and the field.
struct Validation {
    /// The largest whole number that every JSON reader keeps exactly, 2^53 - 1.
    static let largestSafeInteger: UInt64 = 9_007_199_254_740_991

    /// The longest id, in characters.
    static let longestIdentifier = 200

    let type: EventType

    /// An id: 1 to 200 of `A-Z a-z 0-9 . _ : @ / + -`, the first a letter or a digit.
    func identifier(_ value: String?, _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        let bytes = value.utf8
        guard let first = bytes.first, isAlphanumeric(first), bytes.count <= Self.longestIdentifier,
            bytes.allSatisfy({ isAlphanumeric($0) || ".:_@/+-".utf8.contains($0) })
        else {
            throw failure(
                field(),
                "must be 1 to \(Self.longestIdentifier) letters, digits or . _ : @ / + -, and begin with a letter or digit"
            )
        }
    }

    func notBlank(_ value: String?, _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        guard value.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw failure(field(), "must not be empty")
        }
    }

    /// A list of names, if it is there: at least one, at most 64, none twice.
    func names(_ values: [String]?, _ field: @autoclosure () -> String) throws {
        guard let values else { return }
        try require(!values.isEmpty, field(), "must hold a name, or not be there")
        try require(values.count <= 64, field(), "has \(values.count) names; it can have at most 64")
        try require(Set(values).count == values.count, field(), "has a name twice")
    }

    func word(_ value: String?, of known: [String], _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        guard known.contains(value) else {
            throw failure(field(), "must be one of \(known.joined(separator: ", ")), is '\(value)'")
        }
    }

    func range<Value: Comparable>(
        _ value: Value?,
        _ range: ClosedRange<Value>,
        _ field: @autoclosure () -> String
    ) throws {
        guard let value else { return }
        guard range.contains(value) else {
            throw failure(field(), "must be \(range.lowerBound) to \(range.upperBound), is \(value)")
        }
    }

    func atLeast<Value: Comparable>(_ value: Value?, _ bound: Value, _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        guard value >= bound else { throw failure(field(), "must be at least \(bound), is \(value)") }
    }

    func positive(_ value: Double?, _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        guard value > 0, value.isFinite else { throw failure(field(), "must be above 0 and finite, is \(value)") }
    }

    func finite(_ value: Double?, _ field: @autoclosure () -> String) throws {
        guard let value else { return }
        guard value.isFinite else { throw failure(field(), "must be finite, is \(value)") }
    }

    func seed(_ value: UInt64?, _ field: @autoclosure () -> String) throws {
        try range(value, 0...Self.largestSafeInteger, field())
    }

    func require(_ condition: Bool, _ field: @autoclosure () -> String, _ rule: @autoclosure () -> String) throws {
        guard condition else { throw failure(field(), rule()) }
    }

    /// Names in a sentence.
    static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }

    func failure(_ field: String, _ rule: String) -> SchemasError {
        SchemasError(.invalidPayload, "\(type.rawValue): $.\(field) \(rule)")
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
