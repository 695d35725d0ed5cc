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

    /// Lets the statements of this transaction take as long as they need, whatever
    /// ``PostgresConfiguration/statementTimeout`` says: for work that grows with what is stored.
    public func allowLongStatements() async throws {
        try check()
        _ = try await connection.simple("SET LOCAL statement_timeout TO 0")
    }
}
