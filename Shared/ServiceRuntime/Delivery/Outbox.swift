import Foundation
import KafkaClient
import PostgresClient
import Schemas

/// An event on its way into the outbox, as the message that it comes of leaves it.
struct OutboxRow: Sendable {
    let event: OutgoingEvent
}

/// The table of events to publish.
enum Outbox {
    /// The most rows of one statement, and about the most bytes.
    private static let chunk = (rows: 500, bytes: 4 << 20)

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
        try await insert(try rows(of: events, sizeLimit: sizeLimit), in: transaction)
    }

    /// Makes the rows of events, each of which can be a record.
    ///
    /// - Throws: ``PermanentFailure`` when one is larger than the limit, or its attributes cannot be headers.
    static func rows(of events: [OutgoingEvent], sizeLimit: Int? = nil) throws -> [OutboxRow] {
        try events.map { event in
            try check(event, sizeLimit: sizeLimit)
            return OutboxRow(event: event)
        }
    }

    /// Writes rows in their order, those of several messages too, in as many statements as their bytes need.
    ///
    /// - Throws: ``PermanentFailure`` when a different event stands under an id.
    static func insert(_ rows: [OutboxRow], in transaction: PostgresTransaction) async throws {
        var first = rows.startIndex
        while first < rows.endIndex {
            var end = first
            var bytes = 0
            while end < rows.endIndex, end - first < chunk.rows, bytes < chunk.bytes {
                bytes += rows[end].event.payload.utf8.count
                end += 1
            }
            try await insert(rows[first..<end], in: transaction)
            first = end
        }
    }

    private static func insert(_ rows: ArraySlice<OutboxRow>, in transaction: PostgresTransaction) async throws {
        let events = rows.map(\.event)
        let ids = events.map(\.attributes.id)
        let topics = events.map(\.topic.rawValue)
        let keys = events.map(\.key)
        let types = events.map(\.attributes.type)
        let sources = events.map(\.attributes.source)
        let subjects = events.map(\.attributes.subject)
        let times = events.map(\.attributes.time)
        let payloads = events.map(\.payload)
        let traces = events.map(\.attributes.trace?.text)
        let inserted = try await transaction.execute(
            """
            INSERT INTO outbox (event_id, topic, key, type, source, subject, time, payload, trace_context)
            SELECT sent.event_id, sent.topic, sent.key, sent.type, sent.source, sent.subject, sent.time, sent.payload,
                   sent.trace
            FROM unnest(\(ids), \(topics), \(keys), \(types), \(sources), \(subjects), \(times), \(payloads), \(traces))
                WITH ORDINALITY AS sent (event_id, topic, key, type, source, subject, time, payload, trace, place)
            ORDER BY sent.place
            ON CONFLICT (event_id) DO NOTHING
            """
        )
        guard inserted < events.count else { return }
        // One that was published long ago has no body any more, and is known by its id alone.
        let conflict = try await transaction.first(
            """
            SELECT sent.event_id, sent.type
            FROM unnest(\(ids), \(types), \(payloads)) AS sent (event_id, type, payload)
            JOIN outbox AS known ON known.event_id = sent.event_id
            WHERE known.payload NOT IN ('', sent.payload) LIMIT 1
            """
        )
        guard let conflict else { return }
        let (id, type) = (try conflict.get("event_id", as: String.self), try conflict.get("type", as: String.self))
        throw PermanentFailure(
            code: "conflicting-event",
            message: "event id \(id) of \(type) stands for a different event already"
        )
    }

    /// An event that cannot be a record must not come into the table: those of all services behind it would wait.
    private static func check(_ event: OutgoingEvent, sizeLimit: Int?) throws {
        let size: Int
        do {
            size = KafkaRecord.largestSize(
                headers: try event.attributes.headers().map { KafkaHeader(key: $0.0, value: $0.1) },
                of: event.key.utf8.count + event.payload.utf8.count
            )
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
