/// An exact fraction of 64-bit integers in lowest terms; operations that overflow give nil.
public struct Rational: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Carries the sign.
    public let numerator: Int
    /// Always positive.
    public let denominator: Int

    /// A whole number.
    public init(_ value: Int) {
        numerator = value
        denominator = 1
    }

    /// A fraction; nil for a zero denominator or on overflow.
    public init?(_ numerator: Int, over denominator: Int) {
        guard denominator != 0, numerator != .min, denominator != .min else { return nil }
        var a = abs(numerator)
        var b = abs(denominator)
        while b != 0 { (a, b) = (b, a % b) }
        let divisor = max(a, 1) * (denominator < 0 ? -1 : 1)
        self.numerator = numerator / divisor
        self.denominator = denominator / divisor
    }

    /// Reads `12`, `-0.5`, `1,234.50`, `.5`; nil where the text is anything else or has too many digits.
    public init?(decimal text: some StringProtocol) {
        var sign = 1
        var digits = 0
        var scale = 1
        var afterPoint = false
        var seen = false
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "-") where index == 0: sign = -1
            case UInt8(ascii: "+") where index == 0: continue
            case UInt8(ascii: ","):
                guard seen, !afterPoint else { return nil }
            case UInt8(ascii: "."):
                guard !afterPoint else { return nil }
                afterPoint = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                seen = true
                let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
                let (sum, carried) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
                guard !overflow, !carried else { return nil }
                digits = sum
                if afterPoint {
                    guard scale <= Int.max / 10 else { return nil }
                    scale *= 10
                }
            default: return nil
            }
        }
        guard seen else { return nil }
        self.init(sign * digits, over: scale)
    }

    /// Nil on overflow.
    public func adding(_ other: Rational) -> Rational? {
        let (a, o1) = numerator.multipliedReportingOverflow(by: other.denominator)
        let (b, o2) = other.numerator.multipliedReportingOverflow(by: denominator)
        let (sum, o3) = a.addingReportingOverflow(b)
        let (scale, o4) = denominator.multipliedReportingOverflow(by: other.denominator)
        return o1 || o2 || o3 || o4 ? nil : Rational(sum, over: scale)
    }

    /// Nil on overflow.
    public func subtracting(_ other: Rational) -> Rational? {
        Rational(-other.numerator, over: other.denominator).flatMap(adding)
    }

    /// Nil on overflow.
    public func multiplied(by other: Rational) -> Rational? {
        let (top, o1) = numerator.multipliedReportingOverflow(by: other.numerator)
        let (bottom, o2) = denominator.multipliedReportingOverflow(by: other.denominator)
        return o1 || o2 ? nil : Rational(top, over: bottom)
    }

    /// Nil on overflow or for a zero divisor.
    public func divided(by other: Rational) -> Rational? {
        guard let inverse = Rational(other.denominator, over: other.numerator) else { return nil }
        return multiplied(by: inverse)
    }

    /// Nil on overflow, for a power of nought below one, and for exponents beyond ±64.
    public func power(_ exponent: Int) -> Rational? {
        guard (-64...64).contains(exponent) else { return nil }
        guard exponent >= 0 else { return Rational(1).divided(by: self).flatMap { $0.power(-exponent) } }
        var result = Rational(1)
        for _ in 0..<exponent {
            guard let next = result.multiplied(by: self) else { return nil }
            result = next
        }
        return result
    }

    /// The square root where it is a fraction, too; nil where it is not.
    public var squareRoot: Rational? {
        func root(_ value: Int) -> Int? {
            let estimate = Int(Double(value).squareRoot().rounded())
            let (square, overflow) = estimate.multipliedReportingOverflow(by: estimate)
            return !overflow && square == value ? estimate : nil
        }
        guard numerator >= 0, let top = root(numerator), let bottom = root(denominator) else { return nil }
        return Rational(top, over: bottom)
    }

    /// The nearest double.
    public var doubleValue: Double { Double(numerator) / Double(denominator) }

    /// Whether it is a whole number.
    public var isWhole: Bool { denominator == 1 }

    /// Orders by value.
    public static func < (left: Rational, right: Rational) -> Bool {
        let (a, o1) = left.numerator.multipliedReportingOverflow(by: right.denominator)
        let (b, o2) = right.numerator.multipliedReportingOverflow(by: left.denominator)
        return o1 || o2 ? left.doubleValue < right.doubleValue : a < b
    }

    /// A whole number, a decimal of up to six places where that is exact, or a fraction.
    public var description: String {
        if denominator == 1 { return String(numerator) }
        var scale = 1
        for places in 1...6 {
            scale *= 10
            if scale % denominator == 0 {
                let (scaled, overflow) = abs(numerator).multipliedReportingOverflow(by: scale / denominator)
                guard !overflow else { break }
                let tail = String(scaled % scale)
                return (numerator < 0 ? "-" : "") + String(scaled / scale) + "."
                    + String(repeating: "0", count: places - tail.count) + tail
            }
        }
        return "\(numerator)/\(denominator)"
    }

    /// A short decimal: exact where it has up to two places, else rounded to two.
    public var rounded: String {
        if denominator == 1 || 100 % denominator == 0 { return description }
        let scaled = (doubleValue * 100).rounded()
        guard abs(scaled) < 1e15, let value = Rational(Int(scaled), over: 100) else { return description }
        return value.description
    }
}
