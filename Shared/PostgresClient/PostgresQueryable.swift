/// What runs statements: a pool, a connection or a transaction.
public protocol PostgresQueryable: Sendable {
    /// Runs a statement; `prepared` keeps its plan on the connection for the next time.
    func rows(_ sql: SQL, prepared: Bool) async throws -> (rows: [Row], affected: Int)
}

extension PostgresQueryable {
    /// Runs a statement and returns its rows.
    @discardableResult
    public func query(_ sql: SQL) async throws -> [Row] {
        try await rows(sql, prepared: true).rows
    }

    /// Runs a statement and returns how many rows it touched.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> Int {
        try await rows(sql, prepared: true).affected
    }

    /// The first row, or nil when there is none.
    public func first(_ sql: SQL) async throws -> Row? {
        try await rows(sql, prepared: true).rows.first
    }

    /// The first column of the only row.
    ///
    /// Throws when there is not exactly one row.
    public func value<Value: PostgresDecodable>(_ sql: SQL, as type: Value.Type = Value.self) async throws -> Value {
        let rows = try await rows(sql, prepared: true).rows
        guard rows.count == 1, let row = rows.first else {
            throw PostgresError(kind: .decoding, message: "expected one row, got \(rows.count)")
        }
        return try row[0].as(type)
    }

    /// The first column of every row.
    public func values<Value: PostgresDecodable>(_ sql: SQL, as type: Value.Type = Value.self) async throws -> [Value] {
        try await rows(sql, prepared: true).rows.map { try $0[0].as(type) }
    }
}

extension PostgresConnection: PostgresQueryable {
    /// Runs a statement on this connection.
    public nonisolated func rows(_ sql: SQL, prepared: Bool) async throws -> (rows: [Row], affected: Int) {
        let result = try await run(sql, prepared: prepared)
        return (result.rows, result.affectedRows)
    }
}
