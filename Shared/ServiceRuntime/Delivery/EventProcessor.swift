public import Foundation
public import Schemas

/// An event as it came from a topic.
public struct ReceivedEvent: Sendable {
    /// The topic it came from.
    public let topic: Topic
    /// The partition it came from.
    public let partition: Int32
    /// Its offset there.
    public let offset: Int64
    /// The CloudEvents attributes.
    public let attributes: CloudEvent
    /// The JSON body.
    public let data: Data

    /// Creates an event; tests do, and ``EffectsWorker`` does from a Kafka message.
    public init(topic: Topic, partition: Int32, offset: Int64, attributes: CloudEvent, data: Data) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.attributes = attributes
        self.data = data
    }

    /// The event id, by which, with its source and topic, consumers recognise an event that comes again.
    public var id: String { attributes.id }

    /// Reads the body and checks it.
    ///
    /// - Throws: ``PermanentFailure`` that names the place in the body.
    public func decode<Payload: EventPayload>(_ type: Payload.Type = Payload.self) throws -> Payload {
        do {
            return try EventCoding.decode(type, from: data)
        } catch let error as SchemasError {
            throw PermanentFailure(code: error.code.rawValue, message: error.message)
        }
    }
}

/// What a service does with the events of its topics.
public protocol EventProcessor: Sendable {
    /// The consumer group, which is also the consumer's name in the inbox.
    var consumerName: String { get }
    /// The topics to read.
    var topics: [Topic] { get }

    /// Whether events of a type are read; others on the same topics are passed over, and no row is kept of them.
    ///
    /// By default all are.
    func reads(_ type: EventType) -> Bool

    /// The most messages, each of another key, whose effects may be brought about in one transaction; by default 1.
    ///
    /// For processors whose work is quick and whose effects are rows and events alone: what a batch holds waits for the
    /// slowest in it, and where one fails in the transaction all are worked on once more, each by itself. What many messages
    /// read and write is best read by ``prepared(for:)`` and written as ``BatchedChange``s.
    var batchLimit: Int { get }

    /// The processor for the events of a batch, which may have read what they need, in fewer statements than one an event.
    ///
    /// By default it is the processor as it is. Where this throws, the events are worked on one by one without it.
    func prepared(for events: [ReceivedEvent]) async throws -> Self

    /// Whether events of a type may be in a batch; one that takes long is worked on by itself.
    ///
    /// By default all may.
    func isBatched(_ type: EventType) -> Bool

    /// Whether some events are stored before they are worked on; by default none is.
    var storesFirst: Bool { get }

    /// Whether an event's message is stored in the database as soon as it comes, and worked on from there: its offset goes on
    /// at once, so that its topic's retention cannot lose it, and no message waits behind the work on others.
    ///
    /// Others that come behind a stored message of their key are stored behind it.
    ///
    /// For work that waits for others, such as a teacher who may be away. Asked only where ``storesFirst`` is true, and of each
    /// message; as many as a batch holds are stored together.
    func isStoredFirst(_ event: ReceivedEvent) -> Bool

    /// Works out the effects of an event. Slow work (a teacher's answer) belongs here, outside the transaction.
    ///
    /// The same event may be processed again after a crash: work that costs something is kept under a key of its own.
    ///
    /// - Throws: ``PermanentFailure`` for a message that can never succeed; anything else is retried.
    func process(_ event: ReceivedEvent) async throws -> Effects
}

extension EventProcessor {
    /// All types of the topics are read.
    public func reads(_ type: EventType) -> Bool { true }
    /// Each message has a transaction of its own.
    public var batchLimit: Int { 1 }
    /// Nothing is read before.
    public func prepared(for events: [ReceivedEvent]) async throws -> Self { self }
    /// All types may be in a batch.
    public func isBatched(_ type: EventType) -> Bool { true }
    /// Messages are worked on as they come.
    public var storesFirst: Bool { false }
    /// No event is stored first.
    public func isStoredFirst(_ event: ReceivedEvent) -> Bool { false }
}
