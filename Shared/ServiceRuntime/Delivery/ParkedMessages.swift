import Digests
public import Foundation
import KafkaClient
public import PostgresClient
import Schemas

/// Messages that wait in the table `parked_messages` instead of on their topic: those that are parked, as they have waited
/// long and hold others up, and those that were stored when they came, before their first try.
///
/// The offset goes on past a parked message, and no later message of its topic and key is worked on before it: those are
/// parked behind it, in their order, for as long as one is. Any worker of the consumer takes a parked message that is due
/// and the first of its key, under a claim that expires when the worker dies. It ends as any message does: what has
/// effects already is recognised by the inbox, what fails for good goes to the dead letters.
public enum ParkedMessages {
    /// A row of the table.
    public struct Entry: Sendable {
        /// Who waits with it.
        public let consumer: String
        /// Where it came from, `topic/partition/offset`.
        public let origin: String
        /// The record's key; later messages of its topic and key wait behind it.
        public let key: Data?
        /// When it was first tried; nil where it was not.
        public let firstSeen: Date?
        /// How often it has failed.
        public let tries: Int
        /// When it may be tried next.
        public let nextTry: Date
        /// What it waits for, or how its last try failed.
        public let reason: String
    }

    /// The number of parked messages, of one consumer or of all; those that were stored when they came are none of them.
    public static func count(of consumer: String? = nil, from pool: PostgresPool) async throws -> Int {
        try await pool.value(
            "SELECT count(*) FROM parked_messages WHERE consumer = coalesce(\(consumer), consumer) AND NOT on_arrival",
            as: Int.self
        )
    }

    /// The parked messages that have waited longest; those that were stored when they came are none of them.
    public static func list(limit: Int, from pool: PostgresPool) async throws -> [Entry] {
        try await pool.query(
            """
            SELECT consumer, topic || '/' || partition || '/' || "offset" AS origin, key, first_seen, tries, next_try,
                   reason
            FROM parked_messages WHERE NOT on_arrival ORDER BY first_seen, sequence LIMIT \(limit)
            """
        ).map { row in
            Entry(
                consumer: try row.get("consumer", as: String.self),
                origin: try row.get("origin", as: String.self),
                key: try row.get("key", as: Data?.self),
                firstSeen: try row.get("first_seen", as: Date?.self),
                tries: try row.get("tries", as: Int.self),
                nextTry: try row.get("next_try", as: Date.self),
                reason: try row.get("reason", as: String.self)
            )
        }
    }

    // MARK: For the worker

    /// What keeps messages in order: a hash of the key; nil without one.
    static func lane(of message: KafkaMessage) -> Data? {
        message.key.map { Data(SHA256.hash($0)) }
    }

    /// A parked message that a worker has claimed.
    struct Claimed: Sendable {
        let sequence: Int64
        let holder: String
        let message: KafkaMessage
        /// Whether it was stored when it came.
        let isArrival: Bool
        /// Failed tries so far.
        let tries: Int
        /// How long ago its first try was.
        let age: Duration
    }

    /// Parks a message.
    ///
    /// Arguments:
    ///   - age: how long ago its first try was.
    ///   - tries: how often it has failed.
    ///   - wait: how long until its next try.
    ///   - limit: the most messages of the consumer that are parked; those that were stored when they came do not count.
    ///
    /// - Returns: false when so many are.
    static func add(
        _ message: KafkaMessage,
        of consumer: String,
        age: Duration,
        tries: Int,
        wait: Duration,
        reason: String,
        limit: Int,
        in pool: PostgresPool
    ) async throws -> Bool {
        let headersJSON = try headersJSON(of: message)
        let (age, wait) = (age / .seconds(1), wait / .seconds(1))
        let lane = lane(of: message)
        let added = try await pool.execute(
            """
            INSERT INTO parked_messages (consumer, topic, partition, "offset", key, lane, payload, headers, sent_at,
                                         first_seen, tries, next_try, reason)
            SELECT \(consumer)::text, \(message.topic)::text, \(message.partition)::integer, \(message.offset)::bigint,
                   \(message.key)::bytea, \(lane)::bytea, \(message.value)::bytea, \(headersJSON)::jsonb,
                   \(sentAt(message))::timestamptz, now() - make_interval(secs => \(age)),
                   \(tries)::integer, now() + make_interval(secs => \(wait)), \(shortened(reason))::text
            WHERE (SELECT count(*) FROM parked_messages WHERE consumer = \(consumer) AND NOT on_arrival) < \(limit)
            """
        )
        return added > 0
    }

    /// Stores messages that have come, in their order, before their first try.
    static func store(_ messages: [KafkaMessage], of consumer: String, in pool: PostgresPool) async throws {
        let topics = messages.map(\.topic)
        let partitions = messages.map(\.partition)
        let offsets = messages.map(\.offset)
        let keys = messages.map(\.key)
        let lanes = messages.map { lane(of: $0) }
        let payloads = messages.map(\.value)
        let headers = try messages.map { try headersJSON(of: $0) }
        let times = messages.map { sentAt($0) }
        // The clock goes on within the statement, so that the first is due first.
        try await pool.execute(
            """
            INSERT INTO parked_messages (consumer, topic, partition, "offset", key, lane, payload, headers, sent_at, tries,
                                         next_try, reason, on_arrival)
            SELECT \(consumer)::text, came.topic, came.partition, came.number, came.key, came.lane, came.payload,
                   came.headers::jsonb, came.sent_at, 0, clock_timestamp(), 'its first try', true
            FROM unnest(\(topics), \(partitions), \(offsets), \(keys), \(lanes), \(payloads), \(headers), \(times))
                WITH ORDINALITY AS came (topic, partition, number, key, lane, payload, headers, sent_at, place)
            ORDER BY came.place
            """
        )
    }

