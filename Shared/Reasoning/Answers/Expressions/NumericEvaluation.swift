/// Computes expressions to 512 bits, within a budget of steps.
struct NumericEvaluation {
    /// What the variables stand for.
    enum Point: Sendable {
        /// Numbers between 1/2 and 3, negative ones among them where `signed`.
        case real(UInt64, signed: Bool)
        /// Whole numbers from 2 to 9.
        case whole(UInt64)
    }

    let point: Point
    /// Whether values that are not real count.
    ///
    /// Without, an expression with one has no value.
    let allowsComplex: Bool
    /// Steps left; a transcendental function costs ``functionCost`` of them.
    var budget: Int

    static let functionCost = 40
    static let pi = ComplexFloat(.pi)
    private static let field = ResidueField.all[0]

    /// Nil where it is undefined or too large, and when the budget is spent.
    mutating func value(_ expression: Expression) -> ComplexFloat? {
        budget -= 1
        guard budget > 0, let result = compute(expression), allowsComplex || result.isReal else { return nil }
        return result
    }

    private mutating func compute(_ expression: Expression) -> ComplexFloat? {
        switch expression {
        case .number(let value), .decimal(let value, _): return ComplexFloat(BigFloat(value))
        case .symbol(let name): return ComplexFloat(variable(Self.field.image(name)))
        case .application:
            return expression.residue(Self.field, point: seed).map { ComplexFloat(variable($0)) }
        case .constant(let constant): return Self.value(constant)
        case .negative(let inner): return value(inner).map { -$0 }
        case .sum(let parts):
            var total = ComplexFloat.zero
            for part in parts {
                guard let next = value(part) else { return nil }
                total = total + next
            }
            return total
        case .product(let parts):
            var total = ComplexFloat.one
            for part in parts {
                guard let next = value(part) else { return nil }
                total = total * next
            }
            return total
        case .quotient(let top, let bottom):
            guard let top = value(top), let bottom = value(bottom), !isZero(bottom) else { return nil }
            return top / bottom
        case .power(let base, let exponent): return power(base, exponent)
        case .function(let function, let arguments): return compute(function, arguments)
        }
    }

    private static func value(_ constant: Expression.Constant) -> ComplexFloat? {
        switch constant {
        case .pi: pi
        case .e: ComplexFloat.one.exponential
        case .imaginaryUnit: .i
        case .infinity: nil
        }
    }

    private var seed: UInt64 {
        switch point {
        case .real(let seed, _), .whole(let seed): seed
        }
    }

    private func variable(_ name: UInt64) -> BigFloat {
        let random = Self.field.image([seed, name])
        switch point {
        case .whole: return BigFloat(Int(2 + random % 8))
        case .real(_, let signed):
            let size = BigFloat(BigInteger(Int(random >> 12) % (5 << 40) + (1 << 40)), exponent: -41)
            return signed && random & 1 == 1 ? -size : size
        }
    }

    private func isZero(_ value: ComplexFloat) -> Bool { ComplexFloat.agree(value, .zero) }

    private mutating func power(_ base: Expression, _ exponent: Expression) -> ComplexFloat? {
        guard let value = value(base) else { return nil }
        if let whole = exponent.exact?.int { return value.raised(to: whole) }
        budget -= Self.functionCost
        if let fraction = exponent.exact, let degree = fraction.denominator.int, let power = fraction.numerator.int {
            return root(degree, value)?.raised(to: power)
        }
        guard let exponent = self.value(exponent) else { return nil }
        if exponent.isReal, exponent.real.order <= 20, let whole = exponent.real.floor,
            (exponent.real - BigFloat(whole)).isZero
        {
            return value.raised(to: whole)
        }
        return value.raised(to: exponent)
    }

