import Foundation
import KafkaClient
import PostgresClient
import Schemas

/// The table of events to publish.
enum Outbox {
    /// Writes events in the caller's transaction; the relay sends them within its poll interval after the commit.
    ///
    /// An event that is there already under the same id is left alone: it is the same work done again.
    ///
    /// `sizeLimit`: the largest record that the producer sends, in bytes; nil leaves that to the relay.
    ///
    /// - Throws: ``PermanentFailure`` when a different event stands under the id, one is larger than the limit, or its
    ///   attributes cannot be headers.
    static func enqueue(
        _ events: [OutgoingEvent],
        sizeLimit: Int? = nil,
        in transaction: PostgresTransaction
    ) async throws {
        for event in events {
            try check(event, sizeLimit: sizeLimit)
            let attributes = event.attributes
            let inserted = try await transaction.query(
                """
                INSERT INTO outbox (event_id, topic, key, type, source, subject, time, payload, trace_context)
                VALUES (\(attributes.id), \(event.topic.rawValue), \(event.key), \(attributes.type),
                        \(attributes.source), \(attributes.subject), \(attributes.time), \(event.payload),
                        \(attributes.trace?.text))
                ON CONFLICT (event_id) DO NOTHING RETURNING sequence
                """
            )
            guard inserted.isEmpty else { continue }
            let rows = try await transaction.query("SELECT payload FROM outbox WHERE event_id = \(attributes.id)")
            // One that was published long ago has no body any more, and is known by its id alone.
            if let known = try rows.first?.get("payload", as: String.self), !known.isEmpty, known != event.payload {
                throw PermanentFailure(
                    code: "conflicting-event",
                    message: "event id \(attributes.id) of \(attributes.type) stands for a different event already"
                )
            }
        }
    }

    /// An event that cannot be a record must not come into the table: those of all services behind it would wait.
    private static func check(_ event: OutgoingEvent, sizeLimit: Int?) throws {
        let size: Int
        do {
            size = try event.record().largestSize
        } catch let error as SchemasError {
            throw PermanentFailure(code: error.code.rawValue, message: error.message)
        }
        guard let sizeLimit, size > sizeLimit else { return }
        throw PermanentFailure(
            code: "too-large",
            message: "\(event.attributes.type) \(event.attributes.id) takes \(size) bytes with its key and headers, "
                + "and the producer sends at most \(sizeLimit); shorten its texts, or raise message.max.bytes in "
                + "ERRATA_KAFKA_SETTINGS and max.message.bytes of the topic \(event.topic.rawValue)"
        )
    }
}
