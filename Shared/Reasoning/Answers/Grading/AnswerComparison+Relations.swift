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

    private static func isPhrase(_ name: String) -> Bool {
        var run = 0
        for character in name {
            run = character.isLowercase ? run + 1 : 0
            if run == 4 { return true }
        }
        return false
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
