/// What an answer is, as far as its spelling tells.
indirect enum AnswerForm: Sendable {
    case scalar(ScalarAnswer)
    /// Words, in their normal form.
    case text(String)
    case sequence(SequenceAnswer)
    /// `x = 5`, `f(2) = 5`: a name and what it is.
    case assignment(String, AnswerForm)
    case equation(Expression, Expression)
    case inequality(InequalityAnswer)
    case realSet(RealSet)
    case matrix(MatrixAnswer)
    /// `7:32`; two parts that could be a time of day are one.
    case ratio([Expression])
    case time(String)
}

/// A number or an expression, with what stands beside it.
struct ScalarAnswer: Sendable {
    var expression: Expression
    var isPercent = false
    var unit = AnswerUnit()
    /// Whether it was told in several units, as `3 hours 20 minutes`: without its unit it is no number.
    var isCompound = false

    /// Whether it is an angle in radians: a multiple of \u{3C0} without a unit, or with theirs.
    var isRadians: Bool {
        if unit.powers == ["radian": 1], unit.words.isEmpty { return true }
        return unit.isEmpty && expression.isConstant && expression.contains { $0 == .constant(.pi) }
    }
}

/// Several answers, or a tuple.
struct SequenceAnswer: Sendable {
    var open: Bracket
    var close: Bracket
    var members: [AnswerForm]
    /// Solutions of which none is the first: `x = 1 or x = 2`, `\pm 3`.
    var isUnordered = false

    /// Whether the brackets say that the members' order counts, or what ends are in an interval.
    var isTuple: Bool { open == .round || open == .square || open == .angle || close == .round || close == .square }
}

/// `a < b`, with any expressions; a chain of two that is no interval.
struct InequalityAnswer: Sendable {
    var sides: [Expression]
    var signs: [RelationSign]
}

/// A matrix by rows, all of one length.
struct MatrixAnswer: Sendable {
    var rows: [[Expression]]

    var isVector: Bool { rows.count == 1 || rows.first?.count == 1 }
    var entries: [Expression] { rows.flatMap { $0 } }

    /// Nil where sizes differ.
    func adding(_ other: MatrixAnswer, isMinus: Bool) -> MatrixAnswer? {
        guard rows.count == other.rows.count, rows.first?.count == other.rows.first?.count else { return nil }
        return MatrixAnswer(
            rows: zip(rows, other.rows).map { zip($0, $1).map { .sum([$0, isMinus ? .negative($1) : $1]) } }
        )
    }

    /// Nil where sizes do not fit, or are above 6.
    func multiplied(by other: MatrixAnswer) -> MatrixAnswer? {
        guard let inner = rows.first?.count, inner == other.rows.count, inner <= 6, rows.count <= 6,
            let columns = other.rows.first?.count, columns <= 6
        else { return nil }
        return MatrixAnswer(
            rows: rows.map { row in
                (0..<columns).map { column in .sum((0..<inner).map { .product([row[$0], other.rows[$0][column]]) }) }
            }
        )
    }

    func scaled(by factor: Expression) -> MatrixAnswer {
        MatrixAnswer(rows: rows.map { $0.map { .product([factor, $0]) } })
    }
}
