/// Exact arithmetic on expressions as people type them: `3 x (12 - 4.5)`, `$1,200 * 20%`, `6 ÷ 2`.
public enum Arithmetic {
    /// The longest expression that is read, in Unicode scalars.
    public static let maximumLength = 400
    private static let maximumDepth = 24

    /// The value of an expression; nil where it is malformed, too long, too deep, divides by zero or overflows.
    public static func evaluate(_ expression: String) -> Rational? {
        evaluate(Array(expression.unicodeScalars)[...])
    }

    static func evaluate(_ scalars: ArraySlice<Unicode.Scalar>) -> Rational? {
        guard scalars.count <= maximumLength else { return nil }
        var parser = Parser(scalars: scalars)
        guard let value = parser.sum(depth: 0), parser.atEnd else { return nil }
        return value
    }

    /// The plain operator that a sign stands for.
    package static func operation(_ scalar: Unicode.Scalar) -> Character? {
        switch scalar {
        case "+": "+"
        case "-", "\u{2212}", "\u{2013}": "-"
        case "*", "x", "X", "\u{D7}", "\u{B7}", "\u{2217}": "*"
        case "/", "\u{F7}": "/"
        default: nil
        }
    }

    private struct Parser {
        let scalars: ArraySlice<Unicode.Scalar>
        var position: Int

        init(scalars: ArraySlice<Unicode.Scalar>) {
            self.scalars = scalars
            position = scalars.startIndex
        }

        private mutating func skip() {
            while position < scalars.endIndex, [" ", "$", "\u{20AC}", "\u{A3}"].contains(scalars[position]) {
                position += 1
            }
        }

        var atEnd: Bool {
            mutating get {
                skip()
                return position >= scalars.endIndex
            }
        }

        private mutating func peekOperation() -> Character? {
            skip()
            return position < scalars.endIndex ? Arithmetic.operation(scalars[position]) : nil
        }

        mutating func sum(depth: Int) -> Rational? {
            guard depth < maximumDepth, var value = product(depth: depth) else { return nil }
            while let operation = peekOperation(), operation == "+" || operation == "-" {
                position += 1
                guard let right = product(depth: depth),
                    let result = operation == "+" ? value.adding(right) : value.subtracting(right)
                else { return nil }
                value = result
            }
            return value
        }

        private mutating func product(depth: Int) -> Rational? {
            guard var value = factor(depth: depth) else { return nil }
            while let operation = peekOperation(), operation == "*" || operation == "/" {
                position += 1
                guard let right = factor(depth: depth),
                    let result = operation == "*" ? value.multiplied(by: right) : value.divided(by: right)
                else { return nil }
                value = result
            }
            return value
        }

        private mutating func factor(depth: Int) -> Rational? {
            skip()
            guard position < scalars.endIndex, depth < maximumDepth else { return nil }
            let scalar = scalars[position]
            if scalar == "-" || scalar == "+" {
                position += 1
                guard let value = factor(depth: depth + 1) else { return nil }
                return scalar == "-" ? Rational(0).subtracting(value) : value
            }
            if scalar == "(" {
                position += 1
                guard let value = sum(depth: depth + 1) else { return nil }
                skip()
                guard position < scalars.endIndex, scalars[position] == ")" else { return nil }
                position += 1
                return percent(value)
            }
            let start = position
            while position < scalars.endIndex, isNumeric(scalars[position]) { position += 1 }
            var text = String(String.UnicodeScalarView(scalars[start..<position]))
            while text.hasSuffix(",") { text.removeLast() }
            guard let value = Rational(decimal: text) else { return nil }
            return percent(value)
        }

        private mutating func percent(_ value: Rational) -> Rational? {
            skip()
            guard position < scalars.endIndex, scalars[position] == "%" else { return value }
            position += 1
            return value.divided(by: Rational(100))
        }

        private func isNumeric(_ scalar: Unicode.Scalar) -> Bool {
            ("0"..."9").contains(scalar) || scalar == "." || scalar == ","
        }
    }
}
