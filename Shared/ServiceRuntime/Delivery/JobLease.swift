public import Logging
public import PostgresClient
import Synchronization

/// A named piece of work that one process holds at a time, through a row in `leases`.
///
/// The holder renews the row while it works. When it dies, the row expires and another process takes it over with a
/// higher token; a former holder that wakes up late fails ``verify(in:)`` and so cannot write its result. What it writes
/// outside the database is fenced by its own clock: ``checkHeld()``.
public struct JobLease: Sendable {
    /// The work's name, such as `run/7f…/hsft`.
    public let name: String
    /// Who holds it.
    public let holder: String
    /// Grows with every change of holder, and is never given out twice.
    public let token: Int64
    /// How long the row lives without renewal.
    public let lifetime: Duration
    private let validity: Validity

    /// Until when nobody else can have taken the lease, by this process's clock, which goes on while the machine sleeps.
    private final class Validity: Sendable {
        private let end: Mutex<ContinuousClock.Instant>

        init(until end: ContinuousClock.Instant) { self.end = Mutex(end) }

        var until: ContinuousClock.Instant { end.withLock { $0 } }

        func extend(until new: ContinuousClock.Instant) { end.withLock { $0 = max($0, new) } }
    }

    /// Takes the lease if it is free, expired or already this holder's.
    ///
    /// - Returns: the lease, or `nil` while another process holds it.
    public static func acquire(
        _ name: String,
        holder: String,
        lifetime: Duration = .seconds(15),
        from pool: PostgresPool
    ) async throws -> JobLease? {
        let seconds = lifetime / .seconds(1)
        // Before the database starts to count.
        let asked = ContinuousClock.now
        let rows = try await pool.query(
            """
            INSERT INTO leases AS held (name, holder, expires_at)
            VALUES (\(name), \(holder), now() + make_interval(secs => \(seconds)))
            ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder, token = DEFAULT, expires_at = excluded.expires_at
                WHERE held.expires_at < now() OR held.holder = excluded.holder
            RETURNING token
            """
        )
        guard let row = rows.first else { return nil }
        return JobLease(
            name: name,
            holder: holder,
            token: try row.get("token", as: Int64.self),
            lifetime: lifetime,
            validity: Validity(until: asked + lifetime)
        )
    }

    /// Runs the work while renewing the lease in the background; the work is cancelled when the lease is lost.
    ///
    /// The lease is released at the end, whether or not the work threw.
    public func hold<Result: Sendable>(
        in pool: PostgresPool,
        logger: Logger,
        _ work: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await withThrowingTaskGroup(of: Result?.self) { group in
                group.addTask { try await work() }
                group.addTask {
                    try await renewUntilCancelled(in: pool, logger: logger)
                    return nil
                }
                defer { group.cancelAll() }
                while let finished = try await group.next() {
                    if let finished { return finished }
                }
                throw CancellationError()
            }
            try await release(in: pool)
            return result
        } catch {
            // In a task of its own: this one may be cancelled, and then the pool would refuse it.
            await Task { try? await release(in: pool) }.value
            throw error
        }
    }

    /// Fails unless this lease is still held; locks its row so that no other process can take it before the commit.
    public func verify(in transaction: PostgresTransaction) async throws {
        let rows = try await transaction.query(
            "SELECT 1 AS held FROM leases WHERE name = \(name) AND token = \(token) AND holder = \(holder) FOR UPDATE"
        )
        if rows.isEmpty { throw LeaseLost(name: name) }
    }

    /// Fails once another process may have taken the lease, without asking the database: to be called before something is
    /// written that no transaction fences, such as a file.
    public func checkHeld() throws {
        if ContinuousClock.now >= validity.until { throw LeaseLost(name: name) }
    }

    /// Gives the lease back, if it is still this one.
    public func release(in pool: PostgresPool) async throws {
        try await pool.execute("DELETE FROM leases WHERE name = \(name) AND token = \(token) AND holder = \(holder)")
    }

    private func renewUntilCancelled(in pool: PostgresPool, logger: Logger) async throws {
        while true {
            try await Task.sleep(for: lifetime / 3)
            do {
                let asked = ContinuousClock.now
                let seconds = lifetime / .seconds(1)
                // A transaction that verifies the lease may hold its row for long: the time counts from when the row is had.
                let rows = try await pool.query(
                    """
                    WITH mine AS MATERIALIZED (
                        SELECT name FROM leases WHERE name = \(name) AND token = \(token) AND holder = \(holder) FOR UPDATE
                    )
                    UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => \(seconds))
                    FROM mine WHERE leases.name = mine.name RETURNING leases.token
                    """
                )
                if rows.isEmpty { throw LeaseLost(name: name) }
                validity.extend(until: asked + lifetime)
            } catch let error as LeaseLost {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning("lease not renewed", metadata: ["lease": "\(name)", "error": "\(error)"])
                try checkHeld()
            }
        }
    }
}

/// The lease on a piece of work went to another process.
public struct LeaseLost: Error, Sendable, CustomStringConvertible {
    /// The work's name.
    public let name: String

    /// The whole in a sentence, safe to log.
    public var description: String { "The lease '\(name)' was taken over by another process; its work is left to it." }
}
