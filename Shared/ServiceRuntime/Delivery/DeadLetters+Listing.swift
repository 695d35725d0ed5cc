public import Foundation
public import PostgresClient
public import Schemas

/// Which dead letters are meant; all where nothing is said.
public struct DeadLetterFilter: Sendable, Hashable {
    /// Only those that a consumer gave up on.
    public var consumer: String?
    /// Only those of a topic.
    public var topic: String?
    /// Only those with a cause of this code.
    public var cause: String?
    /// Only those that failed at this time or later.
    public var since: Date?
    /// Only those that failed before this time.
    public var until: Date?
    /// Only those in one of these states.
    public var states: [DeadLetters.State]

    /// Makes a filter.
    public init(
        consumer: String? = nil,
        topic: String? = nil,
        cause: String? = nil,
        since: Date? = nil,
        until: Date? = nil,
        states: [DeadLetters.State] = DeadLetters.State.allCases
    ) {
        self.consumer = consumer
        self.topic = topic
        self.cause = cause
        self.since = since
        self.until = until
        self.states = states
    }

    /// The condition on a row of `dead_letters`.
    var condition: SQL {
        """
        (\(consumer)::text IS NULL OR consumer = \(consumer))
        AND (\(topic)::text IS NULL OR topic = \(topic))
        AND (\(cause)::text IS NULL OR cause_code = \(cause))
        AND (\(since)::timestamptz IS NULL OR failed_at >= \(since))
        AND (\(until)::timestamptz IS NULL OR failed_at < \(until))
        AND \(DeadLetters.stateColumn) = ANY(\(states.map(\.rawValue)))
        """
    }
}

