public import Logging
public import PostgresClient

/// A named piece of work that one process holds at a time, through a row in `leases`.
///
/// The holder renews the row while it works. When it dies, the row expires and another process takes it over with a
/// higher token; a former holder that wakes up late fails ``verify(in:)`` and so cannot write its result.
public struct JobLease: Sendable {
    /// The work's name, such as `run/7f…/hsft`.
    public let name: String
    /// Who holds it.
    public let holder: String
    /// Grows by one with every change of holder.
    public let token: Int64
    /// How long the row lives without renewal.
    public let lifetime: Duration

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
        let rows = try await pool.query(
            """
            INSERT INTO leases AS held (name, holder, token, expires_at)
            VALUES (\(name), \(holder), 1, now() + make_interval(secs => \(seconds)))
            ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder, token = held.token + 1, expires_at = excluded.expires_at
                WHERE held.expires_at < now() OR held.holder = excluded.holder
            RETURNING token
            """
        )
        guard let row = rows.first else { return nil }
        return JobLease(name: name, holder: holder, token: try row.get("token", as: Int64.self), lifetime: lifetime)
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

    /// Gives the lease back, if it is still this one.
    public func release(in pool: PostgresPool) async throws {
        try await pool.execute("DELETE FROM leases WHERE name = \(name) AND token = \(token) AND holder = \(holder)")
    }

    private func renewUntilCancelled(in pool: PostgresPool, logger: Logger) async throws {
        let clock = ContinuousClock()
        var validUntil = clock.now + lifetime
        while true {
            try await Task.sleep(for: lifetime / 3)
            do {
                let seconds = lifetime / .seconds(1)
                let rows = try await pool.query(
                    """
                    UPDATE leases SET expires_at = now() + make_interval(secs => \(seconds))
                    WHERE name = \(name) AND token = \(token) AND holder = \(holder) RETURNING token
                    """
                )
                if rows.isEmpty { throw LeaseLost(name: name) }
                validUntil = clock.now + lifetime
            } catch let error as LeaseLost {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning("lease not renewed", metadata: ["lease": "\(name)", "error": "\(error)"])
                if clock.now >= validUntil { throw LeaseLost(name: name) }
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
