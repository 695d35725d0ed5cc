/// Reads sums and products of matrices.
struct MatrixReader {
    static let maximumSize = 32

    let parser: AnswerParser
    let isMinus: Bool

    /// Nil where it is anything else.
    func read(_ range: Range<Int>) -> MatrixAnswer? {
        var total: MatrixAnswer?
        var index = range.lowerBound
        while index < range.upperBound {
            var sign = false
            if case .plus = parser.tokens[index].kind, total != nil {
                index += 1
            } else if case .minus = parser.tokens[index].kind {
                sign = true
                index += 1
            } else if total != nil {
                return nil
            }
            guard let product = product(&index, range.upperBound) else { return nil }
            guard let sum = total else {
                total = sign ? product.scaled(by: .number(ExactNumber(-1))) : product
                continue
            }
            guard let next = sum.adding(product, isMinus: sign) else { return nil }
            total = next
        }
        return total
    }

    /// Factors and matrices side by side.
    private func product(_ index: inout Int, _ end: Int) -> MatrixAnswer? {
        var result: MatrixAnswer?
        var factor: Expression?
        while index < end {
            switch parser.tokens[index].kind {
            case .plus, .minus:
                guard result != nil else { return nil }
                return scaled(result, factor)
            case .times: index += 1
            case .begin, .open(.round), .open(.square), .bar:
                guard let matrix = bracketed(&index, end) else { return nil }
                guard let left = result else {
                    result = matrix
                    continue
                }
                guard let next = left.multiplied(by: matrix) else { return nil }
                result = next
            default:
                guard result == nil, factor == nil else { return nil }
                var reader = ExpressionParser(
                    parser.tokens,
                    range: index..<matrixStart(from: index, end),
                    plusMinusIsMinus: isMinus
                )
                guard let expression = reader.sum(), reader.isAtEnd || reader.next == .times else { return nil }
                factor = expression
                index = reader.position
            }
        }
        return scaled(result, factor)
    }

    private func scaled(_ matrix: MatrixAnswer?, _ factor: Expression?) -> MatrixAnswer? {
        factor.map { factor in matrix.map { $0.scaled(by: factor) } } ?? matrix
    }

    private func matrixStart(from index: Int, _ end: Int) -> Int {
        (index..<end).first { if case .begin = parser.tokens[$0].kind { true } else { false } } ?? end
    }

    /// One environment, with or without brackets around it.
    private func bracketed(_ index: inout Int, _ end: Int) -> MatrixAnswer? {
        var brackets = 0
        while index < end {
            switch parser.tokens[index].kind {
            case .open(.round), .open(.square):
                brackets += 1
                index += 1
                continue
            default: break
            }
            break
        }
        guard index < end, case .begin(let name) = parser.tokens[index].kind,
            MatrixEnvironments.matrices.contains(name) || MatrixEnvironments.arrays.contains(name),
            let close = (index..<end).first(where: { parser.tokens[$0].kind == .end(name) })
        else { return nil }
        guard let matrix = rows(inside: index..<close + 1, of: name) else { return nil }
        index = close + 1
        while brackets > 0, index < end {
            switch parser.tokens[index].kind {
            case .close(.round), .close(.square):
                brackets -= 1
                index += 1
            default: return nil
            }
        }
        return brackets == 0 ? matrix : nil
    }

    /// The rows of an environment, its begin and end included in the range.
    func rows(inside range: Range<Int>, of name: String) -> MatrixAnswer? {
        var start = range.lowerBound + 1
        let close = range.upperBound - 1
        if MatrixEnvironments.arrays.contains(name) { start = afterColumns(start, close) }
        return rows(start..<max(start, close))
    }

    /// Behind the columns of an array: `{cc|c}`.
    private func afterColumns(_ start: Int, _ end: Int) -> Int {
        guard start < end, parser.tokens[start].kind == .open(.group),
            let close = (start..<end).first(where: { parser.tokens[$0].kind == .close(.group) })
        else { return start }
        return close + 1
    }

    private func rows(_ range: Range<Int>) -> MatrixAnswer? {
        var rows: [[Expression]] = []
        var row: [Expression] = []
        var start = range.lowerBound
        var level = 0
        func entry(to index: Int) -> Bool {
            var reader = ExpressionParser(parser.tokens, range: start..<index, plusMinusIsMinus: isMinus)
            guard let value = reader.sum() else { return false }
            guard reader.unit() != nil, reader.isAtEnd, row.count < Self.maximumSize else { return false }
            row.append(value)
            start = index + 1
            return true
        }
        for index in range {
            switch parser.tokens[index].kind {
            case .open: level += 1
            case .close: level -= 1
            case .ampersand where level == 0: guard entry(to: index) else { return nil }
            case .rowBreak where level == 0:
                guard entry(to: index) else { return nil }
                rows.append(row)
                row = []
            default: break
            }
        }
        if start < range.upperBound {
            guard entry(to: range.upperBound) else { return nil }
            rows.append(row)
        }
        guard let width = rows.first?.count, width > 0, rows.count <= Self.maximumSize,
            rows.allSatisfy({ $0.count == width })
        else { return nil }
        return MatrixAnswer(rows: rows)
    }
}
