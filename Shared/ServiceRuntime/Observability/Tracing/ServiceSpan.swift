import Schemas
import Synchronization
public import Tracing

/// A span of a ``ServiceTracer``; one that nobody records only carries its context.
public final class ServiceSpan: Tracing.Span {
    /// The most events and links of a span, each; more are passed over.
    private static let limit = 128

    /// The context for work within the span.
    public let context: InstrumentationContext
    /// Whether what the span is told is kept.
    public let isRecording: Bool
    private let record: Mutex<SpanRecord?>
    private let ended: @Sendable (SpanRecord) -> Void

    /// Creates a span; `record`: nil where nobody records it.
    init(context: InstrumentationContext, record: SpanRecord?, ended: @escaping @Sendable (SpanRecord) -> Void) {
        self.context = context
        self.ended = ended
        isRecording = record != nil
        self.record = Mutex(record)
    }

    /// The span's name; empty where nobody records it.
    public var operationName: String {
        get { record.withLock { $0?.name ?? "" } }
        set { change { $0.name = newValue } }
    }

    /// The attributes; none where nobody records them.
    public var attributes: SpanAttributes {
        get { record.withLock { $0?.attributes ?? [:] } }
        set { change { $0.attributes = newValue } }
    }

    /// Sets the status; one that says that all went well stays.
    public func setStatus(_ status: SpanStatus) {
        change { record in
            if record.status?.code != .ok { record.status = status }
        }
    }

    /// Adds an event.
    public func addEvent(_ event: SpanEvent) {
        change { record in
            if record.events.count < Self.limit { record.events.append(event) }
        }
    }

    /// Notes an error by its type: its message may quote what somebody wrote.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        guard isRecording else { return }
        let type = String(reflecting: Swift.type(of: error))
        var attributes = attributes
        attributes["exception.type"] = type
        let event = SpanEvent(name: "exception", at: instant(), attributes: attributes)
        addEvent(event)
        change { $0.attributes["error.type"] = type }
    }

    /// Adds a link; one to nothing is passed over.
    public func addLink(_ link: SpanLink) {
        guard let trace = link.context.trace else { return }
        change { record in
            if record.links.count < Self.limit { record.links.append((trace, link.attributes)) }
        }
    }

    /// Ends the span; what it is told later is passed over.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard isRecording else { return }
        let end = instant().nanosecondsSinceEpoch
        let done = record.withLock { record in
            defer { record = nil }
            return record
        }
        guard var done else { return }
        done.end = max(end, done.start)
        ended(done)
    }

    private func change(_ body: (inout SpanRecord) -> Void) {
        record.withLock { record in
            guard var changed = record else { return }
            body(&changed)
            record = changed
        }
    }
}
