/// A difference with its 95 % interval as a small drawing within a table; all rows share one scale, with 0 in it.
///
/// What lies far beyond most of the others ends in an arrowhead, so that one collapse does not shrink all the rest.
struct IntervalMark {
    private let scale: Scale
    private let width = 160.0

    /// Drawings for some comparisons.
    init(for comparisons: [Comparison]) {
        let limit = Self.limit(for: comparisons)
        let values = comparisons.flatMap { [$0.low, $0.high, $0.difference] }.map { min(max($0, -limit), limit) }
        scale = Scale(over: [0] + values, from: 10, to: 150, margin: 0, least: 0.02)
    }

    /// The largest magnitude on the scale: three times the upper quartile of the intervals' ends, at least 0.05.
    static func limit(for comparisons: [Comparison]) -> Double {
        let sizes = comparisons.map { max(abs($0.low), abs($0.high)) }.filter(\.isFinite).sorted()
        guard let largest = sizes.last else { return 1 }
        return min(largest, max(0.05, 3 * sizes[sizes.count * 3 / 4]))
    }

    /// The drawing of one; the side of 0 that a paper claims, where one is expected, is shaded.
    func svg(_ comparison: Comparison, expected: Claim.Direction? = nil) -> Markup {
        let zero = scale.position(0)
        let shade: Markup
        switch expected {
        case .above?: shade = rectangle(from: zero, to: width)
        case .below?: shade = rectangle(from: 0, to: zero)
        case nil: shade = ""
        }
        let name =
            "\(Figures.points(comparison.difference)) points, \(Figures.interval(comparison.low, comparison.high))"
        return """
            <svg width="160" height="18" viewBox="0 0 160 18" role="img" aria-label="\(name)">\(shade)\
            <line class="axis" x1="\(at: zero)" x2="\(at: zero)" y1="0" y2="18"/>\(mark(comparison))</svg>
            """
    }

    private func mark(_ comparison: Comparison) -> Markup {
        guard [comparison.low, comparison.high, comparison.difference].allSatisfy(\.isFinite) else { return "" }
        let low = max(scale.position(comparison.low), 5)
        let high = min(scale.position(comparison.high), width - 5)
        let line: Markup =
            low < high ? "<line class=\"interval\" x1=\"\(at: low)\" x2=\"\(at: high)\" y1=\"9\" y2=\"9\"/>" : ""
        let left: Markup = scale.position(comparison.low) < 5 ? "<path class=\"point\" d=\"M 0 9 l 8 -5 v 10 z\"/>" : ""
        let right: Markup =
            scale.position(comparison.high) > width - 5 ? "<path class=\"point\" d=\"M 160 9 l -8 -5 v 10 z\"/>" : ""
        let middle = scale.position(comparison.difference)
        let dot: Markup =
            (5...width - 5).contains(middle) ? "<circle class=\"point\" cx=\"\(at: middle)\" cy=\"9\" r=\"3.5\"/>" : ""
        return "\(line)\(left)\(right)\(dot)"
    }

    private func rectangle(from left: Double, to right: Double) -> Markup {
        "<rect class=\"paper\" x=\"\(at: left)\" y=\"0\" width=\"\(at: max(0, right - left))\" height=\"18\"/>"
    }
}
