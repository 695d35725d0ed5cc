/// A value of a metric at the moment at which it was asked for.
public struct MetricSample: Sendable, Hashable {
    /// Which metric.
    public let name: MetricName
    /// The values of its labels, by their names.
    public let labels: [String: String]
    /// The value, in the metric's unit.
    public let value: Double

    /// Makes a sample.
    public init(_ name: MetricName, _ value: Double, _ labels: [String: String] = [:]) {
        self.name = name
        self.labels = labels
        self.value = value
    }

    /// Makes a sample of a whole number.
    public init(_ name: MetricName, count: some BinaryInteger, _ labels: [String: String] = [:]) {
        self.init(name, Double(count), labels)
    }
}
