import Schemas
import Tracing

/// A span that has ended.
struct SpanRecord: Sendable {
    /// The trace, and the span's own id.
    var trace: TraceContext
    /// The span that it goes on from; nil at the beginning of a trace.
    var parent: TraceContext.SpanID?
    var name: String
    var kind: SpanKind
    /// Nanoseconds since 1970.
    var start: UInt64
    /// Nanoseconds since 1970.
    var end: UInt64
    var attributes: SpanAttributes = [:]
    var events: [SpanEvent] = []
    /// The contexts of other spans that it has to do with.
    var links: [(trace: TraceContext, attributes: SpanAttributes)] = []
    var status: SpanStatus?
}
