/// Exact arithmetic on expressions as people and models type them: `3 x (12 - 4.5)`, `$1,200 * 20%`, `1 1/2 + 2(3 + 4)`,
/// `2^3`, `\frac{1}{2} \times 6`.
public enum Arithmetic {
    /// The longest expression that is read, in Unicode scalars.
    public static let maximumLength = 400

    /// The value of an expression.
    ///
    /// Nil where it is malformed, too long or too deep, has anything in it that is no number or sign of arithmetic, divides
    /// by zero or overflows.
    public static func evaluate(_ expression: String) -> Rational? {
        evaluate(Array(expression.unicodeScalars)[...])
    }

    static func evaluate(_ scalars: ArraySlice<Unicode.Scalar>) -> Rational? {
        guard scalars.count <= maximumLength else { return nil }
        return value(of: ArithmeticTokenizer.tokens(scalars)[...], as: ArithmeticReading())
    }

    /// What an expression may mean, the plain reading first; empty where it has no value in any.
    ///
    /// `100% - 40%` is 0.6 and 60, `60 / 3/4` is 5 and 80, `50 + 10%` is 50.1 and 55.
    static func readings(_ expression: String) -> [Rational] {
        let scalars = expression.scalarArray
        guard scalars.count <= maximumLength else { return [] }
        return readings(ArithmeticTokenizer.tokens(scalars[...])[...])
    }

    static func readings(_ tokens: ArraySlice<ArithmeticToken>) -> [Rational] {
        var values: [Rational] = []
        for reading in ArithmeticReading.all(of: tokens) {
            guard let value = value(of: tokens, as: reading) else { continue }
            if !values.contains(value) { values.append(value) }
            let hundredfold = reading.isProductOfPercentages ? value.multiplied(by: Rational(100)) : nil
            if let hundredfold, !values.contains(hundredfold) { values.append(hundredfold) }
        }
        return values
    }

    private static func value(of tokens: ArraySlice<ArithmeticToken>, as reading: ArithmeticReading) -> Rational? {
        var parser = ArithmeticParser(tokens, reading: reading)
        return parser.whole()
    }

    /// The plain operator that a sign stands for.
    package static func operation(_ scalar: Unicode.Scalar) -> Character? {
        switch scalar {
        case "+": "+"
        case "-": "-"
        case "*", "x", "X", "\u{D7}", "\u{B7}", "\u{2217}", "\u{22C5}": "*"
        case "/", "\u{F7}", "\u{2044}", "\u{2215}": "/"
        default: minuses.contains(scalar) ? "-" : nil
        }
    }

    /// What is written for a minus outside of ASCII.
    static let minuses: Set<Unicode.Scalar> = [
        "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2212}", "\u{FE63}", "\u{FF0D}",
    ]
}
