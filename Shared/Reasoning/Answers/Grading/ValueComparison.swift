/// Decides whether two expressions are the same value.
///
/// In this order: fractions are compared exactly. Expressions with the same image modulo three primes at two points are
/// equal; that is wrong with a probability below (d/2^61)^6 for polynomials of degree d. Where only the four operations and
/// whole powers occur, other images say that they differ. All else is computed to 512 bits, at several points where there
/// are variables, and counts as equal where 400 bits agree.
struct ValueComparison {
    /// Steps of computing with 512 bits that are left; see ``NumericEvaluation/functionCost``.
    ///
    /// When they are spent, nothing more is found equal.
    var budget = 12_000
    private static let points: [UInt64] = [11, 23]

    mutating func areEqual(_ left: Expression, _ right: Expression) -> Bool {
        if left == right { return true }
        let a = left.exact
        let b = right.exact
        if let a, let b { return a == b }
        switch congruence(left, right) {
        case .equal: return true
        case .different where left.isRational && right.isRational: return false
        default: return areEqualNumerically(left, right)
        }
    }

    private enum Congruence { case equal, different, undefined }

    private func congruence(_ left: Expression, _ right: Expression) -> Congruence {
        for field in ResidueField.all {
            for point in Self.points {
                guard let a = left.residue(field, point: point), let b = right.residue(field, point: point) else {
                    return .undefined
                }
                if a != b { return .different }
            }
        }
        return .equal
    }

    // MARK: Numbers of 512 bits

    private mutating func areEqualNumerically(_ left: Expression, _ right: Expression) -> Bool {
        let allowsComplex = left.hasImaginaryUnit || right.hasImaginaryUnit
        if left.isConstant, right.isConstant {
            // The real root of a negative number where there is one; only without real values the principal ones.
            if !allowsComplex, let a = value(left, allowsComplex: false), let b = value(right, allowsComplex: false) {
                return ComplexFloat.agree(a, b)
            }
            guard let a = value(left, allowsComplex: true), let b = value(right, allowsComplex: true) else {
                return false
            }
            return ComplexFloat.agree(a, b)
        }
        var agreements = 0
        // Where both are defined they must agree, and they must be so at some points.
        for seed in 0..<8 {
            let point = NumericEvaluation.Point.real(UInt64(seed), signed: seed % 2 == 1)
            let a = value(left, at: point, allowsComplex: allowsComplex)
            let b = value(right, at: point, allowsComplex: allowsComplex)
            guard let a, let b else { continue }
            guard ComplexFloat.agree(a, b) else { return false }
            agreements += 1
            if agreements == 4 { return true }
        }
        if agreements >= 2 { return true }
        // (−1)^n has real values at whole numbers only.
        for seed in 0..<8 {
            let point = NumericEvaluation.Point.whole(UInt64(seed))
            guard let a = value(left, at: point, allowsComplex: allowsComplex),
                let b = value(right, at: point, allowsComplex: allowsComplex)
            else { continue }
            guard ComplexFloat.agree(a, b) else { return false }
            agreements += 1
        }
        return agreements >= 4
    }

    private mutating func value(
        _ expression: Expression,
        at point: NumericEvaluation.Point = .real(0, signed: false),
        allowsComplex: Bool
    ) -> ComplexFloat? {
        guard budget > 0 else { return nil }
        var evaluation = NumericEvaluation(point: point, allowsComplex: allowsComplex, budget: min(budget, 4_000))
        let before = evaluation.budget
        defer { budget -= before - evaluation.budget }
        return evaluation.value(expression)
    }

    /// The real value of a constant as a double; nil for others.
    mutating func double(_ expression: Expression) -> Double? {
        guard expression.isConstant, let result = value(expression, allowsComplex: false) else { return nil }
        let double = result.real.doubleValue
        return double.isFinite ? double : nil
    }

    // MARK: Roundings

