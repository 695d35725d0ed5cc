import Foundation
import KafkaClient
import Schemas
import Tracing

/// The spans of messages, with the attributes that OpenTelemetry's conventions for messaging name.
enum MessageSpans {
    /// Works on an event in a span that goes on from the event's trace; one without a trace begins a new one.
    static func process(
        _ event: ReceivedEvent,
        by consumer: String,
        isParked: Bool,
        _ body: () async throws -> Effects
    ) async throws -> Effects {
        try await Traced.run(
            "process \(event.topic.rawValue)",
            kind: .consumer,
            in: event.attributes.trace,
            attributes: attributes(of: event, consumer: consumer, isParked: isParked)
        ) { _ in try await body() }
    }

    private static func attributes(of event: ReceivedEvent, consumer: String, isParked: Bool) -> SpanAttributes {
        var attributes = attributes(topic: event.topic.rawValue, operation: "process")
        attributes["messaging.consumer.group.name"] = consumer
        attributes["messaging.destination.partition.id"] = "\(event.partition)"
        attributes["messaging.kafka.offset"] = event.offset
        attributes["messaging.message.id"] = event.id
        attributes["cloudevents.event_type"] = event.attributes.type
        if isParked { attributes["errata.parked"] = true }
        return attributes
    }

    /// Makes what is to be done with a message that is given up, within its trace.
    static func giveUp<Value>(
        _ message: KafkaMessage,
        by consumer: String,
        _ failure: PermanentFailure,
        _ body: () throws -> Value
    ) rethrows -> Value {
        let trace = TraceContext(headers: message.headers.map { ($0.key, $0.value ?? Data()) })
        return try withSpan(
            "give-up \(message.topic)",
            context: InstrumentationContext.carrying(trace),
            ofKind: .consumer
        ) { span in
            span.updateAttributes { all in
                all.merge(attributes(topic: message.topic, operation: "process"))
                all["messaging.operation.name"] = "give-up"
                all["messaging.consumer.group.name"] = consumer
                all["messaging.destination.partition.id"] = "\(message.partition)"
                all["messaging.kafka.offset"] = message.offset
                all["error.type"] = failure.code
            }
            span.setStatus(SpanStatus(code: .error))
            return try body()
        }
    }

    /// What all spans of a topic's messages have; `operation`: `process`, `create` or `send`.
    static func attributes(topic: String, operation: String) -> SpanAttributes {
        var attributes = SpanAttributes([:])
        attributes["messaging.system"] = "kafka"
        attributes["messaging.destination.name"] = topic
        attributes["messaging.operation.name"] = operation
        attributes["messaging.operation.type"] = operation
        return attributes
    }
}

/// The spans of a batch that the relay publishes, one an event; none where nobody records them.
struct PublishSpans {
    private let tracer = ServiceTracer.recording
    private var spans: [ServiceSpan?] = []

    /// Starts the span of the next event.
    mutating func add(_ event: CloudEvent, topic: String) {
        guard let tracer else { return }
        guard let trace = event.trace else {
            spans.append(nil)
            return
        }
        let span = tracer.startSpan(
            "send \(topic)",
            context: InstrumentationContext.carrying(trace),
            ofKind: .producer
        )
        span.updateAttributes { all in
            all.merge(MessageSpans.attributes(topic: topic, operation: "send"))
            all["messaging.message.id"] = event.id
            all["cloudevents.event_type"] = event.type
        }
        spans.append(span)
    }

    /// Ends them; `delivered`: the places of those that the broker has.
    func end(delivered: [Int]) {
        guard !spans.isEmpty else { return }
        let delivered = Set(delivered)
        for (index, span) in spans.enumerated() {
            if !delivered.contains(index) { span?.setStatus(SpanStatus(code: .error)) }
            span?.end()
        }
    }
}
