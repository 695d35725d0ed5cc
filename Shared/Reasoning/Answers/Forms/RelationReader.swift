/// Reads equations, assignments and inequalities from their sides.
struct RelationReader {
    let parser: AnswerParser
    let isMinus: Bool
    let depth: Int

    /// Nil where a side is no mathematics.
    func read(_ sides: [Range<Int>], _ signs: [RelationSign]) -> AnswerForm? {
        guard sides.dropFirst().allSatisfy({ !$0.isEmpty }) else { return nil }
        if signs.contains(where: \.isOrder) { return inequality(sides, signs) }
        if signs == [.notEqual] { return exclusion(sides) }
        guard !signs.contains(.notEqual) else { return nil }
        return equality(sides, signs)
    }

    // MARK: Equations

    private func equality(_ sides: [Range<Int>], _ signs: [RelationSign]) -> AnswerForm? {
        // What is about equal is a rounding of what stands before it, or of a name.
        var sides = sides
        if let first = signs.firstIndex(of: .approximately), first > 0 || name(sides[0]) == nil {
            sides = Array(sides[...first])
        }
        if sides.count == 1 { return parser.set(sides[0], isMinus: isMinus, depth: depth) }
        guard let last = sides.last else { return nil }
        if sides[0].isEmpty { return parser.set(last, isMinus: isMinus, depth: depth + 1) }
        if let tuple = tuple(sides) { return tuple }
        if let name = name(sides[0]) {
            guard let value = parser.set(last, isMinus: isMinus, depth: depth + 1) else { return nil }
            // `x = y` is an equation of two names, and so is `5 = x` turned round.
            if sides.count == 2, let other = self.name(last), let a = expression(sides[0]), let b = expression(last) {
                return name == other ? nil : .equation(a, b)
            }
            return .assignment(name, value)
        }
        if sides.count == 2, let name = name(last), let value = expression(sides[0]), value.isConstant {
            return .assignment(name, .scalar(ScalarAnswer(expression: value)))
        }
        var expressions: [Expression] = []
        for side in sides {
            guard let expression = expression(side) else { return nil }
            expressions.append(expression)
        }
        if expressions.allSatisfy(\.isConstant) {
            // A calculation: its result, if it is right.
            var comparison = ValueComparison()
            guard let result = expressions.last,
                expressions.dropLast().allSatisfy({ comparison.areEqual($0, result) })
            else { return nil }
            return parser.scalar(last, isMinus: isMinus)
        }
        return expressions.count == 2 ? .equation(expressions[0], expressions[1]) : nil
    }

    /// `(x, y) = (1, 2)` is `x = 1, y = 2`.
    private func tuple(_ sides: [Range<Int>]) -> AnswerForm? {
        guard sides.count == 2, parser.tokens[sides[0].lowerBound].kind == .open(.round),
            parser.tokens[sides[0].upperBound - 1].kind == .close(.round)
        else { return nil }
        let inner = sides[0].lowerBound + 1..<sides[0].upperBound - 1
        let parts = parser.split(inner).parts
        guard parts.count > 1, let value = parser.set(sides[1], isMinus: isMinus, depth: depth + 1),
            case .sequence(let sequence) = value, sequence.members.count == parts.count
        else { return nil }
        var members: [AnswerForm] = []
        for (part, member) in zip(parts, sequence.members) {
            guard let name = name(part) else { return nil }
            members.append(.assignment(name, member))
        }
        return .sequence(SequenceAnswer(open: .round, close: .round, members: members))
    }

    private func expression(_ range: Range<Int>) -> Expression? {
        guard !range.isEmpty, case .scalar(let scalar)? = parser.scalar(range, isMinus: isMinus) else { return nil }
        return scalar.expression
    }

    /// The name that a side is, such as `x`, `a_{37}`, `f(2)`, `|AB|`, `\angle ABC`, `S_1 : S`, `the area`; nil for
    /// what is to be computed.
    func name(_ range: Range<Int>) -> String? {
        guard !range.isEmpty, range.count <= 24 else { return nil }
        var result = ""
        var hasLetters = false
        var level = 0
        var index = range.lowerBound
        var runs = 0
        while index < range.upperBound {
            let token = parser.tokens[index]
            switch token.kind {
            case .letters(let run):
                // `xy = 12` is an equation.
                if run.utf8.count > 1, run.utf8.count <= 3, !run.allSatisfy(\.isUppercase), range.count == 1,
                    !run.contains(where: { "aeiou".contains($0) })
                {
                    return nil
                }
                hasLetters = true
                let isIndex = index > range.lowerBound && parser.tokens[index - 1].kind == .underscore
                if level == 0, !isIndex, run.unicodeScalars.count == 1 { runs += 1 }
            case .word, .symbol, .accent, .function: hasLetters = true
            case .constant(let constant):
                guard constant != .infinity, level > 0 || range.count > 1 else { return nil }
            case .open: level += 1
            case .close: level -= 1
            case .underscore: break
            case .number, .plus, .minus, .comma, .times, .slash:
                guard level > 0 || index > range.lowerBound && parser.tokens[index - 1].kind == .underscore else {
                    return nil
                }
                // `(x + 1) = 3` is no name: an index or an argument is.
                if !hasLetters { return nil }
            case .prime, .bar, .colon, .degree: break
            case .caret:
                guard index + 1 < range.upperBound, parser.tokens[index + 1].kind == .degree else { return nil }
            case .currency: return nil
            default: return nil
            }
            switch token.kind {
            // Told from the words of a phrase by their backslash.
            case .symbol(let name) where name.utf8.count > 1: result += "\\" + name
            case .function(let name): result += "\\" + name.rawValue
            case .accent where isSegment(index): break
            default: result += MathText.of(token)
            }
            index += 1
        }
        // `ab = 5` and `x y = 5` are products.
        guard hasLetters, runs <= 1 || result.contains(":") || result.contains("|") else { return nil }
        if level == 0, range.count > 3, parser.tokens[range.lowerBound].kind == .open(.round) { return nil }
        return result
    }

