/// One operation of an expression with its operands and result.
struct StepOperation: Hashable {
    var sign: Character
    var left: Rational
    var right: Rational
    var result: Rational
}

/// An expression of a step: its value and what it is made of.
struct StepExpression: Hashable {
    /// The exact value.
    var value: Rational
    /// The value that the text claims for it, where it claims one.
    var claim: Rational?
    /// The operations, inner ones first.
    var operations: [StepOperation]
    /// The numbers that stand in it.
    var operands: [Rational]

    /// The same operations on the same numbers, in whatever order.
    struct Shape: Hashable {
        var signs: [Character]
        var operands: [Rational]
    }

    /// What an equal expression has in common with it.
    var shape: Shape { Shape(signs: operations.map(\.sign).sorted(), operands: operands.sorted()) }

    /// Whether the claim is not the value, even rounded to the places that it shows or as a percentage.
    var isMiscalculated: Bool {
        guard let claim, claim != value else { return false }
        if value.isWhole { return true }
        var tolerance = 0.500_001
        var scaled = claim
        for _ in 0..<6 where !scaled.isWhole {
            guard let next = scaled.multiplied(by: Rational(10)) else { break }
            scaled = next
            tolerance /= 10
        }
        if abs(claim.doubleValue - value.doubleValue) <= tolerance { return false }
        let ratio = claim.doubleValue / value.doubleValue
        return abs(ratio - 100) > 1e-9 && abs(ratio - 0.01) > 1e-9
    }

    /// The value and, where it is a rounding of it, the claim.
    var values: [Rational] {
        guard let claim, claim != value, !isMiscalculated else { return [value] }
        return [value, claim]
    }
}

extension StepExpression {
    /// Reads a whole run of tokens as an expression; nil where it is none, divides by zero or overflows.
    init?(_ tokens: ArraySlice<StepToken>) {
        guard tokens.count <= Arithmetic.maximumLength else { return nil }
        var reader = Reader(tokens: tokens)
        guard let value = reader.sum(depth: 0), reader.position == tokens.endIndex else { return nil }
        self.init(value: value, claim: nil, operations: reader.operations, operands: reader.operands)
    }

    private struct Reader {
        let tokens: ArraySlice<StepToken>
        var position: Int
        var operations: [StepOperation] = []
        var operands: [Rational] = []

        init(tokens: ArraySlice<StepToken>) {
            self.tokens = tokens
            position = tokens.startIndex
        }

        private var token: StepToken? { position < tokens.endIndex ? tokens[position] : nil }

        private mutating func apply(_ sign: Character, _ left: Rational, _ right: Rational) -> Rational? {
            let result: Rational? =
                switch sign {
                case "+": left.adding(right)
                case "-": left.subtracting(right)
                case "*": left.multiplied(by: right)
                default: left.divided(by: right)
                }
            guard let result else { return nil }
            operations.append(StepOperation(sign: sign, left: left, right: right, result: result))
            return result
        }

        mutating func sum(depth: Int) -> Rational? {
            guard var value = product(depth: depth) else { return nil }
            while case .operation(let sign)? = token, sign == "+" || sign == "-" {
                position += 1
                guard let right = product(depth: depth), let result = apply(sign, value, right) else { return nil }
                value = result
            }
            return value
        }

        private mutating func product(depth: Int) -> Rational? {
            guard var value = factor(depth: depth) else { return nil }
            while true {
                var sign: Character = "*"
                if case .operation(let written)? = token, written == "*" || written == "/" {
                    sign = written
                    position += 1
                } else if token != .open {
                    return value
                }
                guard let right = factor(depth: depth), let result = apply(sign, value, right) else { return nil }
                value = result
            }
        }

        private mutating func factor(depth: Int) -> Rational? {
            guard depth < 24 else { return nil }
            var value: Rational
            switch token {
            case .operation(let sign)? where sign == "+" || sign == "-":
                position += 1
                guard let inner = factor(depth: depth + 1) else { return nil }
                return sign == "-" ? Rational(0).subtracting(inner) : inner
            case .open?:
                position += 1
                guard let inner = sum(depth: depth + 1), token == .close else { return nil }
                position += 1
                value = inner
            case .number(let number)?:
                position += 1
                value = number
                if token == .percent {
                    position += 1
                    guard let part = value.divided(by: Rational(100)) else { return nil }
                    value = part
                }
                operands.append(value)
                return value
            default: return nil
            }
            if token == .percent {
                position += 1
                guard let part = value.divided(by: Rational(100)) else { return nil }
                value = part
            }
            return value
        }
    }
}
