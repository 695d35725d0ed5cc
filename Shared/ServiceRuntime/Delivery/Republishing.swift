public import Foundation
public import PostgresClient
import Schemas

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

    /// Which of some event ids stand in the outbox with their bodies; one whose body was pruned cannot be sent from there.
    public static func known(_ ids: [String], from pool: PostgresPool) async throws -> Set<String> {
        Set(
            try await pool.values(
                "SELECT event_id FROM outbox WHERE event_id = ANY(\(ids)) AND payload <> ''",
                as: String.self
            )
        )
    }

    /// Hands events to the relay whose bodies were made anew from what is stored, those too whose bodies the outbox had once
    /// and has pruned.
    ///
    /// - Throws: ``PermanentFailure`` when a different event stands under an id, or one cannot be a record.
    public static func send(_ events: [OutgoingEvent], in transaction: PostgresTransaction) async throws {
        let ids = events.map(\.attributes.id)
        let payloads = events.map(\.payload)
        // First: what is enqueued now is not pruned.
        try await transaction.execute(
            """
            UPDATE outbox SET payload = sent.payload, published_at = NULL
            FROM unnest(\(ids), \(payloads)) AS sent (event_id, payload)
            WHERE outbox.event_id = sent.event_id AND outbox.payload = ''
            """
        )
        try await Outbox.enqueue(events, in: transaction)
    }
}
