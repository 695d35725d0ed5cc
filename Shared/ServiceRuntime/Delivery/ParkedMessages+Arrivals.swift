public import PostgresClient

// What was stored when it came, for people and for metrics.
extension ParkedMessages {
    /// Messages of a consumer that were stored when they came, are not worked off, and wait for the same.
    public struct Arrivals: Sendable, Hashable {
        /// Who waits with them.
        public let consumer: String
        /// What they wait for, or how their last try failed.
        public let reason: String
        /// How many.
        public let count: Int
        /// Seconds since the oldest was stored.
        public let oldestSeconds: Double
    }

    /// What was stored when it came and is not worked off, the most first: at most `limit` kinds.
    ///
    /// - Returns: also how many messages there are of all kinds.
    public static func arrivals(limit: Int, from pool: PostgresPool) async throws -> (total: Int, kinds: [Arrivals]) {
        let rows = try await pool.query(
            """
            SELECT consumer, reason, count(*) AS messages, (sum(count(*)) OVER ())::bigint AS total,
                   extract(epoch FROM now() - min(parked_at))::float8 AS oldest
            FROM parked_messages WHERE on_arrival
            GROUP BY consumer, reason ORDER BY messages DESC, consumer, reason LIMIT \(limit)
            """
        )
        let kinds = try rows.map { row in
            Arrivals(
                consumer: try row.get("consumer", as: String.self),
                reason: try row.get("reason", as: String.self),
                count: try row.get("messages", as: Int.self),
                oldestSeconds: max(0, try row.get("oldest", as: Double.self))
            )
        }
        return (try rows.first?.get("total", as: Int.self) ?? 0, kinds)
    }
}
