public import Foundation
public import KafkaClient
public import PostgresClient
import Schemas

/// Messages that failed for good: listed, mended and replayed.
public enum DeadLetters {
    /// Builds the effects of giving up on a message.
    static func effects(
        of message: KafkaMessage,
        consumer: String,
        failure: PermanentFailure,
        attempts: Int,
        at time: Date
    ) throws -> Effects {
        let payload = message.value ?? Data()
        let id = DeterministicID.make(
            cause: "\(message.topic)/\(message.partition)/\(message.offset)",
            parts: consumer,
            payload.prefix(DeadLetterEvent.payloadLimit).base64EncodedString()
        )
        let headers = message.headers.map {
            DeadLetterHeader(name: $0.key, valueBase64: $0.value?.base64EncodedString())
        }
        let event = try OutgoingEvent(
            DeadLetterEvent(
                id: id,
                topic: message.topic,
                partition: message.partition,
                offset: message.offset,
                recordKey: message.key,
                consumer: consumer,
                cause: DeadLetterCause(code: failure.code, message: failure.message),
                payload: message.value,
                headers: message.headers.map { ($0.key, $0.value) },
                failedAt: time,
                attempts: attempts
            ),
            source: "/errata/\(consumer)",
            time: time
        )
        let headersJSON = String(decoding: try EventCoding.encodeJSON(headers), as: UTF8.self)
        return Effects(events: [event]) { transaction in
            try await transaction.execute(
                """
                INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, payload, headers, cause_code,
                                          cause_message, attempts, failed_at)
                VALUES (\(id), \(consumer), \(message.topic), \(message.partition), \(message.offset),
                        \(message.key), \(message.value), \(headersJSON)::jsonb, \(failure.code), \(failure.message),
                        \(attempts), \(time))
                ON CONFLICT (id) DO NOTHING
                """
            )
        }
    }

    /// Who gave up on an event of our own that the broker refuses.
    static let outbox = "outbox"

    /// Adds an event of the outbox that the broker refuses for good; it was never on a partition.
    ///
    /// - Returns: the dead letter's id.
    static func add(
        _ record: KafkaRecord,
        sequence: Int64,
        failure: PermanentFailure,
        in transaction: PostgresTransaction
    ) async throws -> String {
        let id = DeterministicID.make(cause: "\(record.topic)/\(sequence)", parts: outbox)
        let headers = record.headers.map {
            DeadLetterHeader(name: $0.key, valueBase64: $0.value?.base64EncodedString())
        }
        let headersJSON = String(decoding: try EventCoding.encodeJSON(headers), as: UTF8.self)
        // Refused again after a replay or a restart: it waits again.
        try await transaction.execute(
            """
            INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, payload, headers, cause_code,
                                      cause_message, attempts)
            VALUES (\(id), \(outbox), \(record.topic), -1, \(sequence), \(record.key), \(record.value),
                    \(headersJSON)::jsonb, \(failure.code), \(failure.message), 1)
            ON CONFLICT (id) DO UPDATE SET cause_message = excluded.cause_message, failed_at = now(), replayed_at = NULL,
                                           attempts = dead_letters.attempts + 1
            """
        )
        return id
    }

    /// A row of the table.
    public struct Entry: Sendable {
        /// The dead letter's id.
        public let id: String
        /// Who gave up on it.
        public let consumer: String
        /// Where it came from, `topic/partition/offset`; `topic/-1/sequence` for one of our own that the broker refused.
        public let origin: String
        /// Why: a code and a sentence.
        public let cause: (code: String, message: String)
        /// When.
        public let failedAt: Date
        /// When it was sent again, if it was.
        public let replayedAt: Date?
    }

    /// The latest dead letters, newest first.
    public static func list(limit: Int, from pool: PostgresPool) async throws -> [Entry] {
        try await pool.query(
            """
            SELECT id, consumer, topic || '/' || partition || '/' || "offset" AS origin, cause_code, cause_message,
                   failed_at, replayed_at
            FROM dead_letters ORDER BY failed_at DESC, id LIMIT \(limit)
            """
        ).map { row in
            Entry(
                id: try row.get("id", as: String.self),
                consumer: try row.get("consumer", as: String.self),
                origin: try row.get("origin", as: String.self),
                cause: (
                    try row.get("cause_code", as: String.self), try row.get("cause_message", as: String.self)
                ),
                failedAt: try row.get("failed_at", as: Date.self),
                replayedAt: try row.get("replayed_at", as: Date?.self)
            )
        }
    }

    /// Sends a dead letter to its topic again, with its own key, headers and bytes or a mended body.
    ///
    /// - Returns: `false` when there is no such dead letter.
    public static func replay(
        id: String,
        body: Data? = nil,
        from pool: PostgresPool,
        through producer: KafkaProducer
    ) async throws -> Bool {
        let rows = try await pool.query(
            """
            SELECT consumer, topic, "offset", key, payload, headers::text AS headers FROM dead_letters WHERE id = \(id)
            """
        )
        guard let row = rows.first else { return false }
        let headers = try EventCoding.decodeJSON(
            [DeadLetterHeader].self,
            from: Data(try row.get("headers", as: String.self).utf8)
        )
        let original = try row.get("payload", as: Data?.self)
        let record = KafkaRecord(
            topic: try row.get("topic", as: String.self),
            key: try row.get("key", as: Data?.self),
            value: body ?? original,
            headers: headers.map {
                KafkaHeader(key: $0.name, value: $0.valueBase64.flatMap { Data(base64Encoded: $0) })
            }
        )
        _ = try await producer.send(record)
        let sequence: Int64? =
            try row.get("consumer", as: String.self) == outbox ? try row.get("offset", as: Int64.self) : nil
        try await pool.withTransaction { transaction in
            try await transaction.execute("UPDATE dead_letters SET replayed_at = now() WHERE id = \(id)")
            try await transaction.execute(
                "UPDATE outbox SET published_at = now(), refused_at = NULL WHERE sequence = \(sequence)"
            )
        }
        return true
    }
}
