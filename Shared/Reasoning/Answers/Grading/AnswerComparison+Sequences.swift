extension AnswerComparison {
    // MARK: Lists, tuples and sets

    mutating func sequences(_ gold: SequenceAnswer, _ predicted: SequenceAnswer, depth: Int) -> GradingRule? {
        let isGoldTuple = gold.isTuple
        let isPredictedTuple = predicted.isTuple
        if isGoldTuple, isPredictedTuple {
            guard isSameBracket(gold.open, predicted.open), isSameBracket(gold.close, predicted.close) else {
                return nil
            }
            return inOrder(gold.members, predicted.members, depth: depth) ? .tuple : nil
        }
        if isGoldTuple || isPredictedTuple {
            // The brackets of a tuple, or of a program's list, left out.
            let tuple = isGoldTuple ? gold : predicted
            let other = isGoldTuple ? predicted : gold
            guard policy != .strict, other.open != .brace, tuple.open == tuple.close, !other.isUnordered else {
                return nil
            }
            return inOrder(gold.members, predicted.members, depth: depth) ? .tuple : nil
        }
        let isSet = gold.open == .brace && predicted.open == .brace
        let hasSet = gold.open == .brace || predicted.open == .brace
        if policy.listsAreOrdered, !hasSet, !gold.isUnordered, !predicted.isUnordered {
            return inOrder(gold.members, predicted.members, depth: depth) ? .list : nil
        }
        let hasNames = (gold: isLabelled(gold), predicted: isLabelled(predicted))
        // A set has no names.
        if hasNames.gold && predicted.open == .brace || hasNames.predicted && gold.open == .brace { return nil }
        if hasNames.gold, hasNames.predicted, Self.haveSameNames(gold, predicted) {
            return areSameByName(gold, predicted, depth: depth) ? .list : nil
        }
        if inOrder(gold.members, predicted.members, depth: depth) { return hasSet ? .set : .list }
        // Values of different names have their places: `x = 1, y = 2` is not `2, 1`.
        if hasNames.gold != hasNames.predicted { return nil }
        let collapses = hasSet || isSet || gold.isUnordered || predicted.isUnordered || holdsTuples(gold)
        guard gold.members.count == predicted.members.count || collapses else { return nil }
        return areSameSet(gold.members, predicted.members, depth: depth) ? (hasSet ? .set : .list) : nil
    }

    /// `⟨1, 2⟩` is written `(1, 2)`, too.
    private func isSameBracket(_ a: Bracket, _ b: Bracket) -> Bool {
        a == b || (a == .angle && b == .round) || (a == .round && b == .angle)
    }

    /// Whether its members are values of different names.
    func isLabelled(_ sequence: SequenceAnswer) -> Bool {
        var names: Set<String> = []
        for member in sequence.members {
            guard case .assignment(let name, _) = member else { return false }
            names.insert(name)
        }
        guard names.count > 1 else { return false }
        // x_1 and x_2 are solutions of one equation.
        let stems = Set(names.map { $0.prefix { $0 != "_" } })
        return !(stems.count == 1 && names.allSatisfy { $0.contains("_") })
    }

    private func holdsTuples(_ sequence: SequenceAnswer) -> Bool {
        sequence.members.allSatisfy {
            if case .sequence(let inner) = $0 { inner.isTuple } else { false }
        }
    }

    private mutating func inOrder(_ gold: [AnswerForm], _ predicted: [AnswerForm], depth: Int) -> Bool {
        guard gold.count == predicted.count else { return false }
        for (a, b) in zip(gold, predicted) {
            guard rule(a, b, depth: depth + 1) != nil else { return false }
        }
        return true
    }

    /// Whether each member of one is a member of the other.
    private mutating func areSameSet(_ gold: [AnswerForm], _ predicted: [AnswerForm], depth: Int) -> Bool {
        var unused = Array(predicted.indices)
        for member in gold {
            var found: Int?
            for (position, index) in unused.enumerated() where rule(member, predicted[index], depth: depth + 1) != nil {
                found = position
                break
            }
            if let found {
                unused.remove(at: found)
            } else {
                // A member that is there twice.
                guard gold.count != predicted.count,
                    predicted.contains(where: { rule(member, $0, depth: depth + 1) != nil })
                else { return false }
            }
        }
        for index in unused {
            guard gold.count != predicted.count,
                gold.contains(where: { rule($0, predicted[index], depth: depth + 1) != nil })
            else { return false }
        }
        return true
    }

    // MARK: Sets of the line

    mutating func realSets(_ gold: RealSet, _ predicted: RealSet) -> GradingRule? {
        if let a = gold.variable, let b = predicted.variable, a != b { return nil }
        guard gold.pieces.count == predicted.pieces.count else { return nil }
        for (a, b) in zip(gold.pieces, predicted.pieces) {
            guard ends(a.lower, b.lower), ends(a.upper, b.upper) else { return nil }
        }
        return .interval
    }

    private mutating func ends(_ gold: RealSet.End, _ predicted: RealSet.End) -> Bool {
        guard gold.isClosed == predicted.isClosed else { return false }
        guard let a = gold.expression, let b = predicted.expression else {
            return gold.expression == nil && predicted.expression == nil && gold.value == predicted.value
        }
        return areEqual(a, b)
    }

    /// A set of the line against an interval in brackets, or numbers against the set of them.
    mutating func realSet(_ set: RealSet, _ other: AnswerForm) -> GradingRule? {
        if let points = set.points, case .sequence(let sequence) = other, !sequence.isTuple {
            let members = points.map { AnswerForm.scalar(ScalarAnswer(expression: $0)) }
            return areSameSet(members, sequence.members, depth: 1) ? .set : nil
        }
        return AnswerParser.realSet(other).flatMap { realSets(set, $0) }
    }

    // MARK: Matrices

    mutating func matrices(_ gold: MatrixAnswer, _ predicted: MatrixAnswer) -> GradingRule? {
        guard gold.rows.count == predicted.rows.count, gold.rows.first?.count == predicted.rows.first?.count else {
            return nil
        }
        for (a, b) in zip(gold.entries, predicted.entries) {
            guard areEqual(a, b) else { return nil }
        }
        return .matrix
    }

    /// A row or a column against a tuple, and a matrix against a list of its rows.
    mutating func vector(_ matrix: MatrixAnswer, _ sequence: SequenceAnswer) -> GradingRule? {
        guard policy != .strict, sequence.isTuple, sequence.open == sequence.close || sequence.open == .round else {
            return nil
        }
        var entries: [Expression] = []
        for (index, member) in sequence.members.enumerated() {
            switch member {
            case .scalar(let scalar): entries.append(scalar.expression)
            case .sequence(let row):
                guard index < matrix.rows.count, row.members.count == matrix.rows[index].count,
                    sequence.members.count == matrix.rows.count
                else { return nil }
                for case .scalar(let scalar) in row.members { entries.append(scalar.expression) }
            default: return nil
            }
        }
        let hasRows = sequence.members.contains { if case .sequence = $0 { true } else { false } }
        guard hasRows || matrix.isVector, entries.count == matrix.entries.count else { return nil }
        for (a, b) in zip(matrix.entries, entries) {
            guard areEqual(a, b) else { return nil }
        }
        return .matrix
    }
}
