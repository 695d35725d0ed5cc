extension BigFloat {
    /// Nil for negative numbers.
    var squareRoot: BigFloat? {
        guard !isNegative else { return nil }
        guard !isZero else { return .zero }
        var shift = 2 * Self.precision + 2 - mantissa.bitWidth
        if (exponent - shift) % 2 != 0 { shift += 1 }
        return BigFloat((mantissa << shift).squareRoot, exponent: (exponent - shift) / 2)
    }

    /// From arctangents by Machin's formula: π/4 = 4 atan(1/5) − atan(1/239).
    static let pi = (inverseTangent(oneOver: 5).scaled(by: 2) - inverseTangent(oneOver: 239)).scaled(by: 2)

    /// From ln 2 = 2 artanh(1/3).
    static let naturalLogarithmOfTwo: BigFloat = {
        var sum = BigFloat.zero
        var power = (BigFloat.one / BigFloat(3)) ?? .zero
        for index in 0..<(precision / 3 + 4) {
            sum = sum + ((power / BigFloat(2 * index + 1)) ?? .zero)
            power = (power / BigFloat(9)) ?? .zero
        }
        return sum.scaled(by: 1)
    }()

    private static func inverseTangent(oneOver value: Int) -> BigFloat {
        var sum = BigFloat.zero
        var power = (BigFloat.one / BigFloat(value)) ?? .zero
        var index = 0
        while power.order > -(precision + 8) {
            let term = (power / BigFloat(2 * index + 1)) ?? .zero
            sum = index % 2 == 0 ? sum + term : sum - term
            power = (power / BigFloat(value * value)) ?? .zero
            index += 1
        }
        return sum
    }

    /// The largest magnitude of an argument of ``exponential`` that has a result.
    static let maximumExponent = 20

    /// e to this power; nil where the argument reaches two to the power of ``maximumExponent``.
    var exponential: BigFloat? {
        guard order <= Self.maximumExponent else { return nil }
        guard let turns = ((self / Self.naturalLogarithmOfTwo)?.floor) else { return nil }
        // The argument shrinks by 2^16, so that 24 terms do; the result is squared as often.
        let rest = (self - Self.naturalLogarithmOfTwo * BigFloat(turns)).scaled(by: -16)
        var sum = BigFloat.one
        var term = BigFloat.one
        for index in 1...40 {
            guard let next = (term * rest) / BigFloat(index) else { return nil }
            term = next
            sum = sum + term
            if term.order < -(Self.precision + 8) { break }
        }
        for _ in 0..<16 { sum = sum * sum }
        return sum.scaled(by: turns)
    }

    /// The natural logarithm; nil for zero and negative numbers.
    var logarithm: BigFloat? {
        guard !isNegative, !isZero else { return nil }
        // x = m · 2^k with m from 1/2 to 1, and Newton's method for e^y = m.
        let power = order
        let reduced = scaled(by: -power)
        guard var y = BigFloat(Self.startingLogarithm(reduced.doubleValue)) else { return nil }
        for _ in 0..<5 {
            guard let inverse = (-y).exponential else { return nil }
            // One step of Halley's method: three times the digits.
            let product = reduced * inverse
            guard let step = (product - .one) / (product + .one) else { return nil }
            y = y + step.scaled(by: 1)
            if step.order < -(Self.precision - 8) { break }
        }
        return y + Self.naturalLogarithmOfTwo * BigFloat(power)
    }

    /// ln m to a few digits, for m from 1/2 to 1.
    private static func startingLogarithm(_ m: Double) -> Double {
        let z = (m - 1) / (m + 1)
        return 2 * (z + z * z * z / 3 + z * z * z * z * z / 5)
    }

    /// Nil where the argument has more than 40 bits before the point.
    var sineAndCosine: (sine: BigFloat, cosine: BigFloat)? {
        guard order <= 40, let turns = (self / Self.pi.scaled(by: 1))?.floor else { return nil }
        // The argument shrinks by 2^16, and its angle is doubled as often.
        let rest = (self - Self.pi.scaled(by: 1) * BigFloat(turns)).scaled(by: -16)
        let square = rest * rest
        var sine = rest
        var versine = BigFloat.zero
        var odd = rest
        var even = BigFloat.one
        for index in 1...24 {
            guard let nextEven = (even * square) / BigFloat((2 * index - 1) * (2 * index)),
                let nextOdd = (odd * square) / BigFloat((2 * index) * (2 * index + 1))
            else { return nil }
            even = -nextEven
            odd = -nextOdd
            sine = sine + odd
            versine = versine - even
            if even.order < -(2 * Self.precision) { break }
        }
        // 1 − cos keeps its digits where cos itself would lose them.
        for _ in 0..<16 {
            let cosine = .one - versine
            (sine, versine) = ((sine * cosine).scaled(by: 1), (sine * sine).scaled(by: 1))
        }
        return (sine, .one - versine)
    }

    var inverseTangent: BigFloat {
        if isZero { return .zero }
        var x = magnitude
        let isLarge = BigFloat.one < x
        if isLarge { x = (BigFloat.one / x) ?? .one }
        // atan x = 2 atan(x / (1 + √(1 + x²))), until the series is short.
        for _ in 0..<16 {
            guard let root = (.one + x * x).squareRoot, let half = x / (.one + root) else { return .zero }
            x = half
        }
        let square = x * x
        var sum = x
        var power = x
        for index in 1...40 {
            power = -(power * square)
            sum = sum + ((power / BigFloat(2 * index + 1)) ?? .zero)
            if power.order < -(Self.precision + 24) { break }
        }
        sum = sum.scaled(by: 16)
        if isLarge { sum = Self.pi.scaled(by: -1) - sum }
        return isNegative ? -sum : sum
    }
}