    /// Whether a mark stands over two points, whose segment it names.
    private func isSegment(_ index: Int) -> Bool {
        parser.tokens.dropFirst(index + 1).prefix(2).contains {
            if case .letters(let run) = $0.kind { ExpressionParser.isSegment(run) } else { false }
        }
    }

    // MARK: Inequalities

    private func inequality(_ sides: [Range<Int>], _ signs: [RelationSign]) -> AnswerForm? {
        guard signs.count <= 2, signs.allSatisfy(\.isOrder) else { return nil }
        var expressions: [Expression] = []
        for side in sides {
            guard let expression = expression(side) else { return nil }
            expressions.append(expression)
        }
        var result: RealSet?
        for (index, sign) in signs.enumerated() {
            guard let half = Self.solved(expressions[index], sign, expressions[index + 1]) else {
                return .inequality(InequalityAnswer(sides: expressions, signs: signs))
            }
            guard let whole = result else {
                result = half
                continue
            }
            guard whole.variable == half.variable, let common = whole.intersection(half) else { return nil }
            result = common
        }
        return result.map { .realSet($0) }
    }

    /// `|x| < c` and `|x| > c`, as well as what ``halfLine(_:_:_:)`` knows, as a set; nil for anything else.
    private static func solved(_ left: Expression, _ sign: RelationSign, _ right: Expression) -> RealSet? {
        if case .function(.absolute, let inner) = right, left.isConstant, !inner[0].isConstant {
            return solved(right, sign.flipped, left)
        }
        guard case .function(.absolute, let arguments) = left, let inner = arguments.first, !inner.isConstant,
            right.isConstant
        else { return halfLine(left, sign, right) }
        guard let above = halfLine(inner, sign, right),
            let below = halfLine(inner, sign.flipped, ExpressionParser.negated(right))
        else { return nil }
        return sign == .less || sign == .lessOrEqual ? above.intersection(below) : above.union(below)
    }

    /// `x < c`, and what is linear in one variable, as a set; nil for anything else.
    private static func halfLine(_ left: Expression, _ sign: RelationSign, _ right: Expression) -> RealSet? {
        if case .symbol(let name) = left, right.isConstant { return halfLine(name, sign, right) }
        if case .symbol(let name) = right, left.isConstant { return halfLine(name, sign.flipped, left) }
        let difference = Expression.difference(left, right)
        let names = difference.symbols
        guard names.count == 1, let name = names.first, difference.isRational else { return nil }
        func value(_ point: Int) -> ExactNumber? {
            difference.replacing(name, with: .number(ExactNumber(point))).exact
        }
        guard let start = value(0), let slope = value(1)?.subtracting(start), !slope.isZero else { return nil }
        // Linear at two more points is linear, but for what nobody writes.
        for point in [7, -104_729] {
            guard let seen = value(point), let line = slope.multiplied(by: ExactNumber(point))?.adding(start),
                seen == line
            else { return nil }
        }
        guard let root = start.negated.divided(by: slope) else { return nil }
        return halfLine(name, slope.isNegative ? sign.flipped : sign, .number(root))
    }

    private static func halfLine(_ name: String, _ sign: RelationSign, _ bound: Expression) -> RealSet? {
        let isClosed = sign == .lessOrEqual || sign == .greaterOrEqual
        guard let end = RealSet.end(bound, isClosed: isClosed) else { return nil }
        let isBelow = sign == .less || sign == .lessOrEqual
        var set =
            isBelow
            ? RealSet(from: RealSet.infinite(-.infinity), to: end) : RealSet(from: end, to: RealSet.infinite(.infinity))
        set?.variable = name
        return set
    }

    /// `x \ne 3` is all but 3.
    private func exclusion(_ sides: [Range<Int>]) -> AnswerForm? {
        guard sides.count == 2, let left = expression(sides[0]), case .symbol(let name) = left,
            let right = expression(sides[1]), right.isConstant, var set = RealSet(point: right)?.complement
        else { return nil }
        set.variable = name
        return .realSet(set)
    }
}
