import Schemas
public import Tracing

/// Makes spans with W3C trace contexts; those that are recorded go to a queue, from which an ``OTLPExporter`` takes them.
///
/// Without a queue spans only carry their contexts, so that traces are handed on from event to event all the same.
public struct ServiceTracer: Tracer {
    /// The spans that it makes.
    public typealias Span = ServiceSpan

    private let sampler: TraceSampler
    private let queue: SpanQueue?

    /// Creates a tracer; `queue`: nil records nothing.
    public init(sampler: TraceSampler = TraceSampler(), queue: SpanQueue? = nil) {
        self.sampler = sampler
        self.queue = queue
    }

    /// The tracer of the current task, where it records spans.
    static var recording: ServiceTracer? {
        guard let tracer = InstrumentationSystem.tracer as? ServiceTracer, tracer.queue != nil else { return nil }
        return tracer
    }

    /// Starts a span within the context's trace; without one it begins a new trace.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> ServiceSpan {
        var context = context()
        let parent = context.trace
        var generator = SystemRandomNumberGenerator()
        let traceID: TraceContext.TraceID
        if let parent { traceID = parent.traceID } else { traceID = .random(using: &generator) }
        let isSampled = sampler.samples(traceID, parent: parent)
        var flags = parent?.flags ?? TraceContext.Flags.random
        if isSampled { flags.insert(.sampled) } else { flags.remove(.sampled) }
        let trace = TraceContext(
            traceID: traceID,
            spanID: .random(using: &generator),
            flags: flags,
            state: parent?.state
        )
        context.trace = trace
        guard isSampled, let queue else { return ServiceSpan(context: context, record: nil) { _ in } }
        let start = instant().nanosecondsSinceEpoch
        let record = SpanRecord(
            trace: trace,
            parent: parent?.spanID,
            name: operationName,
            kind: kind,
            start: start,
            end: start
        )
        return ServiceSpan(context: context, record: record) { queue.add($0) }
    }

    /// Does nothing: the exporter sends what there is by itself.
    public func forceFlush() {}

    /// Reads `traceparent` and `tracestate`.
    public func extract<Carrier, Extract>(
        _ carrier: Carrier,
        into context: inout InstrumentationContext,
        using extractor: Extract
    ) where Extract: Extractor, Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: "traceparent", from: carrier) else { return }
        let state = extractor.extract(key: "tracestate", from: carrier)
        if let trace = TraceContext(traceparent: parent, tracestate: state) { context.trace = trace }
    }

    /// Writes `traceparent` and `tracestate`.
    public func inject<Carrier, Inject>(
        _ context: InstrumentationContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject: Injector, Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.traceparent, forKey: "traceparent", into: &carrier)
        if let state = trace.state { injector.inject(state, forKey: "tracestate", into: &carrier) }
    }
}
