public import CoreMetrics
import Foundation
import Synchronization

/// Collects the metrics of swift-metrics and writes them in Prometheus' text format.
///
/// Counters get the suffix `_total`, timers become histograms in seconds with the suffix `_seconds`, recorders that
/// aggregate become histograms, other recorders and meters gauges. The number of series is bounded: what goes beyond
/// it is dropped and counted in `errata_metrics_dropped_series_total`. Beside them stand figures that are read when the
/// metrics are asked for (``register(_:freshFor:read:)``).
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// The upper bounds of a timer's buckets, in seconds.
    public static let defaultTimerBuckets: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800,
    ]
    /// The upper bounds of an aggregating recorder's buckets.
    public static let defaultValueBuckets: [Double] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6]

    struct Family {
        let kind: MetricKind
        var series: [String: Series] = [:]
    }

    struct State {
        var families: [String: Family] = [:]
        var count = 0
        var dropped = 0
    }

    private let state = Mutex(State())
    private let sources = MetricSources()
    private let maximumSeries: Int
    private let timerBuckets: [Double]
    private let valueBuckets: [Double]

    /// Makes an empty registry.
    public init(
        maximumSeries: Int = 4096,
        timerBuckets: [Double] = PrometheusRegistry.defaultTimerBuckets,
        valueBuckets: [Double] = PrometheusRegistry.defaultValueBuckets
    ) {
        self.maximumSeries = maximumSeries
        self.timerBuckets = timerBuckets.filter(\.isFinite).sorted()
        self.valueBuckets = valueBuckets.filter(\.isFinite).sorted()
    }

    /// A counter of whole numbers.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, suffix: "_total", dimensions, .counter, buckets: [])
    }

    /// A counter of any numbers.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, suffix: "_total", dimensions, .counter, buckets: [])
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, suffix: "", dimensions, .gauge, buckets: [])
    }

    /// A histogram when it aggregates, a gauge when not.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        series(label, suffix: "", dimensions, aggregate ? .histogram : .gauge, buckets: aggregate ? valueBuckets : [])
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, suffix: "_seconds", dimensions, .histogram, buckets: timerBuckets)
    }

    // A scrape must not lose what was counted, so series live as long as the registry.

    /// Keeps the counter: its value stays in the scrape.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps the counter: its value stays in the scrape.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Keeps the gauge: its value stays in the scrape.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps the recorder: its values stay in the scrape.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps the timer: its values stay in the scrape.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Adds figures that are read when the metrics are asked for, in place of those of the same name.
    ///
    /// Where they cannot be read in time, their series are left out and `errata_metrics_source_up` of the name is 0.
    ///
    /// Arguments:
    ///   - name: a name for people, such as `outbox`.
    ///   - freshFor: for how long what was read is given again without another reading.
    ///   - read: reads them; of two samples with the same name and labels the first counts.
    public func register(
        _ name: String,
        freshFor: Duration = .zero,
        read: @escaping @Sendable () async throws -> [MetricSample]
    ) {
        sources.register(name, freshFor: freshFor, read: read)
    }

    /// All metrics in Prometheus' text format 0.0.4, sorted by name.
    ///
    /// `limit`: how long figures that are read now are waited for.
    public func scrape(within limit: Duration = .seconds(1)) async -> String {
        render(await sources.samples(within: limit))
    }

    /// The metrics that were counted, and samples, in Prometheus' text format 0.0.4, sorted by name.
    private func render(_ samples: [MetricSample]) -> String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var bodies: [String: (kind: MetricKind, text: String)] = [:]
        for (name, family) in families {
            var text = ""
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.render(name: name, labels: labels, into: &text)
            }
            bodies[name] = (family.kind, text)
        }
        let own = [MetricSample(.droppedSeries, count: dropped)] + ProcessMetrics.samples
        for (name, samples) in Dictionary(grouping: samples + own, by: \.name) {
            let taken = families[name.rawValue]
            // A name has one type; what was counted under another stands.
            guard taken == nil || taken?.kind == name.kind, name.kind != .histogram else { continue }
            var values: [String: Double] = [:]
            for sample in samples {
                let labels = Self.labels(sample.labels.map { ($0.key, $0.value) })
                if taken?.series[labels] == nil, values[labels] == nil { values[labels] = sample.value }
            }
            var text = bodies[name.rawValue]?.text ?? ""
            for (labels, value) in values.sorted(by: { $0.key < $1.key }) {
                let braces = labels.isEmpty ? "" : "{\(labels)}"
                text += "\(name.rawValue)\(braces) \(Series.format(value))\n"
            }
            bodies[name.rawValue] = (name.kind, text)
        }
        return bodies.sorted { $0.key < $1.key }
            .map { name, body in Self.help(of: name) + "# TYPE \(name) \(body.kind.rawValue)\n" + body.text }
            .joined()
    }

    /// The line that says what a metric is; none of one that is not ours.
    private static func help(of name: String) -> String {
        guard let metric = MetricName(rawValue: name) else { return "" }
        return "# HELP \(name) \(escaped(metric.help))\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\n", with: "\\n")
    }

    private func series(
        _ label: String,
        suffix: String,
        _ dimensions: [(String, String)],
        _ kind: MetricKind,
        buckets: [Double]
    ) -> Series {
        var name = Self.sanitize(label)
        if !name.hasSuffix(suffix) { name += suffix }
        let labels = Self.labels(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            if let series = family.series[labels], family.kind == kind { return series }
            let series = Series(buckets: buckets)
            guard family.kind == kind, state.count < maximumSeries else {
                state.dropped += 1
                return series
            }
            family.series[labels] = series
            state.families[name] = family
            state.count += 1
            return series
        }
    }

    static func sanitize(_ name: String, allowColon: Bool = true) -> String {
        let text = String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { scalar in
                    let isLegal =
                        scalar.isASCII
                        && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
                            || (allowColon && scalar == ":"))
                    return isLegal ? scalar : "_"
                }
            )
        )
        guard let first = text.first else { return "_" }
        return first.isNumber ? "_\(text)" : text
    }

    static func labels(_ dimensions: [(String, String)]) -> String {
        var seen: Set<String> = []
        return dimensions.map { (sanitize($0, allowColon: false), $1) }
            .filter { seen.insert($0.0).inserted }
            .sorted { $0.0 < $1.0 }
            .map { name, value in
                let quoted = escaped(value).replacingOccurrences(of: "\"", with: "\\\"")
                return "\(name)=\"\(quoted)\""
            }
            .joined(separator: ",")
    }
}

