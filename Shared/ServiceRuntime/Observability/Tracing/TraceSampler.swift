public import Schemas

/// Decides which spans are recorded, by OpenTelemetry's names.
public struct TraceSampler: Sendable, Hashable {
    /// The ways to decide.
    public enum Rule: String, Sendable, CaseIterable, ConfigurationValue {
        /// Every span.
        case alwaysOn = "always_on"
        /// None.
        case alwaysOff = "always_off"
        /// Those of a share of the traces.
        case traceIDRatio = "traceidratio"
        /// As what the span goes on from says; new traces all.
        case parentBasedAlwaysOn = "parentbased_always_on"
        /// As what the span goes on from says; of new traces none.
        case parentBasedAlwaysOff = "parentbased_always_off"
        /// As what the span goes on from says; a share of the new traces.
        case parentBasedTraceIDRatio = "parentbased_traceidratio"
    }

    /// The rule.
    public var rule: Rule
    /// The share of the traces, 0 to 1, of the rules that have one.
    public var ratio: Double

    /// Makes a sampler; by default new traces are all recorded, others as their callers do.
    public init(_ rule: Rule = .parentBasedAlwaysOn, ratio: Double = 1) {
        self.rule = rule
        self.ratio = ratio
    }

    /// Whether a span is recorded that goes on from `parent`, in the trace `trace`.
    public func samples(_ trace: TraceContext.TraceID, parent: TraceContext?) -> Bool {
        switch rule {
        case .alwaysOn: return true
        case .alwaysOff: return false
        case .traceIDRatio: return isWithinRatio(trace)
        case .parentBasedAlwaysOn: return parent.map(isSampled) ?? true
        case .parentBasedAlwaysOff: return parent.map(isSampled) ?? false
        case .parentBasedTraceIDRatio: return parent.map(isSampled) ?? isWithinRatio(trace)
        }
    }

    private func isSampled(_ parent: TraceContext) -> Bool { parent.flags.contains(.sampled) }

    /// By the trace's id, so that every service takes the same traces.
    private func isWithinRatio(_ trace: TraceContext.TraceID) -> Bool {
        if ratio >= 1 { return true }
        return Double(trace.low >> 1) < ratio * 0x1p63
    }
}
