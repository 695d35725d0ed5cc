import Reasoning

/// Takes the expressions out of running text: the words that stand inside them, as units or remarks, go.
enum StepPhrases {
    /// The most words between a number and the operator that follows: the number's unit.
    private static let unitWords = 6
    /// The most tokens of a remark in parentheses.
    private static let remarkTokens = 10

    /// The longest stretches of tokens that belong to expressions and equations.
    static func expressionRuns(_ tokens: [StepToken]) -> [ArraySlice<StepToken>] {
        withoutUnits(withoutRemarks(tokens)).split { !$0.isExpression }
    }

    /// Drops parentheses without any number or unknown, and reads `1 1/2` as one number.
    private static func withoutRemarks(_ tokens: [StepToken]) -> [StepToken] {
        var result: [StepToken] = []
        var index = 0
        while index < tokens.count {
            if tokens[index] == .open {
                var end = index + 1
                while end < tokens.count, end - index <= remarkTokens, isRemark(tokens[end]) { end += 1 }
                if end < tokens.count, tokens[end] == .close, end > index + 1 {
                    index = end + 1
                    continue
                }
            }
            if index + 3 < tokens.count, case .number(let whole) = tokens[index],
                case .number(let above) = tokens[index + 1], tokens[index + 2] == .operation("/"),
                case .number(let below) = tokens[index + 3], whole.isWhole, Rational(0) < above, above < below,
                let mixed = above.divided(by: below)?.adding(whole)
            {
                result.append(.number(mixed))
                index += 4
                continue
            }
            result.append(tokens[index])
            index += 1
        }
        return result
    }

    private static func isRemark(_ token: StepToken) -> Bool {
        switch token {
        case .word, .mark, .operation: true
        default: false
        }
    }

    /// Drops the units inside expressions (`5 hours * 3`), and reads `20% of` and `1/4 of` as times.
    private static func withoutUnits(_ tokens: [StepToken]) -> [StepToken] {
        var result: [StepToken] = []
        var index = 0
        func isWord(_ index: Int) -> Bool {
            if index < tokens.count, case .word = tokens[index] { return true }
            return false
        }
        while index < tokens.count {
            let previous = result.last ?? .mark
            if isWord(index) {
                var end = index
                while isWord(end) { end += 1 }
                let next: StepToken = end < tokens.count ? tokens[end] : .mark
                let isPart =
                    previous == .percent || result.count > 1 && result[result.count - 2] == .operation("/")
                if tokens[index] == .word("of"), end == index + 1, isPart, previous.endsValue {
                    var startsValue = next == .open
                    if case .number = next { startsValue = true }
                    if startsValue {
                        result.append(.operation("*"))
                        index = end
                        continue
                    }
                }
                var continues = next == .equals || next == .close
                if case .operation = next { continues = true }
                if previous.endsValue, end - index <= unitWords, continues {
                    index = end
                    while index + 1 < tokens.count, tokens[index] == .operation("/"), isWord(index + 1) { index += 2 }
                } else {
                    result += tokens[index..<end]
                    index = end
                }
            } else if tokens[index] == .operation("/"), isWord(index + 1), case .number = previous {
                index += 2
            } else {
                result.append(tokens[index])
                index += 1
            }
        }
        return result
    }
}
