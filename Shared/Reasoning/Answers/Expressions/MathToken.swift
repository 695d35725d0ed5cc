/// A piece of an answer as the scanner sees it.
struct MathToken: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case number(Numeral)
        /// Letters of running mathematics, of which the parser decides whether they are variables or a word.
        case letters(String)
        /// A word of a text.
        case word(String)
        /// A named variable or an unknown command.
        case symbol(String)
        case constant(Expression.Constant)
        case function(FunctionName)
        case plus, minus, times, slash, plusMinus, minusPlus
        case caret, underscore, bang, percent, degree, prime
        case comma, semicolon, colon, bar, ampersand, rowBreak, period, ellipsis
        /// `and`, `or`.
        case conjunction(isOr: Bool)
        case open(Bracket)
        case close(Bracket)
        case relation(RelationSign)
        case union, intersection, without, element, reals, emptySet
        case fraction, root, binomial
        /// A mark over what follows, by its name; see ``MathCommands/accents``.
        case accent(String)
        case begin(String)
        case end(String)
        case currency(String)
        /// An operator that no expression is read with: what it stands in is compared as text.
        case opaque(String)
    }

    var kind: Kind
    /// Whether a blank stands before it.
    var hasSpace: Bool
    /// Whether it stands in a `\text{…}`.
    var isText = false
    /// Whether it is what is left of a run of letters of which the parser took the first.
    var isRest = false
}

extension [MathToken] {
    /// Where the bracket at the range's start closes; intervals may close with another bracket.
    func closing(_ range: Range<Int>) -> Int? {
        var level = 0
        for index in range {
            switch self[index].kind {
            case .open, .begin: level += 1
            case .close, .end:
                level -= 1
                if level == 0 { return index }
            default: break
            }
        }
        return nil
    }
}

/// The brackets of sequences, groups and intervals.
enum Bracket: Sendable, Hashable {
    /// `( )`, `[ ]`, `\{ \}`, `\langle \rangle`, the unescaped `{ }`, and none.
    case round, square, brace, angle, group, none
    case floor, ceiling, bar
}

/// A number's digits as they were written, separators removed.
struct Numeral: Sendable, Equatable {
    /// Digits and at most one point.
    var digits: String
    /// Digits after the point that repeat for ever.
    var repeating = ""
    /// The power of ten of the scientific notation.
    var exponent = 0

    /// Digits after the point; nil for a whole number.
    var places: Int? {
        digits.utf8.firstIndex(of: UInt8(ascii: ".")).map {
            digits.utf8.distance(from: $0, to: digits.utf8.endIndex) - 1
        }
    }

    /// The value; nil where it is too long.
    var value: ExactNumber? {
        guard digits.utf8.count <= 1_200, abs(exponent) <= 400 else { return nil }
        let places = places ?? 0
        let bytes = digits.utf8.filter { $0 != UInt8(ascii: ".") }
        guard let ten = BigInteger(10).raised(to: places, maximumBits: ExactNumber.maximumBits),
            var value = ExactNumber(BigInteger(digits: bytes), over: ten)
        else { return nil }
        if !repeating.isEmpty {
            let count = repeating.utf8.count
            guard count <= 200, let period = BigInteger(10).raised(to: count, maximumBits: ExactNumber.maximumBits),
                let tail = ExactNumber(BigInteger(digits: repeating.utf8), over: (period - .one) * ten),
                let sum = value.adding(tail)
            else { return nil }
            value = sum
        }
        guard exponent != 0 else { return value }
        return ExactNumber(10).raised(to: exponent).flatMap { value.multiplied(by: $0) }
    }

    /// The number as an expression.
    var expression: Expression? {
        value.map { value in
            places.map { exponent == 0 && repeating.isEmpty ? .decimal(value, places: $0) : .number(value) }
                ?? .number(value)
        }
    }
}

/// What stands between the sides of a relation.
enum RelationSign: Sendable, Hashable {
    case equal, approximately, notEqual, less, lessOrEqual, greater, greaterOrEqual

    /// The sign as it reads from the other side.
    var flipped: RelationSign {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        case .equal, .approximately, .notEqual: self
        }
    }

    var isOrder: Bool {
        switch self {
        case .less, .lessOrEqual, .greater, .greaterOrEqual: true
        case .equal, .approximately, .notEqual: false
        }
    }
}

/// The names by which functions are called.
enum FunctionName: String, Sendable, CaseIterable {
    case sin, cos, tan, cot, sec, csc
    case arcsin, arccos, arctan, asin, acos, atan
    case sinh, cosh, tanh
    case ln, log, lg, exp
    case abs, floor, ceil, min, max, gcd, lcm
    /// Plain text only; the command is a token of its own.
    case sqrt, cbrt

    var function: MathFunction? {
        switch self {
        case .sin: .sin
        case .cos: .cos
        case .tan: .tan
        case .cot: .cot
        case .sec: .sec
        case .csc: .csc
        case .arcsin, .asin: .arcsin
        case .arccos, .acos: .arccos
        case .arctan, .atan: .arctan
        case .sinh: .sinh
        case .cosh: .cosh
        case .tanh: .tanh
        case .ln: .ln
        case .abs: .absolute
        case .floor: .floor
        case .ceil: .ceiling
        case .min: .minimum
        case .max: .maximum
        case .gcd: .greatestCommonDivisor
        case .lcm: .leastCommonMultiple
        case .log, .lg, .exp, .sqrt, .cbrt: nil
        }
    }
}
