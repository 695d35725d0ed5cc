import Reasoning

/// What a step's text says in numbers: its calculations, its equations, its numbers and its words.
struct StepText {
    /// The most calculations and statements about unknowns of a step that are read.
    private static let maximumCalculations = 60

    /// One side of an equation, or an expression on its own, that has an unknown in it.
    struct UnknownSide {
        var tree: ExpressionTree
        /// The other sides of the same equation.
        var others: [ExpressionTree]
    }

    /// The text's tokens.
    let tokens: [StepToken]
    /// The letters that stand for numbers.
    let unknowns: Set<String>
    /// The numbers in figures and in words; a percentage also as a fraction and what it leaves or adds.
    let numbers: [Rational]
    /// The calculations in the text, in order.
    let calculations: [StepExpression]
    /// What the text says of its unknowns, in order.
    let unknownSides: [UnknownSide]
    /// The stems of the words that carry meaning.
    let words: Set<String>

    /// The whole numbers above one that stand alone, not in a fraction, a ratio, a percentage or a power.
    var loneNumbers: [Rational] {
        tokens.indices.compactMap { index in
            guard let number = tokens[index].value, number.isWhole, Rational(1) < number else { return nil }
            let isPart =
                StepText.joinsNumbers(tokens, index - 1, index - 2)
                || StepText.joinsNumbers(tokens, index + 1, index + 2)
            return isPart ? nil : number
        }
    }

    /// Whether the token at a place makes one number of its neighbours: a sign, or a mark with a number behind it.
    private static func joinsNumbers(_ tokens: [StepToken], _ place: Int, _ beyond: Int) -> Bool {
        guard tokens.indices.contains(place) else { return false }
        switch tokens[place] {
        case .operation, .percent, .power: return true
        case .mark:
            guard tokens.indices.contains(beyond), case .number = tokens[beyond] else { return false }
            return true
        default: return false
        }
    }

    /// Whether it has a percent sign.
    var hasPercent: Bool { tokens.contains(.percent) }

    init(_ text: String) {
        tokens = StepTokens.tokens(text)
        var letters: Set<String> = []
        for case .variable(let letter) in tokens { letters.insert(letter) }
        unknowns = letters
        numbers = StepText.numbers(tokens)
        words = WordStems.stems(tokens)
        var calculations: [StepExpression] = []
        var unknownSides: [UnknownSide] = []
        for run in StepPhrases.expressionRuns(tokens) {
            guard calculations.count + unknownSides.count < StepText.maximumCalculations else { break }
            let parts = run.split(
                separator: .equals,
                maxSplits: StepText.maximumCalculations,
                omittingEmptySubsequences: false
            )
            let sides = parts.enumerated().map { StepText.side($0.element, isFirst: $0.offset == 0) }
            for (index, side) in sides.enumerated() {
                guard let side else { continue }
                if side.hasUnknown {
                    let others = sides.enumerated().filter { $0.offset != index }.compactMap(\.element)
                    unknownSides.append(UnknownSide(tree: side, others: others))
                } else if let calculation = StepText.calculation(side, index, sides) {
                    calculations.append(calculation)
                }
            }
        }
        self.calculations = calculations
        self.unknownSides = unknownSides
    }

    /// The calculation that a side without unknowns is, where it is one of its own.
    private static func calculation(_ side: ExpressionTree, _ index: Int, _ sides: [ExpressionTree?]) -> StepExpression?
    {
        let claim = sides[(index + 1)...].lazy.compactMap { $0 }.filter { !$0.hasUnknown }.compactMap { $0.value() }
            .first
        guard let found = StepExpression(side, claim: claim) else { return nil }
        // A fraction or a range that nothing is claimed for.
        if claim == nil, found.operations.count == 1, let sign = found.operations.first?.sign,
            sign == "/" || sign == "-"
        {
            return nil
        }
        // A side with the value of the one before it is the same calculation, worked out further.
        if index > 0, !found.isMiscalculated, let before = sides[index - 1], before.value() == found.value {
            return nil
        }
        return found
    }

    /// The most tokens of a side that are read.
    private static let maximumSide = 100

    /// What can be read of a side: all of it, else the first side's end, or another side's start.
    private static func side(_ part: ArraySlice<StepToken>, isFirst: Bool) -> ExpressionTree? {
        let bounded = part.prefix(maximumSide)
        if let whole = ExpressionTree(bounded) { return whole }
        for cut in bounded.indices.dropFirst() {
            let rest = isFirst ? bounded[cut...] : bounded[..<(bounded.startIndex + bounded.endIndex - cut)]
            if let tree = ExpressionTree(rest) { return tree }
        }
        return nil
    }

    private static func numbers(_ tokens: [StepToken]) -> [Rational] {
        var numbers: [Rational] = []
        for (index, token) in tokens.enumerated() {
            guard let number = token.value else { continue }
            numbers.append(number)
            guard case .number = token else { continue }
            let next = index + 1 < tokens.count ? tokens[index + 1] : .mark
            if next == .percent || next == .word("percent"), let part = number.divided(by: Rational(100)) {
                numbers.append(part)
                Rational(1).subtracting(part).map { numbers.append($0) }
                Rational(1).adding(part).map { numbers.append($0) }
            }
            if next == .operation("/"), index + 2 < tokens.count, case .number(let below) = tokens[index + 2] {
                number.divided(by: below).map { numbers.append($0) }
            }
        }
        return numbers
    }
}
