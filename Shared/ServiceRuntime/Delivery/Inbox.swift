import Digests
import Foundation
import KafkaClient
import PostgresClient

/// What an event is recognised by when it comes again: its source and its id, as CloudEvents has it, on its topic.
struct EventIdentity: Hashable, Sendable {
    let topic: String
    let source: String
    let id: String

    /// The longest source, in bytes, that stands in the tables as it is: with the longest id it fits an index.
    private static let longestSource = 255

    init(of event: ReceivedEvent) {
        let source = event.attributes.source
        topic = event.topic.rawValue
        self.source =
            source.utf8.count <= Self.longestSource
            ? source : "sha256:\(Hexadecimal.text(SHA256.hash(Array(source.utf8))))"
        id = event.id
    }

    /// A message that was given up: not under its event's own id, for a mended one may come under that.
    ///
    /// No event's source is empty.
    init(deadLetter id: String, topic: String) {
        self.topic = topic
        source = ""
        self.id = "dead-letter:\(id)"
    }
}

/// What a consumer has finished with.
struct InboxEntry: Sendable {
    let identity: EventIdentity
    /// SHA-256 of an event's body.
    let digest: Data?

    init(of event: ReceivedEvent) {
        identity = EventIdentity(of: event)
        digest = Data(SHA256.hash(event.data))
    }

    init(deadLetter id: String, topic: String) {
        identity = EventIdentity(deadLetter: id, topic: topic)
        digest = nil
    }
}

/// The table of what each consumer has finished with.
enum Inbox {
    /// Where an event stands with a consumer.
    enum Standing: Sendable, Equatable {
        /// The consumer has finished with it.
        case finished
        /// An earlier message of its key is parked.
        case behindParked
        /// It may be worked on.
        case open
    }

    /// Where an event stands, whose message has the lane (``ParkedMessages/lane(of:)``); without one it is behind nothing.
    ///
    /// - Throws: as ``holds(_:of:in:)``.
    static func standing(
        of entry: InboxEntry,
        lane: Data?,
        with consumer: String,
        in database: some PostgresQueryable
    ) async throws -> Standing {
        let event = entry.identity
        // One statement, as every message needs both.
        let rows = try await database.query(
            """
            SELECT false AS parked, digest FROM inbox
            WHERE consumer = \(consumer) AND event_id = \(event.id) AND topic = \(event.topic)
              AND source IN (\(event.source), '')
            UNION ALL
            (SELECT true, NULL::bytea FROM parked_messages
             WHERE consumer = \(consumer) AND topic = \(event.topic) AND lane = \(lane) LIMIT 1)
            """
        )
        var known: [Row] = []
        for row in rows {
            let isParked = try row.get("parked", as: Bool.self)
            if !isParked { known.append(row) }
        }
        if try isFinished(known, entry) { return .finished }
        return known.count < rows.count ? .behindParked : .open
    }

    /// Whether a consumer has finished with an event.
    ///
    /// A row from before sources were kept (its own is empty) stands for every event of its topic and id.
    ///
    /// - Throws: ``PermanentFailure`` `event-id-taken` when the consumer has finished with an event of the same source,
    ///   topic and id whose body was another one.
    static func holds(
        _ entry: InboxEntry,
        of consumer: String,
        in database: some PostgresQueryable
    ) async throws -> Bool {
        let event = entry.identity
        let rows = try await database.query(
            """
            SELECT digest FROM inbox
            WHERE consumer = \(consumer) AND event_id = \(event.id) AND topic = \(event.topic)
              AND source IN (\(event.source), '')
            """
        )
        return try isFinished(rows, entry)
    }

    private static func isFinished(_ rows: [Row], _ entry: InboxEntry) throws -> Bool {
        let event = entry.identity
        guard !rows.isEmpty else { return false }
        for row in rows {
            guard let digest = try row.get("digest", as: Data?.self), digest != entry.digest else { return true }
        }
        throw PermanentFailure(
            code: "event-id-taken",
            message: "another body came before under the id \(event.id.prefix(100)) of \(event.source.prefix(100)) on "
                + "\(event.topic), and an event is recognised by these: this one was not worked on. What it says that is "
                + "new must be sent under an id of its own, a correction too; replaying it as it is ends here again"
        )
    }

    /// Notes that a consumer finishes with an entry by the caller's transaction.
    ///
    /// - Returns: false when it is noted already.
    static func add(
        _ entry: InboxEntry,
        of consumer: String,
        from message: KafkaMessage,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        let event = entry.identity
        let inserted = try await transaction.query(
            """
            INSERT INTO inbox (consumer, event_id, topic, source, digest, partition, "offset")
            VALUES (\(consumer), \(event.id), \(event.topic), \(event.source), \(entry.digest), \(message.partition),
                    \(message.offset))
            ON CONFLICT DO NOTHING RETURNING event_id
            """
        )
        return !inserted.isEmpty
    }
}
