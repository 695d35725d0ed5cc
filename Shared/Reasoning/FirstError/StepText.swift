/// What a step's text says in numbers: its calculations, its numbers, its equations and its words.
struct StepText {
    /// The most words between a number and the operator that follows: the number's unit.
    private static let unitWords = 6

    /// The text's tokens.
    let tokens: [StepToken]
    /// The letters that stand for numbers.
    let variables: Set<String>
    /// The numbers in figures and in words; a percentage also as a fraction and what it leaves or adds.
    let numbers: [Rational]
    /// The calculations in the text, in order.
    let calculations: [StepExpression]
    /// The stems of the words that carry meaning.
    let words: Set<String>

    init(_ text: String) {
        tokens = StepTokens.tokens(text)
        var letters: Set<String> = []
        for case .variable(let letter) in tokens { letters.insert(letter) }
        variables = letters
        numbers = StepText.numbers(tokens)
        words = WordStems.stems(tokens)
        let found = StepText.calculations(StepText.withoutUnits(tokens))
        let isEquation = letters.count == 1 && !StepText.equations(tokens, letters, at: StepText.probe).isEmpty
        calculations = letters.isEmpty ? found : isEquation ? [] : found.filter { $0.claim != nil }
    }

    /// A value that solves no equation by chance.
    private static let probe = Rational(7, over: 3) ?? Rational(7)

    /// Whether the text's equations in one unknown hold for one of the values; nil where it has none.
    func isSolved(byOneOf values: Set<Rational>) -> Bool? {
        guard variables.count == 1, !StepText.equations(tokens, variables, at: StepText.probe).isEmpty else {
            return nil
        }
        return values.contains { value in StepText.equations(tokens, variables, at: value).allSatisfy { $0 } }
    }

    /// Whether each equation in one unknown holds at a value.
    private static func equations(_ tokens: [StepToken], _ letters: Set<String>, at value: Rational) -> [Bool] {
        var held: [Bool] = []
        for run in runs(tokens) where run.contains(.equals) {
            var hasLetter = false
            var filled: [StepToken] = []
            for token in run {
                guard case .variable(let letter) = token, letters.contains(letter) else {
                    filled.append(token)
                    continue
                }
                if filled.last?.endsValue == true { filled.append(.operation("*")) }
                filled.append(.number(value))
                hasLetter = true
            }
            guard hasLetter else { continue }
            let sides = filled.split(separator: .equals).map { StepExpression($0)?.value }
            for (left, right) in zip(sides, sides.dropFirst()) {
                if let left, let right { held.append(left == right) }
            }
        }
        return held
    }

    /// The longest stretches of tokens that belong to expressions.
    private static func runs(_ tokens: [StepToken]) -> [ArraySlice<StepToken>] {
        tokens.split { !$0.isExpression }
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

    private static func calculations(_ tokens: [StepToken]) -> [StepExpression] {
        var found: [StepExpression] = []
        for run in runs(tokens) {
            let parts = run.split(separator: .equals, omittingEmptySubsequences: false)
            let sides = parts.enumerated().map { expression($0.element, isFirst: $0.offset == 0) }
            for (index, side) in sides.enumerated() {
                guard var side, let sign = side.operations.first?.sign else { continue }
                side.claim = sides[(index + 1)...].lazy.compactMap { $0?.value }.first
                // A fraction or a range that nothing is claimed for.
                if side.claim == nil, side.operations.count == 1, sign == "/" || sign == "-" { continue }
                found.append(side)
            }
        }
        return found
    }

    /// What can be read: from anywhere to the end, or for a claimed value from the start to anywhere.
    private static func expression(_ part: ArraySlice<StepToken>, isFirst: Bool) -> StepExpression? {
        let bounded = part.prefix(60)
        if let whole = StepExpression(bounded) { return whole }
        for cut in bounded.indices.dropFirst() {
            let rest = isFirst ? bounded[cut...] : bounded[..<(bounded.startIndex + bounded.endIndex - cut)]
            if let expression = StepExpression(rest) { return expression }
        }
        return nil
    }

    private static func numbers(_ tokens: [StepToken]) -> [Rational] {
        var numbers: [Rational] = []
        for (index, token) in tokens.enumerated() {
            switch token {
            case .word(let word): NumberWords.value(of: word).map { numbers.append($0) }
            case .number(let number):
                numbers.append(number)
                let next = index + 1 < tokens.count ? tokens[index + 1] : .mark
                if next == .percent || next == .word("percent"), let part = number.divided(by: Rational(100)) {
                    numbers.append(part)
                    Rational(1).subtracting(part).map { numbers.append($0) }
                    Rational(1).adding(part).map { numbers.append($0) }
                }
                if next == .operation("/"), index + 2 < tokens.count, case .number(let below) = tokens[index + 2] {
                    number.divided(by: below).map { numbers.append($0) }
                }
            default: continue
            }
        }
        return numbers
    }
}