    /// The real root where there is one.
    private func root(_ degree: Int, _ value: ComplexFloat) -> ComplexFloat? {
        guard degree >= 2, degree <= 1_024 else { return nil }
        if value.isZero { return .zero }
        if degree == 2 { return value.squareRoot }
        guard let part = ComplexFloat.one / ComplexFloat(BigFloat(degree)) else { return nil }
        if value.isReal, value.real.isNegative, degree % 2 == 1, !allowsComplex {
            return (-value).raised(to: part).map { -$0 }
        }
        return value.raised(to: part)
    }

    private mutating func compute(_ function: MathFunction, _ arguments: [Expression]) -> ComplexFloat? {
        budget -= Self.functionCost
        var values: [ComplexFloat] = []
        for argument in arguments {
            guard let next = value(argument) else { return nil }
            values.append(next)
        }
        guard let first = values.first, let last = values.last else { return nil }
        switch function {
        case .root: return arguments[0].exact?.int.flatMap { root($0, last) }
        case .ln: return isZero(last) ? nil : last.logarithm
        case .log:
            guard !isZero(first), !isZero(last), let top = last.logarithm, let bottom = first.logarithm,
                !isZero(bottom)
            else { return nil }
            return top / bottom
        case .absolute: return first.magnitude.map { ComplexFloat($0) }
        case .degrees: return (first * Self.pi) / ComplexFloat(BigFloat(180))
        default: return first.isReal ? real(function, values.map(\.real)).map { ComplexFloat($0) } : nil
        }
    }

    private func real(_ function: MathFunction, _ values: [BigFloat]) -> BigFloat? {
        let x = values[0]
        switch function {
        case .sin, .cos, .tan, .cot, .sec, .csc: return trigonometric(function, x)
        case .arctan: return x.inverseTangent
        case .arcsin: return Self.arcsine(x)
        case .arccos: return Self.arcsine(x).map { BigFloat.pi.scaled(by: -1) - $0 }
        case .sinh, .cosh, .tanh:
            guard let up = x.exponential, let down = (-x).exponential else { return nil }
            if function == .tanh { return (up - down) / (up + down) }
            return (function == .sinh ? up - down : up + down).scaled(by: -1)
        case .floor, .ceiling: return rounded(x, up: function == .ceiling)
        case .factorial: return whole(x).flatMap(Expression.factorial).map { BigFloat($0) }
        case .binomial:
            guard let n = whole(x), let k = whole(values[1]) else { return nil }
            return Expression.binomial(n, k).map { BigFloat($0) }
        case .minimum: return values.min { $0 < $1 }
        case .maximum: return values.max { $0 < $1 }
        default: return nil
        }
    }

    private func trigonometric(_ function: MathFunction, _ x: BigFloat) -> BigFloat? {
        guard let (sine, cosine) = x.sineAndCosine else { return nil }
        let divisor: BigFloat
        switch function {
        case .sin: return sine
        case .cos: return cosine
        case .tan, .sec: divisor = cosine
        default: divisor = sine
        }
        guard !BigFloat.agree(divisor, .zero) else { return nil }
        switch function {
        case .tan: return sine / divisor
        case .cot: return cosine / divisor
        default: return .one / divisor
        }
    }

    private static func arcsine(_ x: BigFloat) -> BigFloat? {
        let rest = .one - x * x
        guard !rest.isNegative, let root = rest.squareRoot else { return nil }
        guard let slope = x / root else {
            return x.isNegative ? -BigFloat.pi.scaled(by: -1) : BigFloat.pi.scaled(by: -1)
        }
        return slope.inverseTangent
    }

    /// A number that is whole but for its last digits is whole.
    private func whole(_ x: BigFloat) -> Int? {
        guard let below = (x + BigFloat.one.scaled(by: -1)).floor, BigFloat.agree(BigFloat(below), x) else {
            return nil
        }
        return below
    }

    private func rounded(_ x: BigFloat, up: Bool) -> BigFloat? {
        if let whole = whole(x) { return BigFloat(whole) }
        return x.floor.map { BigFloat(up ? $0 + 1 : $0) }
    }
}
