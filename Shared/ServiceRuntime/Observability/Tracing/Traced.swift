public import Schemas
public import Tracing

/// Work in a span of its own.
public enum Traced {
    /// Works in a span: what is stored and sent meanwhile belongs to its trace.
    ///
    /// An error is noted with the span by its type alone, as messages of errors may quote what somebody wrote. Cancellation
    /// and a ``Postponement`` are none.
    ///
    /// Arguments:
    ///   - name: what is done, of few different values, e.g. `process errata.problems.v1`.
    ///   - kind: how it stands to other processes.
    ///   - trace: what it goes on from; nil begins a new trace. Default: what the task works in.
    ///   - attributes: what is known of it from the beginning; asked for where the span is recorded.
    ///   - body: the work; it may tell the span more.
    public static func run<Value>(
        _ name: String,
        kind: SpanKind = .internal,
        in trace: TraceContext? = TraceContext.current,
        attributes: @autoclosure () -> SpanAttributes = [:],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (any Tracing.Span) async throws -> Value
    ) async throws -> Value {
        let outcome = await withSpan(
            name,
            context: InstrumentationContext.carrying(trace),
            ofKind: kind,
            isolation: isolation
        ) { span -> Result<Value, any Error> in
            if span.isRecording {
                let known = attributes()
                span.updateAttributes { $0.merge(known) }
            }
            do {
                return .success(try await body(span))
            } catch {
                if !(error is CancellationError), !(error is Postponement) {
                    span.recordError(error)
                    span.setStatus(SpanStatus(code: .error))
                }
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
