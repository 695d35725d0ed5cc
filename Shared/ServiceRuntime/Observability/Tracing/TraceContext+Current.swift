import PostgresClient
public import Schemas
public import Tracing

extension TraceContext {
    /// The context that the current task works in; nil where there is none.
    public static var current: TraceContext? { InstrumentationContext.current?.trace }
}

extension InstrumentationContext {
    private enum TraceKey: InstrumentationContextKey {
        typealias Value = TraceContext
        static let nameOverride: String? = "trace-context"
    }

    /// The trace that work in the context belongs to.
    public var trace: TraceContext? {
        get { self[TraceKey.self] }
        set { self[TraceKey.self] = newValue }
    }

    /// The current context with another trace, or without one.
    public static func carrying(_ trace: TraceContext?) -> InstrumentationContext {
        var context = InstrumentationContext.current ?? .topLevel
        context.trace = trace
        return context
    }
}

extension Row {
    /// The context in the column `trace_context`; nil where there is none.
    func traceContext() throws -> TraceContext? {
        try get("trace_context", as: String?.self).flatMap { TraceContext(text: $0) }
    }
}
