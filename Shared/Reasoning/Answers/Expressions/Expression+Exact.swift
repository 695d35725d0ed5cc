extension Expression {
    /// The largest n whose factorial, or binomial coefficients, are computed: n! has then about 3,800 bits.
    static let largestFactorial = 500

    /// The exact value where it is a fraction of bounded size.
    var exact: ExactNumber? {
        switch self {
        case .number(let value), .decimal(let value, _): return value
        case .symbol, .constant, .application: return nil
        case .negative(let inner): return inner.exact?.negated
        case .sum(let parts): return Self.fold(parts, from: .zero) { $0.adding($1) }
        case .product(let parts): return Self.fold(parts, from: .one) { $0.multiplied(by: $1) }
        case .quotient(let top, let bottom):
            guard let top = top.exact, let bottom = bottom.exact else { return nil }
            return top.divided(by: bottom)
        case .power(let base, let exponent):
            guard let base = base.exact, let exponent = exponent.exact else { return nil }
            if let whole = exponent.int { return base.raised(to: whole) }
            guard let degree = exponent.denominator.int, let power = exponent.numerator.int else { return nil }
            return base.root(degree)?.raised(to: power)
        case .function(let function, let arguments): return Self.exact(function, arguments)
        }
    }

    private static func fold(
        _ parts: [Expression],
        from start: ExactNumber,
        _ operation: (ExactNumber, ExactNumber) -> ExactNumber?
    ) -> ExactNumber? {
        var result = start
        for part in parts {
            guard let value = part.exact, let next = operation(result, value) else { return nil }
            result = next
        }
        return result
    }

    private static func exact(_ function: MathFunction, _ arguments: [Expression]) -> ExactNumber? {
        var values: [ExactNumber] = []
        for argument in arguments {
            guard let value = argument.exact else { return nil }
            values.append(value)
        }
        guard let first = values.first, let last = values.last else { return nil }
        switch function {
        case .root: return first.int.flatMap { last.root($0) }
        case .absolute: return first.magnitude
        case .floor: return floor(first)
        case .ceiling: return floor(first.negated)?.negated
        case .factorial: return first.int.flatMap(factorial)
        case .binomial:
            guard let n = first.int, let k = last.int else { return nil }
            return binomial(n, k)
        case .minimum: return values.min()
        case .maximum: return values.max()
        case .greatestCommonDivisor, .leastCommonMultiple:
            guard values.allSatisfy({ $0.isWhole && !$0.isZero }) else { return nil }
            return values.dropFirst().reduce(first.magnitude) { result, value in
                guard let result else { return nil }
                let divisor = result.numerator.greatestCommonDivisor(value.numerator)
                guard function == .leastCommonMultiple else { return ExactNumber(divisor) }
                return ExactNumber(result.numerator * value.numerator.magnitude, over: divisor)
            }
        case .ln: return last == .one ? .zero : nil
        case .log: return last == .one && first != .one ? .zero : nil
        case .degrees, .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh: return nil
        }
    }

    private static func floor(_ value: ExactNumber) -> ExactNumber? {
        guard let step = value.numerator.quotientAndRemainder(dividingBy: value.denominator) else { return nil }
        let isBelow = value.isNegative && !step.remainder.isZero
        return ExactNumber(isBelow ? step.quotient - .one : step.quotient)
    }

    static func factorial(_ n: Int) -> ExactNumber? {
        guard n >= 0, n <= largestFactorial else { return nil }
        var product = BigInteger.one
        for factor in 0..<n { product = product * BigInteger(factor + 1) }
        return ExactNumber(product)
    }

    static func binomial(_ n: Int, _ k: Int) -> ExactNumber? {
        guard n >= 0, n <= largestFactorial, k >= 0 else { return nil }
        guard k <= n else { return .zero }
        var result = ExactNumber.one
        for index in 0..<min(k, n - k) {
            guard let next = result.multiplied(by: ExactNumber(n - index))?.divided(by: ExactNumber(index + 1)) else {
                return nil
            }
            result = next
        }
        return result
    }
}
