/// Compares the forms of two answers under a policy.
struct AnswerComparison {
    let policy: GradingPolicy
    var values = ValueComparison()
    /// Comparisons of members that are left; a list of 64 takes 4,096 at most.
    var steps = 10_000

    init(_ policy: GradingPolicy) { self.policy = policy }

    /// The rule by which they are the same; nil where they are not.
    mutating func rule(_ gold: AnswerForm, _ predicted: AnswerForm, depth: Int = 0) -> GradingRule? {
        steps -= 1
        guard steps > 0, depth <= AnswerParser.maximumDepth else { return nil }
        switch (gold, predicted) {
        case (.scalar(let a), .scalar(let b)): return scalars(a, b)
        case (.text(let a), .text(let b)): return a == b ? .text : nil
        case (.assignment(let name, let a), .assignment(let other, let b)):
            return assignments(name, a, other, b, depth: depth)
        case (.assignment, .equation), (.equation, .assignment), (.equation, .equation):
            return equations(gold, predicted)
        case (.assignment, .sequence(let other)) where isLabelled(other): return nil
        case (.sequence(let other), .assignment) where isLabelled(other): return nil
        case (.assignment(_, let a), _): return rule(a, predicted, depth: depth + 1)
        case (_, .assignment(_, let b)): return rule(gold, b, depth: depth + 1)
        case (.sequence(let a), .sequence(let b)): return sequences(a, b, depth: depth)
        case (.realSet(let a), .realSet(let b)): return realSets(a, b)
        case (.realSet(let set), _): return realSet(set, predicted)
        case (_, .realSet(let set)): return realSet(set, gold)
        case (.matrix(let a), .matrix(let b)): return matrices(a, b)
        case (.matrix(let matrix), .sequence(let sequence)), (.sequence(let sequence), .matrix(let matrix)):
            return vector(matrix, sequence)
        case (.inequality(let a), .inequality(let b)): return inequalities(a, b)
        case (.ratio(let a), .ratio(let b)): return ratios(a, b)
        case (.ratio(let parts), .scalar(let scalar)), (.scalar(let scalar), .ratio(let parts)):
            guard parts.count == 2, scalar.unit.isEmpty, policy != .strict else { return nil }
            return values.areEqual(.quotient(parts[0], parts[1]), scalar.expression) ? .ratio : nil
        case (.time(let a), .time(let b)): return times(a, b)
        case (.time(let time), .ratio(let parts)), (.ratio(let parts), .time(let time)):
            return Self.parts(of: time).flatMap { ratios($0, parts) }
        case (.time(let time), .scalar(let scalar)), (.scalar(let scalar), .time(let time)):
            return isFraction(scalar.expression, of: time) ? .ratio : nil
        case (.sequence(let sequence), _): return only(sequence, predicted, depth: depth)
        case (_, .sequence(let sequence)): return only(sequence, gold, depth: depth)
        default: return nil
        }
    }

    /// A set of one number against the number; and `3/4 or 0.75` against either.
    private mutating func only(_ sequence: SequenceAnswer, _ other: AnswerForm, depth: Int) -> GradingRule? {
        guard policy != .strict, !sequence.isTuple,
            sequence.open == .brace && sequence.members.count == 1 || sequence.isUnordered
        else { return nil }
        var found: GradingRule?
        for member in sequence.members {
            guard let rule = rule(member, other, depth: depth + 1) else { return nil }
            found = found ?? rule
        }
        return found
    }

    // MARK: Numbers and expressions

    private mutating func scalars(_ gold: ScalarAnswer, _ predicted: ScalarAnswer) -> GradingRule? {
        if policy != .strict {
            if let other = Self.withTightUnit(predicted, of: gold.unit) { return scalars(gold, other) }
            if let other = Self.withTightUnit(gold, of: predicted.unit) { return scalars(other, predicted) }
        }
        if let isSame = converted(gold, predicted) { return isSame ? .number : nil }
        guard gold.unit.isCompatible(with: predicted.unit), !gold.isCompound || !predicted.unit.isEmpty,
            !predicted.isCompound || !gold.unit.isEmpty,
            gold.isPercent == predicted.isPercent || (gold.isPercent ? predicted : gold).unit.isEmpty
        else { return nil }
        let a = gold.expression
        let b = predicted.expression
        // `3-2` and `2-1` are ranges or scores before they are differences.
        if Self.isRange(a), Self.isRange(b) { return a == b ? .expression : nil }
        if policy.requiresSimplification, let first = a.isSimplified, let second = b.isSimplified, !(first && second) {
            return a == b ? .expression : nil
        }
        let isNumber = a.exact != nil && b.exact != nil
        if values.areEqual(a, b) { return isNumber ? .number : .expression }
        guard policy != .strict else { return nil }
        if let rule = percentages(gold, predicted) { return rule }
        if policy.allowsRounding, values.isRounding(a, b) { return .rounding }
        if let tolerance = policy.relativeTolerance, values.areClose(a, b, relative: tolerance) { return .rounding }
        return nil
    }

