/// A piece of a line of text, as far as arithmetic is concerned.
struct ArithmeticToken: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// A number; nil where the figures can be no plain number (`0900`, `13,2000`, `1.2.3`).
        case number(Rational?)
        /// One of `+ - * /`.
        case operation(Character)
        /// The sign before an exponent.
        case power
        /// An exponent written in raised figures.
        case raised(Int)
        case open
        case close
        case percent
        case factorial
        /// A square root's sign.
        case root
        /// `\frac`, with two arguments behind it.
        case fraction
        /// The `and` of `2 and 1/2`.
        case and
        case equals
        /// Another relation, or an arrow: nothing reaches over it.
        case relation
        /// A currency sign, a degree sign, or the `$` of LaTeX: changes no value.
        case sign
        /// A run of letters in lower case; figures and subscripts directly behind them are part of it.
        case word(String)
        /// A mark of sentences.
        case mark(Unicode.Scalar)
        /// Anything else: what stands beside it cannot be read.
        case unknown
    }

    var kind: Kind
    /// Where it stands, in the line's Unicode scalars.
    var range: Range<Int>
    /// Whether a blank stands before it, or nothing does.
    var isSpaced: Bool
    /// What it adds to a number of thousands before it, where it is three figures: the `000` of `80 000`.
    var group: Int?

    /// Whether a value may end with it.
    var endsValue: Bool {
        switch kind {
        case .number, .close, .percent, .factorial, .raised: true
        default: false
        }
    }

    /// Whether a value may begin with it.
    var startsValue: Bool {
        switch kind {
        case .number, .open, .root, .fraction, .sign: true
        default: false
        }
    }

    /// Whether it can be part of an expression.
    var isExpression: Bool {
        switch kind {
        case .number, .operation, .power, .raised, .open, .close, .percent, .factorial, .root, .fraction, .and, .sign:
            true
        case .equals, .relation, .word, .mark, .unknown: false
        }
    }

    var isOperation: Bool {
        switch kind {
        case .operation, .power: true
        default: false
        }
    }

    var isNumber: Bool {
        if case .number = kind { true } else { false }
    }
}
