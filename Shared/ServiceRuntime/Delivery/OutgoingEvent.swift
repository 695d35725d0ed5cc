public import Foundation
public import KafkaClient
public import PostgresClient
public import Schemas
import Tracing

/// An event to send: written to the outbox in the transaction that caused it, and published by the relay.
public struct OutgoingEvent: Sendable, Hashable {
    /// The topic it goes to.
    public let topic: Topic
    /// The record's key; order holds among events of one key.
    public let key: String
    /// The CloudEvents attributes.
    public let attributes: CloudEvent
    /// The JSON body, UTF-8.
    public let payload: String

    /// Encodes a payload.
    ///
    /// - Parameters:
    ///   - payload: what happened; it is validated.
    ///   - id: the event id. It must be derived from the causing event and the work, so that work done twice gives one
    ///     id: see ``Schemas/DeterministicID``. Default: the payload's id.
    ///   - source: the sender, e.g. `/errata/evaluator`.
    ///   - time: when it happened.
    ///   - trace: what it belongs to. Default: what the task works in.
    /// - Throws: ``Schemas/SchemasError`` when the payload is not valid or longer than a message may be.
    public init(
        _ payload: some EventPayload,
        id: String? = nil,
        source: String,
        time: Date,
        trace: TraceContext? = TraceContext.current
    ) throws {
        let type = Swift.type(of: payload).type
        topic = type.topic
        key = payload.key
        attributes = CloudEvent(id: id ?? payload.id, source: source, time: time, payload: payload, trace: trace)
        self.payload = String(decoding: try EventCoding.encode(payload), as: UTF8.self)
    }

    /// Encodes a payload in a span of its own, for a sender in whose trace there is no work yet: commands are such.
    ///
    /// Without a trace a new one begins with the event.
    ///
    /// Arguments as of ``init(_:id:source:time:trace:)``.
    public static func created(
        _ payload: some EventPayload,
        id: String? = nil,
        source: String,
        time: Date,
        trace: TraceContext? = TraceContext.current
    ) throws -> OutgoingEvent {
        let topic = Swift.type(of: payload).type.topic.rawValue
        return try withSpan(
            "create \(topic)",
            context: InstrumentationContext.carrying(trace),
            ofKind: .producer
        ) { span in
            let event = try OutgoingEvent(payload, id: id, source: source, time: time)
            span.updateAttributes { all in
                all.merge(MessageSpans.attributes(topic: topic, operation: "create"))
                all["messaging.message.id"] = event.attributes.id
                all["cloudevents.event_type"] = event.attributes.type
            }
            return event
        }
    }

    /// The Kafka record of the event in CloudEvents' binary mode, for a sender that has no outbox.
    public func record() throws -> KafkaRecord {
        KafkaRecord(
            topic: topic.rawValue,
            key: Data(key.utf8),
            value: Data(payload.utf8),
            headers: try attributes.headers().map { KafkaHeader(key: $0.0, value: $0.1) }
        )
    }
}

extension PostgresTransaction {
    /// Puts events into the outbox, which sends them once the transaction is committed: for work that is no
    /// message's ``Effects``.
    ///
    /// - Throws: ``PermanentFailure`` when another event stands under an id.
    public func send(_ events: [OutgoingEvent]) async throws { try await Outbox.enqueue(events, in: self) }
}