    /// `3m` and `12m^2` beside an answer in metres: a number and its unit rather than a product; nil for anything else.
    private static func withTightUnit(_ answer: ScalarAnswer, of unit: AnswerUnit) -> ScalarAnswer? {
        guard answer.unit.isEmpty, unit.powers.count == 1, case .product(let parts) = answer.expression,
            parts.count == 2,
            parts[0].exact != nil
        else { return nil }
        var letter = parts[1]
        var power = 1
        if case .power(let base, let exponent) = letter, let value = exponent.exact?.int {
            letter = base
            power = value
        }
        guard case .symbol(let name) = letter, AnswerUnit.letters.contains(name) else { return nil }
        var own = AnswerUnit()
        own.add(name, power: power)
        return own.powers == unit.powers || own.factor(to: unit) != nil
            ? ScalarAnswer(expression: parts[0], unit: own) : nil
    }

    /// Whether two answers in other units of one kind are the same: `1 km` and `1000 m`, `90\u{B0}` and `\u{3C0}/2`; nil where
    /// nothing is to be converted.
    private mutating func converted(_ gold: ScalarAnswer, _ predicted: ScalarAnswer) -> Bool? {
        guard policy != .strict, !gold.isPercent, !predicted.isPercent else { return nil }
        if gold.unit.isDegrees, predicted.isRadians {
            return values.areEqual(.function(.degrees, [gold.expression]), predicted.expression)
        }
        if predicted.unit.isDegrees, gold.isRadians {
            return values.areEqual(gold.expression, .function(.degrees, [predicted.expression]))
        }
        guard gold.unit.powers != predicted.unit.powers, let factor = predicted.unit.factor(to: gold.unit),
            factor != .one
        else { return nil }
        return values.areEqual(gold.expression, .product([predicted.expression, .number(factor)]))
    }

    /// One whole number less another.
    private static func isRange(_ expression: Expression) -> Bool {
        guard case .sum(let parts) = expression, parts.count == 2, case .number = parts[0],
            case .negative(.number) = parts[1]
        else { return false }
        return true
    }

    private mutating func percentages(_ gold: ScalarAnswer, _ predicted: ScalarAnswer) -> GradingRule? {
        let hundred = Expression.number(ExactNumber(100))
        let smaller = Expression.quotient(gold.expression, hundred)
        let larger = Expression.product([gold.expression, hundred])
        if policy == .qwen {
            for scaled in [smaller, larger] where gold.expression.isConstant {
                if values.areEqual(scaled, predicted.expression) { return .percent }
                if let tolerance = policy.relativeTolerance,
                    values.areClose(scaled, predicted.expression, relative: tolerance)
                {
                    return .percent
                }
            }
            return nil
        }
        guard gold.isPercent != predicted.isPercent else { return nil }
        return values.areEqual(gold.isPercent ? smaller : larger, predicted.expression) ? .percent : nil
    }

    /// Whether two numbers inside of something larger are the same under the policy.
    mutating func areEqual(_ gold: Expression, _ predicted: Expression) -> Bool {
        scalars(ScalarAnswer(expression: gold), ScalarAnswer(expression: predicted)) != nil
    }

    // MARK: Ratios and times

    private mutating func ratios(_ gold: [Expression], _ predicted: [Expression]) -> GradingRule? {
        guard gold.count == predicted.count else { return nil }
        for index in 1..<gold.count {
            let left = Expression.product([gold[0], predicted[index]])
            let right = Expression.product([gold[index], predicted[0]])
            guard values.areEqual(left, right), !values.areEqual(gold[0], .number(.zero)) else { return nil }
        }
        return .ratio
    }

    /// The parts of what could be a time, as a ratio.
    private static func parts(of time: String) -> [Expression]? {
        let parts = time.split(separator: ":").map { Int($0).map { Expression.number(ExactNumber($0)) } }
        // Of `7:05` only the time is meant.
        guard !time.split(separator: ":").dropFirst().contains(where: { $0.utf8.count == 1 }) else { return nil }
        return parts.contains(nil) ? nil : parts.compactMap { $0 }
    }

    private func times(_ gold: String, _ predicted: String) -> GradingRule? {
        if gold == predicted { return .time }
        // `3:30` and `3:30 pm`; `3:30 am` is another time.
        let suffixes = ["am", "pm"]
        guard let longer = [gold, predicted].first(where: { time in suffixes.contains { time.hasSuffix($0) } }) else {
            return nil
        }
        let shorter = longer == gold ? predicted : gold
        return String(longer.dropLast(2)) == shorter ? .time : nil
    }

    /// `7:32` may be a ratio, of which 7/32 is the value.
    private func isFraction(_ expression: Expression, of time: String) -> Bool {
        guard case .quotient(.number(let top), .number(let bottom)) = expression else { return false }
        let parts = time.split(separator: ":").compactMap { Int($0) }
        return parts.count == 2 && top.int == parts[0] && bottom.int == parts[1] && parts[1] >= 10
    }
}
