/// A mathematical expression as it was written, nothing of it simplified.
indirect enum Expression: Sendable, Hashable {
    /// A whole number, or a fraction of a mixed number or of a repeating decimal.
    case number(ExactNumber)
    /// A number written with a decimal point, and its digits after the point.
    case decimal(ExactNumber, places: Int)
    /// A variable, subscript and primes included: `x`, `x_1`, `f'`.
    case symbol(String)
    case constant(Constant)
    case sum([Expression])
    case product([Expression])
    case quotient(Expression, Expression)
    case power(Expression, Expression)
    case negative(Expression)
    case function(MathFunction, [Expression])
    /// An unknown function's value: `f(x)`.
    case application(String, [Expression])

    enum Constant: String, Sendable {
        case pi, e, imaginaryUnit, infinity
    }

    /// The parts, in order.
    var children: [Expression] {
        switch self {
        case .number, .decimal, .symbol, .constant: []
        case .sum(let parts), .product(let parts), .function(_, let parts), .application(_, let parts): parts
        case .quotient(let a, let b), .power(let a, let b): [a, b]
        case .negative(let inner): [inner]
        }
    }

    /// Whether the condition holds for the expression or for a part of it.
    func contains(where condition: (Expression) -> Bool) -> Bool {
        condition(self) || children.contains { $0.contains(where: condition) }
    }

    /// Whether there is nothing unknown in it.
    var isConstant: Bool {
        !contains {
            switch $0 {
            case .symbol, .application: true
            default: false
            }
        }
    }

    var hasImaginaryUnit: Bool { contains { $0 == .constant(.imaginaryUnit) } }

    /// Whether it is made by the four operations and whole powers alone, so that its residues decide.
    var isRational: Bool {
        switch self {
        case .number, .decimal, .symbol, .constant: return true
        case .function: return false
        case .power(let base, let exponent): return base.isRational && exponent.exact?.int != nil
        default: return children.allSatisfy(\.isRational)
        }
    }

    /// The variables, each once, in order of appearance.
    var symbols: [String] {
        var found: [String] = []
        func collect(_ expression: Expression) {
            if case .symbol(let name) = expression, !found.contains(name) { found.append(name) }
            expression.children.forEach(collect)
        }
        collect(self)
        return found
    }

    /// The expression with a variable replaced.
    func replacing(_ name: String, with value: Expression) -> Expression {
        replacing(.symbol(name), with: value)
    }

    /// The complex conjugate, where its variables are real.
    var conjugated: Expression {
        replacing(.constant(.imaginaryUnit), with: .negative(.constant(.imaginaryUnit)))
    }

    private func replacing(_ leaf: Expression, with value: Expression) -> Expression {
        if self == leaf { return value }
        func all(_ parts: [Expression]) -> [Expression] { parts.map { $0.replacing(leaf, with: value) } }
        switch self {
        case .symbol, .number, .decimal, .constant: return self
        case .sum(let parts): return .sum(all(parts))
        case .product(let parts): return .product(all(parts))
        case .function(let function, let parts): return .function(function, all(parts))
        case .application(let function, let parts): return .application(function, all(parts))
        case .negative(let inner): return .negative(inner.replacing(leaf, with: value))
        case .quotient(let a, let b): return .quotient(a.replacing(leaf, with: value), b.replacing(leaf, with: value))
        case .power(let a, let b): return .power(a.replacing(leaf, with: value), b.replacing(leaf, with: value))
        }
    }

    static func difference(_ left: Expression, _ right: Expression) -> Expression { .sum([left, .negative(right)]) }
}

/// The functions whose values are known.
enum MathFunction: String, Sendable, CaseIterable {
    /// Degree and radicand.
    case root
    case sin, cos, tan, cot, sec, csc
    case arcsin, arccos, arctan
    case sinh, cosh, tanh
    case ln
    /// Base and argument.
    case log
    case absolute, floor, ceiling, factorial
    /// n and k.
    case binomial
    case minimum, maximum, greatestCommonDivisor, leastCommonMultiple
    /// An angle in degrees, inside of a function.
    case degrees

    /// How many arguments it takes; nil for any number.
    var arity: Int? {
        switch self {
        case .root, .log, .binomial: 2
        case .minimum, .maximum, .greatestCommonDivisor, .leastCommonMultiple: nil
        default: 1
        }
    }
}
