/// Tokens written out again, for names and for texts.
enum MathText {
    static func of(_ token: MathToken) -> String {
        switch token.kind {
        case .number(let text): text.digits
        case .letters(let run): run
        case .word(let word): word
        case .symbol(let name): name
        case .constant(let constant): name(of: constant)
        case .function(let name): name.rawValue
        case .plus: "+"
        case .minus: "-"
        case .times: "*"
        case .slash: "/"
        case .plusMinus: "\u{B1}"
        case .minusPlus: "\u{2213}"
        case .caret: "^"
        case .underscore: "_"
        case .bang: "!"
        case .percent: "%"
        case .degree: "\u{B0}"
        case .prime: "'"
        case .comma: ","
        case .semicolon: ";"
        case .colon: ":"
        case .bar: "|"
        case .ampersand: "&"
        case .period: "."
        case .conjunction(let isOr): isOr ? "or" : "and"
        case .relation(let sign): name(of: sign)
        case .currency(let name), .opaque(let name): name
        case .open(let bracket): bracket == .group ? "" : bracket == .square ? "[" : bracket == .brace ? "{" : "("
        case .close(let bracket): bracket == .group ? "" : bracket == .square ? "]" : bracket == .brace ? "}" : ")"
        case .begin(let name), .end(let name): name
        case .union: "\u{222A}"
        case .intersection: "\u{2229}"
        case .without: "\\"
        case .element: "\u{2208}"
        case .reals: "\u{211D}"
        case .emptySet: "\u{2205}"
        case .fraction: "frac"
        case .root: "\u{221A}"
        case .binomial: "binom"
        case .accent(let name): name.isEmpty ? "" : "\\" + name
        case .rowBreak, .ellipsis: ""
        }
    }

    private static func name(of constant: Expression.Constant) -> String {
        switch constant {
        case .pi: "pi"
        case .e: "e"
        case .imaginaryUnit: "i"
        case .infinity: "\u{221E}"
        }
    }

    private static func name(of sign: RelationSign) -> String {
        switch sign {
        case .equal: "="
        case .approximately: "\u{2248}"
        case .notEqual: "\u{2260}"
        case .less: "<"
        case .lessOrEqual: "\u{2264}"
        case .greater: ">"
        case .greaterOrEqual: "\u{2265}"
        }
    }
}