/// Dead letters for people who look at them.
extension DeadLetters {
    /// What became of a dead letter.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Nothing yet.
        case open
        /// It was sent to its topic again.
        case replayed
        /// It was given up.
        case dropped
    }

    /// What a person did with a dead letter.
    public struct Note: Sendable, Hashable, Codable {
        /// `dropped` or `replayed`.
        public let action: String
        /// When.
        public let at: Date
        /// Who.
        public let by: String
        /// Why it was dropped.
        public let reason: String?
        /// Whether it was sent with another body.
        public let mended: Bool?
        /// The size of the body that was dropped; nil where there was none.
        public let bytes: Int?
        /// The SHA-256 of that body, in hexadecimal.
        public let sha256: String?
        /// Whether the body and the headers were deleted.
        public let erased: Bool?
    }

    /// A row of the table, without its bytes.
    public struct Entry: Sendable {
        /// The dead letter's id.
        public let id: String
        /// Who gave up on it.
        public let consumer: String
        /// The topic that it came from, and goes to again.
        public let topic: String
        /// Where it came from, `topic/partition/offset`; `topic/-1/sequence` for one of our own that the broker refused.
        public let origin: String
        /// The message's key.
        public let key: Data?
        /// Why: a code and a sentence.
        public let cause: (code: String, message: String)
        /// How often it was tried.
        public let attempts: Int
        /// The size of its body; nil for a tombstone, and where it was erased.
        public let bytes: Int?
        /// When.
        public let failedAt: Date
        /// When it was last sent again, if it was.
        public let replayedAt: Date?
        /// What became of it.
        public let state: State
        /// What was done with it, oldest first.
        public let notes: [Note]

        /// Whether its bytes are gone.
        public var isErased: Bool { notes.contains { $0.erased == true } }
    }

    /// A row of the table with its bytes.
    public struct Letter: Sendable {
        /// What `list` tells of it.
        public let entry: Entry
        /// The message's body; nil for a tombstone, and where it was erased.
        public let payload: Data?
        /// The message's headers.
        public let headers: [DeadLetterHeader]
    }

    /// Dead letters with one cause.
    public struct Cause: Sendable, Hashable {
        /// The cause's code.
        public let code: String
        /// Who gave up.
        public let consumer: String
        /// The topic.
        public let topic: String
        /// How many.
        public let count: Int
        /// When the first and the last of them failed.
        public let first: Date, last: Date
        /// One of the reasons, in words.
        public let example: String
    }

    /// The state of a row, as text.
    ///
    /// A refused event of our own that is refused again after a replay has no time of a replay any more: it is open.
    static var stateColumn: SQL {
        """
        (CASE WHEN notes -> -1 ->> 'action' = 'dropped' THEN 'dropped'
              WHEN replayed_at IS NOT NULL THEN 'replayed' ELSE 'open' END)
        """
    }

    private static var columns: SQL {
        """
        id, consumer, topic, topic || '/' || partition || '/' || "offset" AS origin, key, cause_code, cause_message, attempts,
        octet_length(payload) AS bytes, failed_at, replayed_at, \(stateColumn) AS state,
        notes::text AS notes
        """
    }

    /// The dead letters of a filter, newest first.
    public static func list(
        _ filter: DeadLetterFilter = DeadLetterFilter(),
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [Entry] {
        try await pool.query(
            """
            SELECT \(columns) FROM dead_letters WHERE \(filter.condition) ORDER BY failed_at DESC, id LIMIT \(limit)
            """
        ).map(entry(of:))
    }

    /// How many dead letters of a filter there are, by cause, consumer and topic, the most frequent first.
    public static func causes(
        _ filter: DeadLetterFilter = DeadLetterFilter(),
        from pool: PostgresPool
    ) async throws -> [Cause] {
        try await pool.query(
            """
            SELECT cause_code, consumer, topic, count(*) AS count, min(failed_at) AS first, max(failed_at) AS last,
                   min(cause_message COLLATE "C") AS example
            FROM dead_letters WHERE \(filter.condition)
            GROUP BY cause_code, consumer, topic ORDER BY count(*) DESC, cause_code, consumer, topic
            """
        ).map { row in
            Cause(
                code: try row.get("cause_code", as: String.self),
                consumer: try row.get("consumer", as: String.self),
                topic: try row.get("topic", as: String.self),
                count: try row.get("count", as: Int.self),
                first: try row.get("first", as: Date.self),
                last: try row.get("last", as: Date.self),
                example: try row.get("example", as: String.self)
            )
        }
    }

    /// The ids of the dead letters of a filter, in the order in which their messages were sent.
    public static func ids(_ filter: DeadLetterFilter, from pool: PostgresPool) async throws -> [String] {
        try await pool.values(
            """
            SELECT id FROM dead_letters WHERE \(filter.condition)
            ORDER BY topic COLLATE "C", partition, "offset", failed_at, id
            """,
            as: String.self
        )
    }

    /// One dead letter by its id, with its bytes; nil where there is none.
    public static func letter(_ id: String, from pool: PostgresPool) async throws -> Letter? {
        try await letters([id], from: pool).first
    }

    /// Dead letters by their ids, with their bytes, in no order; ids that there are none of are left out.
    static func letters(_ ids: [String], from pool: PostgresPool) async throws -> [Letter] {
        try await pool.query(
            """
            SELECT \(columns), payload, headers::text AS message_headers
            FROM dead_letters WHERE id = ANY(\(ids))
            """
        ).map { row in
            Letter(
                entry: try entry(of: row),
                payload: try row.get("payload", as: Data?.self),
                headers: try EventCoding.decodeJSON(
                    from: Data(try row.get("message_headers", as: String.self).utf8),
                    what: "headers"
                )
            )
        }
    }

    private static func entry(of row: Row) throws -> Entry {
        let name = try row.get("state", as: String.self)
        guard let state = State(rawValue: name) else {
            throw StoreError(table: "dead_letters", what: "state '\(name)'")
        }
        return Entry(
            id: try row.get("id", as: String.self),
            consumer: try row.get("consumer", as: String.self),
            topic: try row.get("topic", as: String.self),
            origin: try row.get("origin", as: String.self),
            key: try row.get("key", as: Data?.self),
            cause: (
                try row.get("cause_code", as: String.self), try row.get("cause_message", as: String.self)
            ),
            attempts: try row.get("attempts", as: Int.self),
            bytes: try row.get("bytes", as: Int?.self),
            failedAt: try row.get("failed_at", as: Date.self),
            replayedAt: try row.get("replayed_at", as: Date?.self),
            state: state,
            notes: try EventCoding.decodeJSON(from: Data(try row.get("notes", as: String.self).utf8), what: "notes")
        )
    }
}
