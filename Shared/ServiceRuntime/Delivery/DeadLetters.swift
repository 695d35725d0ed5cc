import Foundation
import KafkaClient
import PostgresClient
import Schemas

/// Messages that failed for good: written down here, listed and settled in the files beside this one.
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
        let event = try MessageSpans.giveUp(message, by: consumer, failure) {
            try OutgoingEvent(
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
        }
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
}
