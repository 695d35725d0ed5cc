extension ExpressionParser {
    /// The most rows of a determinant that is computed.
    private static let maximumRows = 4

    func isBegin(_ kind: MathToken.Kind) -> Bool { if case .begin = kind { true } else { false } }

    /// The determinant of the environment that begins here.
    mutating func determinant() -> Expression? {
        guard case .begin(let name)? = next,
            let close = (position..<end).first(where: { tokens[$0].kind == .end(name) }),
            let matrix = MatrixReader(parser: AnswerParser(tokens: tokens), isMinus: plusMinusIsMinus)
                .rows(inside: position..<close + 1, of: name),
            matrix.rows.count == matrix.rows[0].count, matrix.rows.count <= Self.maximumRows
        else { return nil }
        position = close + 1
        return Self.determinant(of: matrix.rows)
    }

    /// By the first row.
    private static func determinant(of rows: [[Expression]]) -> Expression {
        guard rows.count > 1 else { return rows[0][0] }
        return .sum(
            rows[0].indices.map { column in
                let minor = rows.dropFirst().map { row in row.indices.filter { $0 != column }.map { row[$0] } }
                let term = Expression.product([rows[0][column], determinant(of: minor)])
                return column % 2 == 0 ? term : .negative(term)
            }
        )
    }
}
