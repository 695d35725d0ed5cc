import Reasoning

/// A token of a step's text, as far as calculations are concerned.
enum StepToken: Hashable {
    case number(Rational)
    /// One of `+ - * /`.
    case operation(Character)
    case open
    case close
    case percent
    /// The sign before an exponent.
    case power
    case equals
    /// In lower case.
    case word(String)
    /// A letter that stands for a number.
    case variable(String)
    case mark

    /// The number that it is, in figures or in words.
    var value: Rational? {
        switch self {
        case .number(let number): number
        case .word(let word): NumberWords.value(of: word)
        default: nil
        }
    }

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
    /// The most tokens of a unit between a value and the sign for times.
    private static let unitTokens = 8

    /// The tokens of a text without its `<<…>>` marks.
    static func tokens(_ text: String) -> [StepToken] {
        let given = Array(WorkedSolution.withoutMarks(text).unicodeScalars.prefix(maximumLength))
        let scalars = StepMarkup.plain(given[...])
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
            } else if isHyphen(scalars, index) {
                index += 1
            } else {
                index += 1
                // An inequality says nothing of a value.
                if scalar == "=", index > 1, "<>\u{2264}\u{2265}".unicodeScalars.contains(scalars[index - 2]) {
                    tokens.append(.mark)
                } else if let token = sign(scalar) {
                    tokens.append(token)
                }
            }
        }
        return resolved(withSpokenOperations(tokens))
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    /// Whether a minus sign joins two words (`T-shirts`), which are no values.
    private static func isHyphen(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
        guard Arithmetic.operation(scalars[index]) == "-", index > 1, index + 2 < scalars.count else { return false }
        func isLetter(_ index: Int) -> Bool { scalars[index].properties.isAlphabetic }
        return isLetter(index - 1) && isLetter(index + 1) && (isLetter(index - 2) || isLetter(index + 2))
    }

    /// Whether a blank at a place separates thousands (`80 000`): between digits, and before three zeros.
    private static func separatesThousands(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
        guard " \u{A0}\u{2009}\u{202F}".unicodeScalars.contains(scalars[index]), index + 3 < scalars.count else {
            return false
        }
        return scalars[(index + 1)...(index + 3)].allSatisfy { $0 == "0" }
            && (index + 4 == scalars.count || !isDigit(scalars[index + 4]))
    }

    private static func number(_ scalars: [Unicode.Scalar], _ index: inout Int) -> StepToken {
        let start = index
        var hasPoint = false
        while index < scalars.count {
            let isInner = index + 1 < scalars.count && isDigit(scalars[index + 1])
            if scalars[index] == ".", !hasPoint, isInner {
                hasPoint = true
            } else if !hasPoint, separatesThousands(scalars, index) {
                index += 3
            } else if !isDigit(scalars[index]), scalars[index] != "," || !isInner {
                break
            }
            index += 1
        }
        let text = String(String.UnicodeScalarView(scalars[start..<index].filter { isDigit($0) || $0 == "." }))
        return Rational(decimal: text).map { .number($0) } ?? .mark
    }

    private static func sign(_ scalar: Unicode.Scalar) -> StepToken? {
        switch scalar {
        case " ", "$", "\u{20AC}", "\u{A3}": nil
        case "(": .open
        case ")": .close
        case "%": .percent
        case "^": .power
        case "&": .word("&")
        case "=": .equals
        default: Arithmetic.operation(scalar).map { .operation($0) } ?? .mark
        }
    }

    private static let spoken: [String: Character] = ["times": "*", "plus": "+", "minus": "-"]
    private static let spokenWithBy: [String: Character] = ["multiplied": "*", "divided": "/"]

    /// Reads operations in words between two values: `6 times 14 equals 84`.
    private static func withSpokenOperations(_ tokens: [StepToken]) -> [StepToken] {
        var result: [StepToken] = []
        var index = 0
        func token(_ index: Int) -> StepToken { index < tokens.count ? tokens[index] : .mark }
        while index < tokens.count {
            if case .word(let word) = tokens[index], let before = result.last, before.endsValue {
                if let sign = spoken[word], startsValue(token(index + 1)) {
                    result.append(.operation(sign))
                    index += 1
                    continue
                }
                if let sign = spokenWithBy[word], token(index + 1) == .word("by"), startsValue(token(index + 2)) {
                    result.append(.operation(sign))
                    index += 2
                    continue
                }
                if word == "equals", startsValue(token(index + 1)) {
                    result.append(.equals)
                    index += 1
                    continue
                }
            }
            result.append(tokens[index])
            index += 1
        }
        return result
    }

    /// Tells times from the letter x, and letters that stand for numbers from words.
    private static func resolved(_ tokens: [StepToken]) -> [StepToken] {
        var tokens = tokens
        for index in tokens.indices {
            guard case .word(let word) = tokens[index], word.count == 1, word != "&" else { continue }
            let before: StepToken = index > 0 ? tokens[index - 1] : .mark
            let after: StepToken = index + 1 < tokens.count ? tokens[index + 1] : .mark
            if word == "x", startsValue(after) {
                tokens[index] = isTimes(tokens, index) ? .operation("*") : .variable(word)
            } else if !letterWords.contains(word) {
                tokens[index] = .variable(word)
            } else if word == "a", isOperator(before) || isOperator(after) {
                tokens[index] = .variable(word)
            }
        }
        return withoutInitials(tokens)
    }

    /// Whether an x comes after a value, or after a value and its unit (`200 ml/person x 30`).
    private static func isTimes(_ tokens: [StepToken], _ index: Int) -> Bool {
        var start = index - 1
        while start >= 0, index - start <= unitTokens {
            if case .word = tokens[start] {
            } else if tokens[start] != .operation("/") {
                break
            }
            start -= 1
        }
        return start >= 0 && tokens[start].endsValue
    }

    /// Keeps a letter for a number only where a sign, a number or a parenthesis stands beside it in the text, for some
    /// place; an initial (`team B`, `M&M`) is a word.
    private static func withoutInitials(_ tokens: [StepToken]) -> [StepToken] {
        func token(_ index: Int) -> StepToken { tokens.indices.contains(index) ? tokens[index] : .mark }
        func isSign(_ token: StepToken) -> Bool {
            switch token {
            case .number, .operation, .open, .close, .percent, .equals: true
            default: false
            }
        }
        var letters: Set<String> = []
        for (index, current) in tokens.enumerated() {
            guard case .variable(let letter) = current else { continue }
            let sides = [token(index - 1), token(index + 1)]
            if sides.contains(where: isSign), !sides.contains(.word("&")) { letters.insert(letter) }
        }
        return tokens.map { token in
            if case .variable(let letter) = token, !letters.contains(letter) { return .word(letter) }
            return token
        }
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
