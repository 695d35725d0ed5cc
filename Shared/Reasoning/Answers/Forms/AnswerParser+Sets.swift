/// The names of LaTeX environments that hold rows; a determinant is no matrix.
enum MatrixEnvironments {
    static let determinant = "vmatrix"
    static let matrices: Set<String> = [
        "matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "psmallmatrix", "bsmallmatrix",
    ]
    static let arrays: Set<String> = ["array"]
}

extension AnswerParser {
    /// Sets joined by `∪`, `∩` and `∖`; a sequence, a matrix or an expression.
    func set(_ range: Range<Int>, isMinus: Bool, depth: Int) -> AnswerForm? {
        guard !range.isEmpty, depth <= Self.maximumDepth else { return nil }
        var terms: [Range<Int>] = []
        var signs: [MathToken.Kind] = []
        var level = 0
        var start = range.lowerBound
        for index in range {
            switch tokens[index].kind {
            case .open, .begin: level += 1
            case .close, .end: level -= 1
            case .union where level == 0, .intersection where level == 0, .without where level == 0:
                terms.append(start..<index)
                signs.append(tokens[index].kind)
                start = index + 1
            case .letters("U") where level == 0 && isBetweenBrackets(index, range):
                terms.append(start..<index)
                signs.append(.union)
                start = index + 1
            default: break
            }
        }
        terms.append(start..<range.upperBound)
        if terms.count == 1 { return term(range, isMinus: isMinus, depth: depth) }
        guard terms.count <= RealSet.maximumPieces, var result = realSet(terms[0], isMinus: isMinus, depth: depth)
        else {
            return nil
        }
        for (sign, range) in zip(signs, terms.dropFirst()) {
            guard let next = realSet(range, isMinus: isMinus, depth: depth) else { return nil }
            let combined: RealSet? =
                switch sign {
                case .union: result.union(next)
                case .intersection: result.intersection(next)
                default: next.complement.flatMap { result.intersection($0) }
                }
            guard let combined else { return nil }
            result = combined
        }
        return .realSet(result)
    }

    /// `(1,2) U (3,4)`.
    private func isBetweenBrackets(_ index: Int, _ range: Range<Int>) -> Bool {
        guard index > range.lowerBound, index + 1 < range.upperBound else { return false }
        guard case .close = tokens[index - 1].kind, case .open = tokens[index + 1].kind else { return false }
        return true
    }

    private func realSet(_ range: Range<Int>, isMinus: Bool, depth: Int) -> RealSet? {
        term(range, isMinus: isMinus, depth: depth).flatMap(Self.realSet)
    }

    /// An interval or a set of numbers as a set of the line; nil where it is neither.
    static func realSet(_ form: AnswerForm) -> RealSet? {
        switch form {
        case .realSet(let set): return set
        case .sequence(let sequence):
            if sequence.open == .brace, sequence.close == .brace || sequence.open == .none {
                return points(sequence.members)
            }
            if sequence.open == .none || sequence.open == .group { return points(sequence.members) }
            return interval(sequence)
        default: return nil
        }
    }

    static func points(_ members: [AnswerForm]) -> RealSet? {
        var result = RealSet.empty
        for member in members {
            guard case .scalar(let scalar) = member, let point = RealSet(point: scalar.expression),
                let next = result.union(point)
            else { return nil }
            result = next
        }
        return result
    }

    static func interval(_ sequence: SequenceAnswer) -> RealSet? {
        guard sequence.members.count == 2, sequence.open == .round || sequence.open == .square,
            sequence.close == .round || sequence.close == .square, case .scalar(let a) = sequence.members[0],
            case .scalar(let b) = sequence.members[1],
            let lower = RealSet.end(a.expression, isClosed: sequence.open == .square),
            let upper = RealSet.end(b.expression, isClosed: sequence.close == .square)
        else { return nil }
        return RealSet(from: lower, to: upper)
    }

    // MARK: Terms

    private func term(_ range: Range<Int>, isMinus: Bool, depth: Int) -> AnswerForm? {
        guard let first = range.first else { return nil }
        switch tokens[first].kind {
        case .reals where range.count == 1: return .realSet(.all)
        case .emptySet where range.count == 1: return .realSet(.empty)
        case .symbol("mathbbR") where range.count == 1: return .realSet(.all)
        case .reals where range.count <= 6: if let half = halfOfReals(range.dropFirst()) { return .realSet(half) }
        default: break
        }
        if let sequence = sequence(range, isMinus: isMinus, depth: depth) { return sequence }
        if tokens[range].contains(where: { if case .begin = $0.kind { true } else { false } }) {
            // What is no matrix may be a determinant.
            return MatrixReader(parser: self, isMinus: isMinus).read(range).map { .matrix($0) }
                ?? scalar(range, isMinus: isMinus)
        }
        return scalar(range, isMinus: isMinus)
    }

