import Foundation
import KafkaClient
import Schemas

/// Turns Kafka messages into events.
enum EventReader {
    /// Reads a message.
    ///
    /// A message with no CloudEvents header at all is taken as a plain JSON body of the topic's own event type, so that
    /// any tool can produce problems; its event id is derived from the topic, the key and the bytes.
    ///
    /// - Throws: ``PermanentFailure`` when the message is no event of the topic.
    static func read(_ message: KafkaMessage, topic: Topic) throws -> ReceivedEvent {
        guard let value = message.value else {
            throw PermanentFailure(
                code: "tombstone",
                message: "the message has no value; \(topic.rawValue) carries events and is never compacted"
            )
        }
        guard value.count <= EventCoding.defaultSizeLimit else {
            throw PermanentFailure(
                code: SchemasError.Code.tooLarge.rawValue,
                message: "the body has \(value.count) bytes; an event may have \(EventCoding.defaultSizeLimit)"
            )
        }
        return ReceivedEvent(
            topic: topic,
            partition: message.partition,
            offset: message.offset,
            attributes: try attributes(of: message, value: value, topic: topic),
            data: value
        )
    }

    private static func attributes(of message: KafkaMessage, value: Data, topic: Topic) throws -> CloudEvent {
        let headers = message.headers.map { ($0.key, $0.value ?? Data()) }
        guard headers.contains(where: { $0.0.hasPrefix("ce_") }) else {
            let type = topic.plainEventType
            let key = message.key.map { String(decoding: $0, as: UTF8.self) } ?? ""
            let id = DeterministicID.make(
                cause: topic.rawValue,
                parts: key,
                value.base64EncodedString()
            )
            return CloudEvent(
                id: id,
                source: "/\(topic.rawValue)",
                type: type.rawValue,
                trace: TraceContext(headers: headers)
            )
        }
        do {
            let attributes = try CloudEvent(headers: headers)
            _ = try attributes.requireType(oneOf: topic.eventTypes)
            return attributes
        } catch let error as SchemasError {
            throw PermanentFailure(code: error.code.rawValue, message: error.message)
        }
    }
}
