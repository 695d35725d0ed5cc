import Reasoning

/// An expression as it is written, to be valued with whatever stands for its numbers.
indirect enum ExpressionTree: Hashable {
    case number(Rational)
    /// A letter that stands for a number.
    case unknown(String)
    case negated(ExpressionTree)
    /// One of `+ - * /`.
    case operation(Character, ExpressionTree, ExpressionTree)
    /// A power with a small whole exponent.
    case power(ExpressionTree, Int)

    /// The numbers that stand in it, in order.
    var operands: [Rational] {
        switch self {
        case .number(let value): [value]
        case .unknown: []
        case .negated(let inner), .power(let inner, _): inner.operands
        case .operation(_, let left, let right): left.operands + right.operands
        }
    }

    var hasUnknown: Bool {
        switch self {
        case .number: false
        case .unknown: true
        case .negated(let inner), .power(let inner, _): inner.hasUnknown
        case .operation(_, let left, let right): left.hasUnknown || right.hasUnknown
        }
    }

    /// The value where each unknown has one; nil where one has none, on a division by zero and on overflow.
    func value(at unknowns: [String: Rational] = [:]) -> Rational? {
        switch self {
        case .number(let value): return value
        case .unknown(let letter): return unknowns[letter]
        case .negated(let inner): return inner.value(at: unknowns).flatMap { Rational(0).subtracting($0) }
        case .power(let inner, let exponent):
            guard let base = inner.value(at: unknowns) else { return nil }
            var value: Rational? = base
            for _ in 1..<max(1, exponent) { value = value?.multiplied(by: base) }
            return value
        case .operation(let sign, let left, let right):
            guard let left = left.value(at: unknowns), let right = right.value(at: unknowns) else { return nil }
            return ExpressionTree.apply(sign, left, right)
        }
    }

    /// The operations, inner ones first; nil where one has no value.
    func operations() -> [StepOperation]? {
        var found: [StepOperation] = []
        return collect(&found) == nil ? nil : found
    }

    private func collect(_ found: inout [StepOperation]) -> Rational? {
        switch self {
        case .number, .unknown: return value()
        case .negated(let inner): return inner.collect(&found).flatMap { Rational(0).subtracting($0) }
        case .power(let inner, let exponent):
            guard let base = inner.collect(&found), let result = value() else { return nil }
            found.append(StepOperation(sign: "^", left: base, right: Rational(exponent), result: result))
            return result
        case .operation(let sign, let leftTree, let rightTree):
            guard let left = leftTree.collect(&found), let right = rightTree.collect(&found),
                let result = ExpressionTree.apply(sign, left, right)
            else { return nil }
            found.append(StepOperation(sign: sign, left: left, right: right, result: result))
            return result
        }
    }

    private static func apply(_ sign: Character, _ left: Rational, _ right: Rational) -> Rational? {
        switch sign {
        case "+": left.adding(right)
        case "-": left.subtracting(right)
        case "*": left.multiplied(by: right)
        default: left.divided(by: right)
        }
    }
}

/// One operation of an expression with its operands and result.
struct StepOperation: Hashable {
    /// One of `+ - * /`, or `^` for a power.
    var sign: Character
    var left: Rational
    var right: Rational
    var result: Rational
}

extension ExpressionTree {
    /// The deepest nesting that is read.
    private static let maximumDepth = 24
    private static let exponents = 1...6

    /// Reads a whole run of tokens as an expression; nil where it is none.
    init?(_ tokens: ArraySlice<StepToken>) {
        guard tokens.count <= Arithmetic.maximumLength else { return nil }
        var reader = Reader(tokens: tokens)
        guard let tree = reader.sum(depth: 0), reader.position == tokens.endIndex else { return nil }
        self = tree
    }

    private struct Reader {
        let tokens: ArraySlice<StepToken>
        var position: Int

        init(tokens: ArraySlice<StepToken>) {
            self.tokens = tokens
            position = tokens.startIndex
        }

        private var token: StepToken? { position < tokens.endIndex ? tokens[position] : nil }

        mutating func sum(depth: Int) -> ExpressionTree? {
            guard var tree = product(depth: depth) else { return nil }
            while case .operation(let sign)? = token, sign == "+" || sign == "-" {
                position += 1
                guard let right = product(depth: depth) else { return nil }
                tree = .operation(sign, tree, right)
            }
            return tree
        }

        private mutating func product(depth: Int) -> ExpressionTree? {
            guard var tree = factor(depth: depth) else { return nil }
            while true {
                var sign: Character = "*"
                switch token {
                case .operation("*")?: position += 1
                case .operation("/")?:
                    sign = "/"
                    position += 1
                case .open?, .variable?: break
                default: return tree
                }
                guard let right = factor(depth: depth) else { return nil }
                tree = .operation(sign, tree, right)
            }
        }

        private mutating func factor(depth: Int) -> ExpressionTree? {
            guard depth < ExpressionTree.maximumDepth else { return nil }
            let tree: ExpressionTree
            switch token {
            case .operation(let sign)? where sign == "+" || sign == "-":
                position += 1
                guard let inner = factor(depth: depth + 1) else { return nil }
                return sign == "-" ? .negated(inner) : inner
            case .open?:
                position += 1
                guard let inner = sum(depth: depth + 1), token == .close else { return nil }
                position += 1
                tree = inner
            case .number(let number)?:
                position += 1
                tree = .number(number)
            case .variable(let letter)?:
                position += 1
                return .unknown(letter)
            default: return nil
            }
            return suffixed(tree)
        }

        /// Reads an exponent or a percent sign after a value.
        private mutating func suffixed(_ tree: ExpressionTree) -> ExpressionTree? {
            if token == .power {
                position += 1
                guard case .number(let exponent)? = token, exponent.isWhole,
                    ExpressionTree.exponents.contains(exponent.numerator)
                else { return nil }
                position += 1
                return .power(tree, exponent.numerator)
            }
            guard token == .percent else { return tree }
            position += 1
            if case .number(let number) = tree { return number.divided(by: Rational(100)).map { .number($0) } }
            return .operation("/", tree, .number(Rational(100)))
        }
    }
}