    /// `\mathbb{R}^+`, `\mathbb{R}_{\ge 0}`; of a lowered plus tastes differ on whether 0 is in it.
    private func halfOfReals(_ suffix: Range<Int>) -> RealSet? {
        let signs = suffix.map { tokens[$0].kind }.filter { $0 != .open(.group) && $0 != .close(.group) }
        let zero = Expression.number(.zero)
        func half(_ isAbove: Bool, _ isClosed: Bool) -> RealSet? {
            RealSet.end(zero, isClosed: isClosed).flatMap {
                isAbove
                    ? RealSet(from: $0, to: RealSet.infinite(.infinity))
                    : RealSet(from: RealSet.infinite(-.infinity), to: $0)
            }
        }
        switch signs.count {
        case 2 where signs[0] == .caret && signs[1] == .plus: return half(true, false)
        case 2 where signs[0] == .caret && signs[1] == .minus: return half(false, false)
        case 3:
            guard signs[0] == .underscore, case .relation(let sign) = signs[1], case .number(let text) = signs[2],
                text.value?.isZero == true
            else { return nil }
            switch sign {
            case .greater: return half(true, false)
            case .greaterOrEqual: return half(true, true)
            case .less: return half(false, false)
            case .lessOrEqual: return half(false, true)
            case .equal, .notEqual, .approximately: return nil
            }
        default: return nil
        }
    }

    /// `(a, b)`, `[a, b)`, `\{a, b\}`: all of the range in one pair of brackets, with a separator inside.
    private func sequence(_ range: Range<Int>, isMinus: Bool, depth: Int) -> AnswerForm? {
        guard range.count >= 2, case .open(let open) = tokens[range.lowerBound].kind,
            tokens.closing(range) == range.upperBound - 1,
            case .close(let close) = tokens[range.upperBound - 1].kind
        else { return nil }
        let inner = range.lowerBound + 1..<range.upperBound - 1
        if inner.isEmpty { return open == .brace || open == .group ? .realSet(.empty) : nil }
        if open == .brace || open == .group, let condition = condition(inner, depth: depth) { return condition }
        let (parts, separators) = split(inner)
        let isSet = open == .brace && close == .brace
        if parts.count == 1, !isSet {
            // A pair of brackets around something: `((1, 2))`, `{(1, 2)}`.
            guard open == close, open == .round || open == .group || open == .square else { return nil }
            if let nested = sequence(inner, isMinus: isMinus, depth: depth + 1) {
                guard open == .square, case .sequence = nested else { return nested }
                return .sequence(SequenceAnswer(open: open, close: close, members: [nested]))
            }
            if open == .group { return answer(inner, depth: depth + 1) }
            if open == .round, case .begin = tokens[inner.lowerBound].kind {
                return set(inner, isMinus: isMinus, depth: depth + 1)
            }
            return nil
        }
        guard parts.count <= Self.maximumMembers else { return nil }
        var members: [AnswerForm] = []
        for part in parts {
            let member =
                open == .brace
                ? single(part, depth: depth + 1) : relation(part, isMinus: isMinus, depth: depth + 1)
            guard let member else { return nil }
            if open == .brace, case .sequence(let inner) = member, inner.open == .none, inner.isUnordered {
                members += inner.members
            } else {
                members.append(member)
            }
        }
        if separators.contains(.and) || separators.contains(.or), open != .brace, open != .group { return nil }
        let isPlainSet = bracesAreSets && open == .group && close == .group
        return .sequence(
            SequenceAnswer(open: isPlainSet ? .brace : open, close: isPlainSet ? .brace : close, members: members)
        )
    }

    /// `x \mid x > 3` between braces is `x > 3`.
    private func condition(_ inner: Range<Int>, depth: Int) -> AnswerForm? {
        var level = 0
        for index in inner {
            switch tokens[index].kind {
            case .open: level += 1
            case .close: level -= 1
            case .bar where level == 0, .colon where level == 0:
                guard index > inner.lowerBound, index + 1 < inner.upperBound else { return nil }
                let before = tokens[inner.lowerBound..<index]
                guard
                    before.allSatisfy({
                        switch $0.kind {
                        case .letters, .symbol, .element, .reals: true
                        default: false
                        }
                    })
                else { return nil }
                guard let form = answer(index + 1..<inner.upperBound, depth: depth + 1) else { return nil }
                switch form {
                case .realSet, .inequality: return form
                default: return nil
                }
            default: break
            }
        }
        return nil
    }
}
