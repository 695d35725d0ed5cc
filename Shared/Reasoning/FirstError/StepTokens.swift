/// A token of a step's text, as far as calculations are concerned.
enum StepToken: Hashable {
    case number(Rational)
    /// One of `+ - * /`.
    case operation(Character)
    case open
    case close
    case percent
    case equals
    /// In lower case.
    case word(String)
    /// A letter that stands for a number.
    case variable(String)
    case mark

    /// Whether a value may end here.
    var endsValue: Bool {
        switch self {
        case .number, .close, .percent, .variable: true
        default: false
        }
    }

    /// Whether it can be part of an expression or an equation.
    var isExpression: Bool {
        switch self {
        case .word, .mark: false
        default: true
        }
    }
}

/// Cuts the text of a step into numbers, signs and words.
///
/// Linear in the text's length.
enum StepTokens {
    /// The longest text that is read, in Unicode scalars.
    static let maximumLength = 4_000
    /// Letters that are words of their own, or what an apostrophe leaves.
    private static let letterWords: Set<String> = ["a", "i", "s", "t"]

    /// The tokens of a text without its `<<…>>` marks.
    static func tokens(_ text: String) -> [StepToken] {
        let scalars = Array(WorkedSolution.withoutMarks(text).unicodeScalars.prefix(maximumLength))
        var tokens: [StepToken] = []
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if isDigit(scalar) || scalar == "." && index + 1 < scalars.count && isDigit(scalars[index + 1]) {
                tokens.append(number(scalars, &index))
            } else if scalar.properties.isAlphabetic {
                var word = String.UnicodeScalarView()
                while index < scalars.count,
                    scalars[index].properties.isAlphabetic || "'\u{2019}".unicodeScalars.contains(scalars[index])
                {
                    word.append(scalars[index])
                    index += 1
                }
                tokens.append(.word(String(word).lowercased()))
            } else {
                index += 1
                if let token = sign(scalar) { tokens.append(token) }
            }
        }
        return resolved(tokens)
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func number(_ scalars: [Unicode.Scalar], _ index: inout Int) -> StepToken {
        let start = index
        var hasPoint = false
        while index < scalars.count {
            let isInner = index + 1 < scalars.count && isDigit(scalars[index + 1])
            if scalars[index] == ".", !hasPoint, isInner {
                hasPoint = true
            } else if !isDigit(scalars[index]), scalars[index] != "," || !isInner {
                break
            }
            index += 1
        }
        let text = String(String.UnicodeScalarView(scalars[start..<index].filter { $0 != "," }))
        return Rational(decimal: text).map { .number($0) } ?? .mark
    }

    private static func sign(_ scalar: Unicode.Scalar) -> StepToken? {
        switch scalar {
        case " ", "$", "\u{20AC}", "\u{A3}": nil
        case "(": .open
        case ")": .close
        case "%": .percent
        case "=": .equals
        default: Arithmetic.operation(scalar).map { .operation($0) } ?? .mark
        }
    }

    /// Tells times from the letter x, and letters that stand for numbers from words.
    private static func resolved(_ tokens: [StepToken]) -> [StepToken] {
        var tokens = tokens
        for index in tokens.indices {
            guard case .word(let word) = tokens[index], word.count == 1 else { continue }
            let before: StepToken = index > 0 ? tokens[index - 1] : .mark
            let after: StepToken = index + 1 < tokens.count ? tokens[index + 1] : .mark
            if word == "x", startsValue(after) {
                var isTimes = before.endsValue
                if case .word = before, index > 1, case .number = tokens[index - 2] { isTimes = true }
                tokens[index] = isTimes ? .operation("*") : .variable(word)
            } else if !letterWords.contains(word) {
                tokens[index] = .variable(word)
            } else if word == "a", isOperator(before) || isOperator(after) {
                tokens[index] = .variable(word)
            }
        }
        return tokens
    }

    private static func startsValue(_ token: StepToken) -> Bool {
        if case .number = token { return true }
        return token == .open
    }

    private static func isOperator(_ token: StepToken) -> Bool {
        if case .operation = token { return true }
        return token == .equals
    }
}
