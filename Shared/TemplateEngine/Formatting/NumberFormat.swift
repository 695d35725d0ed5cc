import Foundation

/// The digits of a formatted number: what `%`, `str.format` and `round` have in common.
enum NumberFormat {
    /// More digits than a double can have after the point, and what CPython allows for one number.
    static let maximumPrecision = 1100

    /// C's `%.*f`, `%.*e` or `%.*g` of a magnitude, by the letter of `style` in either case; `isAlternate` keeps the point
    /// and, for `g`, zeros at the end.
    static func digits(_ value: Double, style: Character, precision: Int, isAlternate: Bool = false) throws -> String {
        guard precision <= maximumPrecision else {
            throw TemplateError(.limit, "a number with more than \(maximumPrecision) digits after the point")
        }
        let isUpper = style.isUppercase
        guard value.isFinite else {
            let word = value.isNaN ? "nan" : "inf"
            return isUpper ? word.uppercased() : word
        }
        return String(format: "%\(isAlternate ? "#" : "").\(max(0, precision))\(style)", value)
    }

    /// The digits of a magnitude in a base.
    static func digits(_ magnitude: UInt, radix: Int, isUpper: Bool = false) -> String {
        String(magnitude, radix: radix, uppercase: isUpper)
    }

    /// Python's `round(value, digits)`: the decimal that is nearest to the exact value, half to even.
    static func rounded(_ value: Double, digits: Int) throws -> Double {
        guard value.isFinite, digits <= 323 else { return value }
        if digits >= 0 {
            return Double(String(format: "%.\(digits)f", value)) ?? value
        }
        guard digits > -309 else { return Double(signOf: value, magnitudeOf: 0) }
        let scale = pow(10, Double(-digits))
        let result = (value / scale).rounded(.toNearestOrEven) * scale
        guard result.isFinite else { throw TemplateError(.value, "rounded value too large to represent") }
        return result
    }

    /// Python's `round(value, digits)` of an integer.
    static func rounded(_ value: Int, digits: Int) throws -> Int {
        guard digits < 0 else { return value }
        guard digits > -19 else {
            guard value.magnitude <= 5_000_000_000_000_000_000 || digits < -19 else { throw ArithmeticOperator.tooWide }
            return 0
        }
        var scale = 1
        for _ in 0..<(-digits) { scale *= 10 }
        let remainder = value % scale
        let lower = value - remainder
        let half = (scale / 2)
        let isUp = remainder.magnitude > half || remainder.magnitude == half && lower / scale % 2 != 0
        guard isUp else { return lower }
        return try ArithmeticOperator.fitting(lower.addingReportingOverflow(value < 0 ? -scale : scale))
    }

    /// `digits` with a separator between groups, counted from the end.
    static func grouped(_ digits: String, by separator: Character, size: Int) -> String {
        var output = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % size == 0 { output.append(separator) }
            output.append(digit)
        }
        return output
    }
}
