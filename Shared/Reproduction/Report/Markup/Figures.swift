import Foundation

/// How numbers are written in reports.
enum Figures {
    /// What stands where there is no number.
    static let none = "\u{2013}"

    /// A number with a fixed count of digits after the point; nothing is written as a negative zero.
    static func fixed(_ value: Double, _ digits: Int, signed: Bool = false) -> String {
        guard value.isFinite else { return none }
        let text = String(format: "%.\(digits)f", abs(value))
        let isZero = !text.contains { ("1"..."9").contains($0) }
        let sign = isZero ? "" : value < 0 ? "-" : signed ? "+" : ""
        return sign + text
    }

    /// A share as percent with one decimal, without the sign.
    static func percent(_ share: Double) -> String { fixed(100 * share, 1) }

    /// A difference of shares in points with one decimal and its sign.
    static func points(_ difference: Double) -> String { fixed(100 * difference, 1, signed: true) }

    /// An interval of differences in points.
    static func interval(_ low: Double, _ high: Double) -> String { "[\(points(low)), \(points(high))]" }

    /// A p value to three decimals, without the leading zero.
    static func pValue(_ value: Double) -> String {
        guard value.isFinite else { return "p \(none)" }
        if value < 0.001 { return "p < .001" }
        let text = fixed(min(value, 1), 3)
        return text.hasPrefix("0") ? "p = \(text.dropFirst())" : "p = 1"
    }

    /// Mean and standard deviation in percent; the mean alone where there is one seed.
    static func spread(_ spread: Spread?) -> String {
        guard let spread else { return none }
        let mean = percent(spread.mean)
        return spread.values.count > 1 ? "\(mean) \u{B1} \(percent(spread.deviation))" : mean
    }

    /// A learning rate, such as `2.5e-4`.
    static func rate(_ value: Double?) -> String {
        guard let value, value.isFinite else { return none }
        let parts = String(format: "%.2e", value).split(separator: "e")
        guard parts.count == 2, let exponent = Int(parts[1]) else { return none }
        return exponent == 0 ? trimmed(parts[0]) : "\(trimmed(parts[0]))e\(exponent)"
    }

    /// A weight as short as it can be written, such as `0.025` or `1`.
    static func weight(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// A whole number with its thousands apart.
    static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// A count and what is counted, in singular or plural.
    static func count(_ value: Int, _ one: String, _ many: String) -> String {
        "\(count(value)) \(value == 1 ? one : many)"
    }

    /// A duration in seconds, minutes or hours.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return none }
        if seconds < 120 { return "\(fixed(seconds, 0)) s" }
        let minutes = Int((seconds / 60).rounded())
        return minutes < 120 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }

    /// Names in a sentence: `a`, `a and b`, `a, b and c`.
    static func list(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
    }

    private static func trimmed(_ mantissa: Substring) -> String {
        var text = mantissa
        if text.contains(".") {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return String(text)
    }
}