    /// When a message was sent, where the database can hold that: its producer may have written anything there,
    /// microseconds for milliseconds say.
    private static func sentAt(_ message: KafkaMessage) -> Date? {
        // From the year 1 to the last hour of 9999, in seconds.
        message.timestamp.flatMap { (-62_135_596_800..<253_402_300_000).contains($0.timeIntervalSince1970) ? $0 : nil }
    }

    private static func headersJSON(of message: KafkaMessage) throws -> String {
        let headers = message.headers.map {
            DeadLetterHeader(name: $0.key, valueBase64: $0.value?.base64EncodedString())
        }
        return String(decoding: try EventCoding.encodeJSON(headers), as: UTF8.self)
    }

    /// Claims a message that is due and the first of its key, the one that has been due for longest; `inWork`: not one of
    /// these, which the holder works on though its claim on them may have run out; `newcomers`: only one that was never
    /// tried.
    static func claim(
        for consumer: String,
        by holder: String,
        lasting claim: Duration,
        except inWork: [Int64] = [],
        newcomers: Bool = false,
        from pool: PostgresPool
    ) async throws -> Claimed? {
        let seconds = claim / .seconds(1)
        // A text of its own, for which the database plans with their own index.
        let kind: SQL = newcomers ? " AND head.first_seen IS NULL" : ""
        let rows = try await pool.query(
            """
            UPDATE parked_messages SET claimed_by = \(holder), first_seen = coalesce(first_seen, now()),
                claimed_until = now() + make_interval(secs => \(seconds))
            WHERE sequence = (
                SELECT head.sequence FROM parked_messages AS head
                WHERE head.consumer = \(consumer) AND head.next_try <= now() AND head.claimed_until < now()
                  AND head.sequence <> ALL(\(inWork))\(kind) AND NOT EXISTS (
                    SELECT 1 FROM parked_messages AS earlier
                    WHERE earlier.consumer = head.consumer AND earlier.topic = head.topic
                      AND earlier.lane = head.lane AND earlier.sequence < head.sequence
                )
                ORDER BY head.next_try LIMIT 1 FOR UPDATE OF head SKIP LOCKED
            )
            RETURNING sequence, topic, partition, "offset", key, payload, headers::text AS headers, sent_at, on_arrival, tries,
                      extract(epoch FROM now() - first_seen)::double precision AS age
            """
        )
        guard let row = rows.first else { return nil }
        let headers = try EventCoding.decodeJSON(
            [DeadLetterHeader].self,
            from: Data(try row.get("headers", as: String.self).utf8)
        )
        return Claimed(
            sequence: try row.get("sequence", as: Int64.self),
            holder: holder,
            message: KafkaMessage(
                topic: try row.get("topic", as: String.self),
                partition: try row.get("partition", as: Int32.self),
                offset: try row.get("offset", as: Int64.self),
                key: try row.get("key", as: Data?.self),
                value: try row.get("payload", as: Data?.self),
                headers: headers.map {
                    KafkaHeader(key: $0.name, value: $0.valueBase64.flatMap { Data(base64Encoded: $0) })
                },
                timestamp: try row.get("sent_at", as: Date?.self)
            ),
            isArrival: try row.get("on_arrival", as: Bool.self),
            tries: try row.get("tries", as: Int.self),
            age: .seconds(try row.get("age", as: Double.self))
        )
    }

    /// Keeps claims alive.
    static func renew(
        _ sequences: [Int64],
        by holder: String,
        lasting claim: Duration,
        in pool: PostgresPool
    ) async throws {
        let seconds = claim / .seconds(1)
        try await pool.execute(
            """
            UPDATE parked_messages SET claimed_until = now() + make_interval(secs => \(seconds))
            WHERE sequence = ANY(\(sequences)) AND claimed_by = \(holder)
            """
        )
    }

    /// Gives a claim back, with the next try after a while; `reason`: nil leaves what is there.
    static func put(
        back claimed: Claimed,
        tries: Int,
        wait: Duration,
        reason: String?,
        in pool: PostgresPool
    ) async throws {
        let wait = wait / .seconds(1)
        let reason = reason.map(shortened)
        try await pool.execute(
            """
            UPDATE parked_messages SET claimed_by = NULL, claimed_until = '-infinity', tries = \(tries),
                next_try = now() + make_interval(secs => \(wait)), reason = coalesce(\(reason), reason)
            WHERE sequence = \(claimed.sequence) AND claimed_by = \(claimed.holder)
            """
        )
    }

    /// Takes a message that is at its end from the table; another holder's claim on it is left, who recognises that.
    static func remove(_ claimed: Claimed, from pool: PostgresPool) async throws {
        try await pool.execute(
            "DELETE FROM parked_messages WHERE sequence = \(claimed.sequence) AND claimed_by = \(claimed.holder)"
        )
    }

    /// A reason as the table holds it: some errors quote what came, at any length and with any bytes.
    private static func shortened(_ reason: String) -> String { String(reason.withoutNUL.prefix(1_000)) }
}
