import Foundation

/// A linear scale of an axis: values to pixels, with round ticks.
struct Scale {
    /// The values at both ends.
    let domain: ClosedRange<Double>
    /// The pixels at both ends; a vertical axis runs from the larger to the smaller.
    let from: Double
    let to: Double

    /// A scale over some values; those that are not finite are left out.
    ///
    /// - Parameters:
    ///   - values: what must be on the axis.
    ///   - from: the pixel of the lower end.
    ///   - to: the pixel of the upper end.
    ///   - margin: the share of the span that is left free at each end.
    ///   - least: the least span, without the margins.
    init(over values: some Sequence<Double>, from: Double, to: Double, margin: Double = 0.05, least: Double = 1e-6) {
        let finite = values.filter(\.isFinite)
        var low = finite.min() ?? 0
        var high = finite.max() ?? 1
        let lacking = least - (high - low)
        if lacking > 0 {
            low -= lacking / 2
            high += lacking / 2
        }
        let space = margin * (high - low)
        domain = (low - space)...(high + space)
        self.from = from
        self.to = to
    }

    /// The pixel of a value.
    func position(_ value: Double) -> Double {
        let span = domain.upperBound - domain.lowerBound
        return span > 0 ? from + (value - domain.lowerBound) / span * (to - from) : (from + to) / 2
    }

    /// Round values on the axis, about as many as asked for, and the digits that they need after the point.
    func ticks(about wanted: Int) -> (values: [Double], digits: Int) {
        let span = domain.upperBound - domain.lowerBound
        guard span > 0, span.isFinite, wanted > 0 else { return ([domain.lowerBound], 1) }
        let rough = span / Double(wanted)
        let power = floor(log10(rough))
        let unit = pow(10, power)
        let step = [1.0, 2, 5, 10].map { $0 * unit }.first { $0 >= rough * 0.999 } ?? 10 * unit
        let first = Int((domain.lowerBound / step).rounded(.up))
        let last = Int((domain.upperBound / step).rounded(.down))
        guard first <= last else { return ([], 0) }
        return ((first...last).map { Double($0) * step }, max(0, Int(-floor(log10(step * 1.000001)))))
    }
}
