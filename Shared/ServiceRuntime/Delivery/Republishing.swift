public import Foundation
public import PostgresClient

/// Which published events are meant; all where nothing is said.
public struct PublishedFilter: Sendable, Hashable {
    /// Only those of these topics, by their names at the broker.
    public var topics: [String]?
    /// Only those with this key.
    public var key: String?
    /// Only those that were written at this time or later.
    public var since: Date?
    /// Only those that were written before this time.
    public var until: Date?

    /// Makes a filter.
    public init(topics: [String]? = nil, key: String? = nil, since: Date? = nil, until: Date? = nil) {
        self.topics = topics
        self.key = key
        self.since = since
        self.until = until
    }

    /// The condition on a row of `outbox` that it was published, can be again, and is meant.
    fileprivate var condition: SQL {
        // A payload that was pruned is none any more.
        """
        published_at IS NOT NULL AND payload <> ''
        AND (\(topics)::text[] IS NULL OR topic = ANY(\(topics)))
        AND (\(key)::text IS NULL OR key = \(key))
        AND (\(since)::timestamptz IS NULL OR created_at >= \(since))
        AND (\(until)::timestamptz IS NULL OR created_at < \(until))
        """
    }
}

/// Publishes again what a broker has lost: the outbox still has it.
public enum Republishing {
    /// How many published events of a filter there are, by topic.
    public static func counts(
        _ filter: PublishedFilter = PublishedFilter(),
        from pool: PostgresPool
    ) async throws -> [(topic: String, count: Int)] {
        try await pool.query(
            """
            SELECT topic, count(*) AS count FROM outbox WHERE \(filter.condition) GROUP BY topic ORDER BY topic
            """
        ).map { (try $0.get("topic", as: String.self), try $0.get("count", as: Int.self)) }
    }

    /// Lets the relay publish events again, in the order in which they were written, under their own ids and with their own
    /// bodies: consumers recognise those that they have.
    ///
    /// Events that the broker refused are not among them.
    ///
    /// - Returns: how many.
    @discardableResult
    public static func start(_ filter: PublishedFilter = PublishedFilter(), in pool: PostgresPool) async throws -> Int {
        try await pool.execute("UPDATE outbox SET published_at = NULL WHERE \(filter.condition)")
    }

    /// Which of some event ids stand in the outbox.
    public static func known(_ ids: [String], from pool: PostgresPool) async throws -> Set<String> {
        Set(try await pool.values("SELECT event_id FROM outbox WHERE event_id = ANY(\(ids))", as: String.self))
    }
}
