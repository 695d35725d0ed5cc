extension AnswerComparison {
    // MARK: Equations

    mutating func assignments(
        _ name: String,
        _ gold: AnswerForm,
        _ other: String,
        _ predicted: AnswerForm,
        depth: Int
    ) -> GradingRule? {
        if areSameName(name, other, gold) { return rule(gold, predicted, depth: depth + 1) }
        return equations(.assignment(name, gold), .assignment(other, predicted))
    }

    /// `y` and `f(x)` are the same name where a function is told, and a phrase is no name to insist on.
    private func areSameName(_ name: String, _ other: String, _ value: AnswerForm) -> Bool {
        if name == other || Self.plain(name) == Self.plain(other) { return true }
        if Self.isPhrase(name) || Self.isPhrase(other) { return true }
        guard case .scalar(let scalar) = value, !scalar.expression.isConstant else { return false }
        let names = [name, other]
        return names.contains("y") && names.contains { $0.hasPrefix("f(") }
    }

    private static func plain(_ name: String) -> String { name.filter { !" {}\\".contains($0) } }

    /// Whether a name has a word of four letters and more in it, which no command is: `length`, but not `\alpha`.
    private static func isPhrase(_ name: String) -> Bool {
        var run = 0
        var isCommand = false
        for character in name {
            if character.isLowercase {
                run += 1
            } else {
                run = 0
                isCommand = character == "\\"
            }
            if run == 4, !isCommand { return true }
        }
        return false
    }

    /// Whether all values of two lists are told by the same names.
    static func haveSameNames(_ gold: SequenceAnswer, _ predicted: SequenceAnswer) -> Bool {
        func names(_ sequence: SequenceAnswer) -> Set<String> {
            Set(sequence.members.compactMap { if case .assignment(let name, _) = $0 { plain(name) } else { nil } })
        }
        return names(gold) == names(predicted)
    }

    /// Whether lists of as many names have the same value under each.
    mutating func areSameByName(_ gold: SequenceAnswer, _ predicted: SequenceAnswer, depth: Int) -> Bool {
        guard gold.members.count == predicted.members.count else { return false }
        return gold.members.allSatisfy { member in
            guard case .assignment(let name, let value) = member else { return false }
            return predicted.members.contains {
                guard case .assignment(let other, let predicted) = $0, Self.plain(name) == Self.plain(other) else {
                    return false
                }
                return rule(value, predicted, depth: depth + 1) != nil
            }
        }
    }

    /// Whether two equations hold for the same values: their differences are the same but for a constant factor.
    mutating func equations(_ gold: AnswerForm, _ predicted: AnswerForm) -> GradingRule? {
        guard let a = Self.difference(gold), let b = Self.difference(predicted) else { return nil }
        return values.factorSign(a, b) == nil ? nil : .equation
    }

    private static func difference(_ form: AnswerForm) -> Expression? {
        switch form {
        case .equation(let left, let right): return .difference(left, right)
        case .assignment(let name, .scalar(let scalar)):
            let letters = name.prefix { $0.isLetter }
            guard letters.count == 1, name.count == 1 || name.dropFirst().first == "_" else { return nil }
            return .difference(.symbol(name), scalar.expression)
        default: return nil
        }
    }

    // MARK: Inequalities

    mutating func inequalities(_ gold: InequalityAnswer, _ predicted: InequalityAnswer) -> GradingRule? {
        if areSame(gold, predicted) { return .inequality }
        let turned = InequalityAnswer(
            sides: predicted.sides.reversed(),
            signs: predicted.signs.reversed().map(\.flipped)
        )
        return areSame(gold, turned) ? .inequality : nil
    }

    private mutating func areSame(_ gold: InequalityAnswer, _ predicted: InequalityAnswer) -> Bool {
        guard gold.signs.count == predicted.signs.count else { return false }
        for index in gold.signs.indices {
            let a = Expression.difference(gold.sides[index], gold.sides[index + 1])
            let b = Expression.difference(predicted.sides[index], predicted.sides[index + 1])
            guard let sign = values.factorSign(a, b) else { return false }
            let expected = sign == .plus ? predicted.signs[index] : predicted.signs[index].flipped
            guard gold.signs[index] == expected else { return false }
        }
        return true
    }
}
