import Digests
import Foundation
import KafkaClient
import PostgresClient
import Schemas

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

    /// As a row of one of the tables has it.
    init(_ row: Row) throws {
        topic = try row.get("topic", as: String.self)
        source = try row.get("source", as: String.self)
        id = try row.get("event_id", as: String.self)
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
        /// The consumer has finished with an event of the same source, topic and id whose body was another one.
        case taken
        /// An earlier message of its key is parked.
        case behindParked
        /// It may be worked on.
        case open
    }

    /// Where an event stands, whose message has the lane (``ParkedMessages/lane(of:)``); without one it is behind nothing.
    ///
    /// - Throws: ``PermanentFailure`` `event-id-taken` where the answer would be ``Standing/taken``.
    static func standing(
        of entry: InboxEntry,
        lane: Data?,
        with consumer: String,
        in database: some PostgresQueryable
    ) async throws -> Standing {
        let standing = try await standings(of: [(entry, lane)], with: consumer, in: database).first
        if standing == .taken { throw taken(entry.identity) }
        return standing ?? .open
    }

    /// Where each of several events stands, in their order, each with its message's lane.
    ///
    /// A row from before sources were kept (its own is empty) stands for every event of its topic and id.
    static func standings(
        of entries: [(entry: InboxEntry, lane: Data?)],
        with consumer: String,
        in database: some PostgresQueryable
    ) async throws -> [Standing] {
        guard !entries.isEmpty else { return [] }
        let ids = entries.map(\.entry.identity.id)
        let topics = entries.map(\.entry.identity.topic)
        let sources = entries.map(\.entry.identity.source)
        let digests = entries.map(\.entry.digest)
        let lanes = entries.map(\.lane)
        // One statement, as every message needs both. Each event is looked up by the index: a join would be planned while
        // the tables are small, and its plan kept.
        let rows = try await database.query(
            """
            SELECT (
                SELECT bool_or(known.digest IS NULL OR known.digest = event.digest) FROM inbox AS known
                WHERE known.consumer = \(consumer) AND known.event_id = event.event_id AND known.topic = event.topic
                  AND known.source IN (event.source, '')
            ) AS recognised, EXISTS (
                SELECT 1 FROM parked_messages AS parked
                WHERE parked.consumer = \(consumer) AND parked.topic = event.topic AND parked.lane = event.lane
            ) AS parked
            FROM unnest(\(ids), \(topics), \(sources), \(digests), \(lanes))
                WITH ORDINALITY AS event (event_id, topic, source, digest, lane, place)
            ORDER BY event.place
            """
        )
        return try rows.map { row -> Standing in
            guard let isRecognised = try row.get("recognised", as: Bool?.self) else {
                return try row.get("parked", as: Bool.self) ? .behindParked : .open
            }
            return isRecognised ? .finished : .taken
        }
    }

    private static func taken(_ event: EventIdentity) -> PermanentFailure {
        PermanentFailure(
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
        try await !add([(entry, message)], of: consumer, in: transaction).isEmpty
    }

    /// Notes that a consumer finishes with entries by the caller's transaction; no two of them have one identity.
    ///
    /// - Returns: those that were not noted before.
    static func add(
        _ entries: [(entry: InboxEntry, message: KafkaMessage)],
        of consumer: String,
        in transaction: PostgresTransaction
    ) async throws -> Set<EventIdentity> {
        let ids = entries.map(\.entry.identity.id)
        let topics = entries.map(\.entry.identity.topic)
        let sources = entries.map(\.entry.identity.source)
        let digests = entries.map(\.entry.digest)
        let partitions = entries.map(\.message.partition)
        let offsets = entries.map(\.message.offset)
        // In one order, so that two transactions with the same events wait for each other and neither fails.
        let inserted = try await transaction.query(
            """
            INSERT INTO inbox (consumer, event_id, topic, source, digest, partition, "offset")
            SELECT \(consumer)::text, done.event_id, done.topic, done.source, done.digest, done.partition, done.place
            FROM unnest(\(ids), \(topics), \(sources), \(digests), \(partitions), \(offsets))
                AS done (event_id, topic, source, digest, partition, place)
            ORDER BY done.event_id, done.topic, done.source
            ON CONFLICT DO NOTHING RETURNING event_id, topic, source
            """
        )
        return Set(try inserted.map { try EventIdentity($0) })
    }
}