/// One series: a number, or a histogram when it has buckets.
final class Series: CounterHandler, FloatingPointCounterHandler, RecorderHandler, MeterHandler, TimerHandler {
    private struct Values {
        var number = 0.0
        var count = 0
        var perBucket: [Int]
    }

    private let buckets: [Double]
    private let values: Mutex<Values>

    init(buckets: [Double]) {
        self.buckets = buckets
        values = Mutex(Values(perBucket: Array(repeating: 0, count: buckets.count)))
    }

    func increment(by amount: Int64) { add(Double(amount)) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }
    func set(_ value: Int64) { record(Double(value)) }
    func set(_ value: Double) { record(value) }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        values.withLock { values in
            guard !buckets.isEmpty else {
                values.number = value
                return
            }
            values.number += value
            values.count += 1
            if let index = buckets.firstIndex(where: { value <= $0 }) { values.perBucket[index] += 1 }
        }
    }

    func reset() {
        values.withLock { $0 = Values(perBucket: Array(repeating: 0, count: buckets.count)) }
    }

    private func add(_ amount: Double) {
        guard amount.isFinite else { return }
        values.withLock { $0.number += amount }
    }

    func render(name: String, labels: String, into text: inout String) {
        let (number, count, perBucket) = values.withLock { ($0.number, $0.count, $0.perBucket) }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        guard !buckets.isEmpty else {
            text += "\(name)\(braces) \(Self.format(number))\n"
            return
        }
        let lead = labels.isEmpty ? "" : "\(labels),"
        var cumulative = 0
        for (bound, inBucket) in zip(buckets, perBucket) {
            cumulative += inBucket
            text += "\(name)_bucket{\(lead)le=\"\(Self.format(bound))\"} \(cumulative)\n"
        }
        text += "\(name)_bucket{\(lead)le=\"+Inf\"} \(count)\n"
        text += "\(name)_sum\(braces) \(Self.format(number))\n\(name)_count\(braces) \(count)\n"
    }

    static func format(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }
}

/// The process' own figures, read when they are asked for.
enum ProcessMetrics {
    static var samples: [MetricSample] {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm"),
            let pages = String(decoding: data, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap({
                Int($0)
            })
        else { return [] }
        return [MetricSample(.residentMemory, count: pages * 4096)]
    }
}
