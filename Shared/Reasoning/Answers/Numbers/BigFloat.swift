/// A binary floating-point number of 512 bits.
///
/// Every operation cuts its result to ``precision`` bits, so a result is off by a few units of the last place; what a
/// handful of operations makes of that stays far below ``BigFloat/agreement``.
struct BigFloat: Sendable {
    static let precision = 512

    /// At most ``precision`` bits.
    let mantissa: BigInteger
    /// The value is the mantissa times two to this power.
    let exponent: Int

    static let zero = BigFloat(0)
    static let one = BigFloat(1)

    init(_ mantissa: BigInteger, exponent: Int) {
        let excess = mantissa.bitWidth - Self.precision
        if excess > 0 {
            self.mantissa = mantissa >> excess
            self.exponent = exponent + excess
        } else {
            self.mantissa = mantissa
            self.exponent = mantissa.isZero ? 0 : exponent
        }
    }

    init(_ value: Int) { self.init(BigInteger(value), exponent: 0) }

    init(_ value: ExactNumber) {
        let shift = max(0, Self.precision + 2 + value.denominator.bitWidth - value.numerator.bitWidth)
        let quotient = (value.numerator << shift).quotientAndRemainder(dividingBy: value.denominator)?.quotient
        self.init(quotient ?? .zero, exponent: -shift)
    }

    /// Exact; nil where it is no number.
    init?(_ value: Double) {
        guard value.isFinite else { return nil }
        let bits = Int(value.significandBitPattern) | (value.isNormal ? 1 << 52 : 0)
        let power = (value.isNormal ? Int(value.exponent) : -1_022) - 52
        self.init(BigInteger(value < 0 ? -bits : bits), exponent: power)
    }

    var isZero: Bool { mantissa.isZero }
    var isNegative: Bool { mantissa.isNegative }

    /// The power of two above the magnitude: the value is below two to it, and at least half that.
    var order: Int { isZero ? .min / 2 : mantissa.bitWidth + exponent }

    /// The nearest double, infinite where it is too large.
    var doubleValue: Double {
        guard !isZero, order < 1_100 else { return isZero ? 0 : isNegative ? -.infinity : .infinity }
        let shift = mantissa.bitWidth - 62
        let top = Double((shift > 0 ? mantissa >> shift : mantissa).int ?? 0)
        return order < -1_100 ? 0 : top * Double(sign: .plus, exponent: exponent + max(shift, 0), significand: 1)
    }

    static prefix func - (value: BigFloat) -> BigFloat { BigFloat(-value.mantissa, exponent: value.exponent) }

    static func + (left: BigFloat, right: BigFloat) -> BigFloat {
        guard !left.isZero, !right.isZero else { return left.isZero ? right : left }
        // What is far below the other's last place does not count, and must not make numbers long.
        if left.order - right.order > precision + 2 { return left }
        if right.order - left.order > precision + 2 { return right }
        let exponent = min(left.exponent, right.exponent)
        return BigFloat(
            (left.mantissa << (left.exponent - exponent)) + (right.mantissa << (right.exponent - exponent)),
            exponent: exponent
        )
    }

    static func - (left: BigFloat, right: BigFloat) -> BigFloat { left + -right }

    static func * (left: BigFloat, right: BigFloat) -> BigFloat {
        BigFloat(left.mantissa * right.mantissa, exponent: left.exponent + right.exponent)
    }

    /// Nil for a zero divisor.
    static func / (left: BigFloat, right: BigFloat) -> BigFloat? {
        let shift = max(0, precision + 2 + right.mantissa.bitWidth - left.mantissa.bitWidth)
        guard let result = (left.mantissa << shift).quotientAndRemainder(dividingBy: right.mantissa) else { return nil }
        return BigFloat(result.quotient, exponent: left.exponent - shift - right.exponent)
    }

    /// Times a power of two.
    func scaled(by power: Int) -> BigFloat { BigFloat(mantissa, exponent: exponent + power) }

    static func < (left: BigFloat, right: BigFloat) -> Bool { (left - right).isNegative }

    var magnitude: BigFloat { isNegative ? -self : self }

    /// The whole number at or below; nil where it has more than 62 bits.
    var floor: Int? {
        guard order <= 62 else { return nil }
        guard order > 0 else { return isNegative ? -1 : 0 }
        let whole = mantissa << exponent
        let value = whole.int ?? 0
        return isNegative && BigFloat(value).subtracted(from: self).isNegative ? value - 1 : value
    }

    private func subtracted(from other: BigFloat) -> BigFloat { other - self }

    /// Two numbers that agree to this many bits are the same number: others would agree so by chance once in 10^120.
    static let agreement = 400

    /// Whether two results are the same number, as far as their digits can tell.
    ///
    /// What is below two to the power of -460 is taken for the rest of a number that cancels itself, which is zero.
    static func agree(_ left: BigFloat, _ right: BigFloat) -> Bool {
        let larger = max(left.order, right.order)
        if larger < -460 { return true }
        let difference = left - right
        if difference.isZero { return true }
        // A sum that cancels in part has lost digits of its own, so that a small number is held to fewer of them.
        return difference.order < max(larger, 0) - agreement && difference.order < larger - 40
    }
}
