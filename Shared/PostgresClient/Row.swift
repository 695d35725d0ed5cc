import CLibpq
import Foundation

/// The rows of one statement.
///
/// Owns libpq's result, which nothing changes after it has arrived.
final class ResultSet: @unchecked Sendable {
    // libpq documents results as safe to read from several threads; this class never writes to one.
    private let result: OpaquePointer
    /// Column name to index; the first of equal names wins.
    private let indexes: [String: Int]

    let rowCount: Int
    let columnNames: [String]

    init(_ result: OpaquePointer) {
        self.result = result
        rowCount = Int(PQntuples(result))
        columnNames = (0..<PQnfields(result)).map { PQfname(result, $0).map { String(cString: $0) } ?? "" }
        var indexes: [String: Int] = [:]
        for (index, name) in columnNames.enumerated() where indexes[name] == nil { indexes[name] = index }
        self.indexes = indexes
    }

    deinit {
        PQclear(result)
    }

    var rows: [Row] { (0..<rowCount).map { Row(result: self, index: $0) } }

    /// Rows that an INSERT, UPDATE, DELETE, … touched, or that a SELECT returned.
    var affectedRows: Int {
        PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    func columnIndex(_ name: String) -> Int? { indexes[name] }

    func type(_ column: Int) -> UInt32 { PQftype(result, Int32(column)) }

    func text(row: Int, column: Int) -> String? {
        let (row, column) = (Int32(row), Int32(column))
        guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else { return nil }
        let length = Int(PQgetlength(result, row, column))
        return value.withMemoryRebound(to: UInt8.self, capacity: length) {
            String(decoding: UnsafeBufferPointer(start: $0, count: length), as: UTF8.self)
        }
    }
}

/// One row of a result.
public struct Row: Sendable {
    let result: ResultSet
    let index: Int

    /// The names of the columns, in order.
    public var columnNames: [String] { result.columnNames }

    /// A column by name.
    ///
    /// A missing name is reported when the cell is decoded.
    public subscript(_ name: String) -> Cell {
        Cell(row: self, name: name, column: result.columnIndex(name))
    }

    /// A column by position, from 0.
    public subscript(_ column: Int) -> Cell {
        let exists = result.columnNames.indices.contains(column)
        return Cell(row: self, name: exists ? result.columnNames[column] : "#\(column)", column: exists ? column : nil)
    }

    /// Decodes a column by name.
    ///
    /// Throws ``PostgresError`` naming column, type and row.
    public func get<Value: PostgresDecodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        try self[name].as(type)
    }

    /// Decodes a column by position, from 0.
    public func get<Value: PostgresDecodable>(_ column: Int, as type: Value.Type = Value.self) throws -> Value {
        try self[column].as(type)
    }

    /// Decodes a json or jsonb column into a Codable type.
    public func get<Value: Decodable>(_ name: String, json type: Value.Type) throws -> Value {
        try self[name].json(type)
    }
}

/// One value of a row.
public struct Cell: Sendable {
    let row: Row
    let name: String
    let column: Int?

    /// The value is NULL; a missing column is not.
    public var isNull: Bool {
        guard let column else { return false }
        return row.result.text(row: row.index, column: column) == nil
    }

    /// Decodes the value.
    ///
    /// Throws ``PostgresError`` naming column, type and row.
    public func `as`<Value: PostgresDecodable>(_ type: Value.Type) throws -> Value {
        try decode("\(type)") { try Value.decode($0) }
    }

    /// Decodes json or jsonb into a Codable type.
    public func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try decode("JSON of \(type)") { try $0.json(type) }
    }

    private func decode<Value>(
        _ wanted: @autoclosure () -> String,
        _ body: (PostgresField) throws -> Value
    ) throws -> Value {
        guard let column else {
            let known = row.columnNames.joined(separator: ", ")
            throw PostgresError(kind: .decoding, message: "no column \"\(name)\" in the result; it has: \(known)")
        }
        let field = PostgresField(
            text: row.result.text(row: row.index, column: column),
            type: row.result.type(column)
        )
        do {
            return try body(field)
        } catch let mismatch as PostgresMismatch {
            throw PostgresError(
                kind: .decoding,
                message: "column \"\(name)\" (\(TypeID.name(field.type))) of row \(row.index) does not decode as "
                    + "\(wanted()): \(mismatch.reason)",
                detail: mismatch.value.map { "the value is \($0.prefix(200))" }
            )
        }
    }
}

/// The raw value that a ``PostgresDecodable`` type reads.
public struct PostgresField: Sendable {
    /// The server's text form; nil is NULL.
    public var text: String?
    /// Object id of the type; 0 when unknown.
    public var type: UInt32

    /// The text, or a mismatch when the value is NULL.
    public func required() throws -> String {
        guard let text else { throw PostgresMismatch("it is NULL; decode an optional instead") }
        return text
    }

    func accept(_ types: UInt32...) throws -> String {
        let text = try required()
        guard type == TypeID.unspecified || types.contains(type) else {
            throw PostgresMismatch("the type does not fit", value: text)
        }
        return text
    }

    func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let text = try accept(TypeID.json, TypeID.jsonb)
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(type, from: Data(text.utf8))
        } catch let error as DecodingError {
            throw PostgresMismatch(Self.reason(error), value: text)
        }
    }

    private static func reason(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context, _ last: String? = nil) -> String {
            let keys = context.codingPath.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }
            let all = keys + (last.map { [$0] } ?? [])
            return all.isEmpty ? "the top level" : all.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "key \(path(context, key.stringValue)) is missing"
        case .typeMismatch(let type, let context): return "\(path(context)) is no \(type)"
        case .valueNotFound(let type, let context): return "\(path(context)) is null, not a \(type)"
        case .dataCorrupted(let context): return "\(path(context)) is malformed"
        @unknown default: return "it does not decode"
        }
    }
}

/// Why a field does not decode; the row adds column, type and position.
public struct PostgresMismatch: Error, Sendable {
    let reason: String
    let value: String?

    /// A reason that is safe to log, and the value, which is shown only in debug descriptions.
    public init(_ reason: String, value: String? = nil) {
        self.reason = reason
        self.value = value
    }
}
