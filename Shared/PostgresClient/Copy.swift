/// COPY's text format: a tab between the columns, a newline after each row.
struct CopyBuffer {
    /// Bytes gathered before they go to libpq.
    static let chunkSize = 64 * 1_024

    private(set) var bytes: [UInt8] = []
    private let columnCount: Int
    private var rowNumber = 0

    init(columnCount: Int) {
        self.columnCount = columnCount
        bytes.reserveCapacity(Self.chunkSize * 2)
    }

    var isFull: Bool { bytes.count >= Self.chunkSize }

    mutating func append(_ row: [any PostgresEncodable]) throws {
        guard row.count == columnCount else {
            throw PostgresError(
                kind: .encoding,
                message: "row \(rowNumber) of the COPY has \(row.count) values for \(columnCount) columns"
            )
        }
        for (index, value) in row.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "\t")) }
            do {
                if let text = try value.postgresValue.textForm() {
                    append(text)
                } else {
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(UInt8(ascii: "N"))
                }
            } catch var error as PostgresError {
                error.message = "row \(rowNumber), value \(index) of the COPY: \(error.message)"
                throw error
            }
        }
        bytes.append(UInt8(ascii: "\n"))
        rowNumber += 1
    }

    private mutating func append(_ text: String) {
        for byte in text.utf8 {
            let escape: UInt8
            switch byte {
            case UInt8(ascii: "\\"): escape = UInt8(ascii: "\\")
            case UInt8(ascii: "\n"): escape = UInt8(ascii: "n")
            case UInt8(ascii: "\r"): escape = UInt8(ascii: "r")
            case UInt8(ascii: "\t"): escape = UInt8(ascii: "t")
            default:
                bytes.append(byte)
                continue
            }
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(escape)
        }
    }

    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }
}

extension PostgresConnection {
    /// Copies rows into a table, the fast way for many.
    ///
    /// All or none of them arrive. Returns their number.
    @discardableResult
    public nonisolated func copy<Rows: Sequence>(
        into table: String,
        schema: String? = nil,
        columns: [String],
        rows: sending Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        try await beginCopy(Self.copyStatement(table, schema, columns))
        var buffer = CopyBuffer(columnCount: columns.count)
        do {
            for row in rows {
                try buffer.append(row)
                if buffer.isFull {
                    try Task.checkCancellation()
                    try await copy(buffer.take())
                }
            }
            try await copy(buffer.take())
        } catch {
            _ = try? await endCopy(failure: "the client gave up")
            throw error
        }
        return try await endCopy(failure: nil)
    }

    /// Copies rows as they come into a table.
    ///
    /// All or none of them arrive. Returns their number.
    @discardableResult
    public nonisolated func copy<Rows: AsyncSequence>(
        into table: String,
        schema: String? = nil,
        columns: [String],
        stream rows: sending Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        try await beginCopy(Self.copyStatement(table, schema, columns))
        var buffer = CopyBuffer(columnCount: columns.count)
        do {
            for try await row in rows {
                try buffer.append(row)
                if buffer.isFull {
                    try Task.checkCancellation()
                    try await copy(buffer.take())
                }
            }
            try await copy(buffer.take())
        } catch {
            _ = try? await endCopy(failure: "the client gave up")
            throw error
        }
        return try await endCopy(failure: nil)
    }

    private static func copyStatement(_ table: String, _ schema: String?, _ columns: [String]) -> String {
        let name = SQL.quote((schema.map { [$0] } ?? []) + [table])
        let list = columns.map { SQL.quote([$0]) }.joined(separator: ", ")
        return "COPY \(name) (\(list)) FROM STDIN"
    }
}
