import FaultPoints
public import PostgresClient

extension JobLease {
    /// Writes a job's result: its effects and events in one transaction, which fails when the lease was lost meanwhile.
    public func commit(_ effects: Effects, in pool: PostgresPool) async throws {
        try await pool.withTransaction { transaction in
            try await verify(in: transaction)
            try await effects.apply(transaction)
            try await Outbox.enqueue(effects.events, in: transaction)
            try FaultPoint.jobAhead.reach()
        }
        try FaultPoint.jobDone.reach()
    }
}
