import Synchronization

/// How far a transaction is kept apart from concurrent ones.
public enum IsolationLevel: String, Sendable, Hashable {
    /// Each statement sees what was committed before it.
    case readCommitted = "READ COMMITTED"
    /// All statements see the same snapshot.
    case repeatableRead = "REPEATABLE READ"
    /// As if transactions ran one after the other; may fail with 40001 and then is retried.
    case serializable = "SERIALIZABLE"
}

/// How often, and after which waits, a transaction that lost against another one is run again.
public struct RetryPolicy: Sendable, Hashable {
    /// Runs in all, the first included.
    public var maximumAttempts: Int
    /// Wait before the second run; it doubles for each further one.
    public var initialDelay: Duration
    /// The longest wait.
    public var maximumDelay: Duration

    /// A policy from its parts.
    public init(
        maximumAttempts: Int = 10,
        initialDelay: Duration = .milliseconds(5),
        maximumDelay: Duration = .seconds(1)
    ) {
        self.maximumAttempts = max(1, maximumAttempts)
        self.initialDelay = initialDelay
        self.maximumDelay = maximumDelay
    }

    /// Ten runs, from 5 ms to 1 s apart.
    public static let standard = RetryPolicy()
    /// One run only.
    public static let none = RetryPolicy(maximumAttempts: 1)

    /// The wait after a number of failed runs: exponential, a random half of it taken off so that rivals part.
    func delay(afterFailures failures: Int, random: Double = .random(in: 0.5...1)) -> Duration {
        let factor = Double(1 << min(max(failures - 1, 0), 20))
        return min(initialDelay * factor, maximumDelay) * random
    }
}

/// A transaction under way.
///
/// It must not be used after the closure that got it has returned.
public final class PostgresTransaction: PostgresQueryable {
    let connection: PostgresConnection
    private let hasEnded = Mutex(false)
    private let counter = Atomic<Int>(0)

    init(connection: PostgresConnection) {
        self.connection = connection
    }

    func end() { hasEnded.withLock { $0 = true } }

    private func check() throws {
        if hasEnded.withLock({ $0 }) {
            throw PostgresError(kind: .usage, message: "the transaction has ended; use it only inside its closure")
        }
    }

    /// Runs a statement inside the transaction.
    public func rows(_ sql: SQL, prepared: Bool) async throws -> (rows: [Row], affected: Int) {
        try check()
        return try await connection.rows(sql, prepared: prepared)
    }

    /// Runs trusted text with several statements and no parameters, such as a migration.
    public func script(_ text: String) async throws {
        try check()
        _ = try await connection.simple(text)
    }

    /// Lets the statements of this transaction take as long as they need, whatever
    /// ``PostgresConfiguration/statementTimeout`` says: for work that grows with what is stored.
    public func allowLongStatements() async throws {
        try check()
        _ = try await connection.simple("SET LOCAL statement_timeout TO 0")
    }

    /// Copies rows into a table.
    ///
    /// Returns their number.
    @discardableResult
    public func copy<Rows: Sequence>(
        into table: String,
        schema: String? = nil,
        columns: [String],
        rows: sending Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        try check()
        return try await connection.copy(into: table, schema: schema, columns: columns, rows: rows)
    }

    /// Copies rows as they come into a table.
    ///
    /// Returns their number.
    @discardableResult
    public func copy<Rows: AsyncSequence>(
        into table: String,
        schema: String? = nil,
        columns: [String],
        stream rows: sending Rows
    ) async throws -> Int where Rows.Element == [any PostgresEncodable] {
        try check()
        return try await connection.copy(into: table, schema: schema, columns: columns, stream: rows)
    }

    /// Work that is undone alone when it throws, while the transaction goes on.
    public func withSavepoint<Value>(
        actor: isolated (any Actor)? = #isolation,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        try check()
        let name = "errata_savepoint_\(counter.wrappingAdd(1, ordering: .relaxed).newValue)"
        _ = try await connection.simple("SAVEPOINT \(name)")
        let value: Value
        do {
            value = try await body(self)
        } catch {
            _ = try await connection.simple("ROLLBACK TO SAVEPOINT \(name); RELEASE SAVEPOINT \(name)")
            throw error
        }
        _ = try await connection.simple("RELEASE SAVEPOINT \(name)")
        return value
    }

    /// Rows of a large result, fetched in batches through a cursor: at most `batch` rows are in memory at a time.
    public func stream(_ sql: SQL, batch: Int = 1_000) -> PostgresRowStream {
        let name = "errata_cursor_\(counter.wrappingAdd(1, ordering: .relaxed).newValue)"
        return PostgresRowStream(transaction: self, sql: sql, cursor: name, batch: max(1, batch))
    }
}

/// The rows of a cursor.
///
/// They must be read inside the transaction; a reader that stops early costs nothing more.
public struct PostgresRowStream: AsyncSequence, Sendable {
    /// A row of the result.
    public typealias Element = Row

    let transaction: PostgresTransaction
    let sql: SQL
    let cursor: String
    let batch: Int

    /// Opens the cursor with the first row.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    /// Fetches batch after batch.
    public struct Iterator: AsyncIteratorProtocol {
        private let stream: PostgresRowStream
        private var rows: [Row] = []
        private var index = 0
        private var isOpen = false
        private var isDone = false

        init(stream: PostgresRowStream) {
            self.stream = stream
        }

        /// The next row, or nil at the end.
        public mutating func next() async throws -> Row? {
            if index == rows.count {
                guard !isDone else { return nil }
                let name = stream.cursor
                if !isOpen {
                    let declaration: SQL = "DECLARE \(unsafeSQL: name) NO SCROLL CURSOR FOR \(stream.sql)"
                    _ = try await stream.transaction.rows(declaration, prepared: false)
                    isOpen = true
                }
                let fetch: SQL = "FETCH FORWARD \(unsafeSQL: String(stream.batch)) FROM \(unsafeSQL: name)"
                rows = try await stream.transaction.rows(fetch, prepared: false).rows
                index = 0
                if rows.count < stream.batch {
                    isDone = true
                    _ = try await stream.transaction.rows("CLOSE \(unsafeSQL: name)", prepared: false)
                }
                if rows.isEmpty { return nil }
            }
            defer { index += 1 }
            return rows[index]
        }
    }
}
