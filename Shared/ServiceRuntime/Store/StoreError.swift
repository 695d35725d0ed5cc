import PostgresClient

/// A row that this version of Errata cannot read.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// The table.
    public let table: String
    /// What is not understood.
    public let what: String

    /// The whole in a sentence, safe to log.
    public var description: String {
        "The table \(table) holds \(what), which this version does not know; run all services at one version."
    }
}

extension Row {
    /// A column that holds one of a type's names.
    ///
    /// - Throws: ``StoreError`` where this version does not know the name, `PostgresError` where there is none.
    func named<Value: RawRepresentable<String>>(
        _ column: String,
        in table: String,
        as type: Value.Type = Value.self
    ) throws -> Value {
        let name = try get(column, as: String.self)
        guard let value = Value(rawValue: name) else { throw StoreError(table: table, what: "\(column) '\(name)'") }
        return value
    }
}