    /// Whether one of two constants is a decimal of two places or more to which the other, a fraction or a root and the
    /// like, is rounded.
    ///
    /// A decimal is no rounding of another decimal, nor of a whole number. What is lost must be at most a twentieth.
    mutating func isRounding(_ left: Expression, _ right: Expression) -> Bool {
        isRounding(of: left, by: right) || isRounding(of: right, by: left)
    }

    private mutating func isRounding(of exact: Expression, by rounded: Expression) -> Bool {
        guard case .decimal(let decimal, let places) = rounded, places >= 2, places <= 300, !decimal.isZero else {
            return false
        }
        if case .decimal = exact { return false }
        guard exact.isConstant, let half = ExactNumber(10).raised(to: -places)?.divided(by: ExactNumber(2)) else {
            return false
        }
        if let value = exact.exact {
            guard !value.isWhole, let error = value.subtracting(decimal)?.magnitude,
                let relative = error.multiplied(by: ExactNumber(20))
            else { return false }
            return error <= half && relative <= value.magnitude
        }
        guard let value = value(exact, allowsComplex: false)?.real else { return false }
        let error = (value - BigFloat(decimal)).magnitude
        return !(BigFloat(half) < error) && !(value.magnitude < error * BigFloat(20))
    }

    /// Whether two constants differ by at most this share of the first.
    mutating func areClose(_ gold: Expression, _ predicted: Expression, relative tolerance: Double) -> Bool {
        guard let a = double(gold), let b = double(predicted) else { return false }
        return abs(a - b) <= tolerance * abs(a)
    }

    // MARK: Equations

    /// Whether two expressions are the same but for a constant factor, so that they vanish together; the factor's sign where
    /// they are.
    mutating func factorSign(_ left: Expression, _ right: Expression) -> FloatingPointSign? {
        guard !left.isConstant, !right.isConstant else { return nil }
        if left.isRational, right.isRational {
            for field in ResidueField.all {
                var ratios: Set<UInt64> = []
                for point: UInt64 in [11, 23, 37] {
                    guard let a = left.residue(field, point: point), let b = right.residue(field, point: point),
                        let inverse = field.inverse(b), a != 0
                    else { return nil }
                    ratios.insert(field.multiply(a, inverse))
                }
                guard ratios.count == 1 else { return nil }
            }
            // The sign shows at any point.
            for seed: UInt64 in 1...4 {
                guard let ratio = ratio(left, right, seed: seed) else { continue }
                return ratio.isNegative ? .minus : .plus
            }
            return nil
        }
        var first: BigFloat?
        var agreements = 0
        for seed: UInt64 in 0..<8 {
            guard let ratio = ratio(left, right, seed: seed) else { continue }
            if let first {
                guard BigFloat.agree(first, ratio) else { return nil }
                agreements += 1
            }
            first = first ?? ratio
        }
        guard let first, agreements >= 2 else { return nil }
        return first.isNegative ? .minus : .plus
    }

    private mutating func ratio(_ left: Expression, _ right: Expression, seed: UInt64) -> BigFloat? {
        let point = NumericEvaluation.Point.real(seed, signed: seed % 2 == 1)
        guard let a = value(left, at: point, allowsComplex: false),
            let b = value(right, at: point, allowsComplex: false),
            !BigFloat.agree(a.real, .zero), !BigFloat.agree(b.real, .zero)
        else { return nil }
        return a.real / b.real
    }
}

extension Expression {
    /// Whether a constant is written as simply as it can be: a number, or a fraction in lowest terms; nil where its value is
    /// no fraction.
    var isSimplified: Bool? {
        guard exact != nil else { return nil }
        switch self {
        case .number, .decimal: return true
        case .negative(let inner): return inner.isSimplified
        case .quotient(.number(let top), .number(let bottom)):
            guard top.isWhole, bottom.isWhole else { return false }
            return bottom.numerator.magnitude != .one
                && top.numerator.greatestCommonDivisor(bottom.numerator).isOne
        default: return false
        }
    }
}
