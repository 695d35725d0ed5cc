/// The expression before an equals sign: where it may begin, and whether anything before it belongs to it.
struct ClaimedExpression {
    /// The tokens at which it may begin, the longest first.
    private(set) var starts: [Int] = []
    /// Behind its last token.
    let end: Int
    /// Whether nothing that stands before it can be a part of it.
    private(set) var isWhole: Bool

    /// The most tokens that are looked back at.
    private static let reach = 200

    /// Nil where nothing stands there that could be an expression.
    init?(_ line: ArithmeticLine, before equals: Int) {
        var end = equals
        while end > 0, line.tokens[end - 1].kind == .sign { end -= 1 }
        self.end = end
        var start = end
        var depth = 0
        while start > 0, end - start < Self.reach, line.tokens[start - 1].isExpression {
            let kind = line.tokens[start - 1].kind
            if kind == .open, depth == 0 { break }
            if kind == .close { depth += 1 } else if kind == .open { depth -= 1 }
            start -= 1
        }
        isWhole = end - start < Self.reach
        if depth > 0, let bracket = Self.lastUnmatched(line, start..<end) {
            isWhole = isWhole && Self.isLabel(line, closedAt: bracket)
            start = bracket + 1
        } else {
            isWhole = isWhole && Self.isBoundary(line, before: start)
        }
        guard start < end else { return nil }
        addStarts(line, start)
    }

    private mutating func addStarts(_ line: ArithmeticLine, _ first: Int) {
        var start = first
        if line.tokens[start].isOperation {
            let isBullet = start == 0 && start + 1 < end && line.tokens[start + 1].isSpaced
            let isSign = [.operation("-"), .operation("+")].contains(line.tokens[start].kind)
            // Behind a word a sign joins what stands before it.
            if case .word? = line.kind(start - 1) { isWhole = false }
            if !isBullet, !isSign { isWhole = false }
            if isSign { starts.append(start) }
            while start < end, line.tokens[start].isOperation { start += 1 }
        }
        guard start < end else { return }
        starts.append(start)
        // Behind a value that no sign joins something else may begin; that is never sure.
        let joints = (start + 1..<end).filter { index in
            line.tokens[index].isSpaced && line.tokens[index].startsValue && line.tokens[index - 1].endsValue
        }
        starts += joints.suffix(2)
    }

    /// The last bracket of a stretch that closes what opened before it.
    private static func lastUnmatched(_ line: ArithmeticLine, _ tokens: Range<Int>) -> Int? {
        var depth = 0
        var last: Int?
        for index in tokens {
            switch line.tokens[index].kind {
            case .open: depth += 1
            case .close:
                if depth == 0 { last = index } else { depth -= 1 }
            default: break
            }
        }
        return last
    }

    /// `1)` and `a)` at a line's start.
    private static func isLabel(_ line: ArithmeticLine, closedAt bracket: Int) -> Bool {
        bracket <= 1 && bracket + 1 < line.tokens.count && line.tokens[bracket + 1].isSpaced
    }

    // MARK: What stands before

    private static func isBoundary(_ line: ArithmeticLine, before start: Int) -> Bool {
        guard start > 0 else { return true }
        let token = line.tokens[start - 1]
        let before = start > 1 ? line.tokens[start - 2] : nil
        let first = line.tokens[start]
        switch token.kind {
        case .equals, .relation: return true
        case .mark(let mark):
            if before?.isOperation == true { return false }
            let isBehindNumber = before?.isNumber == true
            switch mark {
            // `14, 400` may be one number, `6:48` a time, `12 : 4` a ratio.
            case ",": return !(isBehindNumber && (first.group != nil || !first.isSpaced))
            case ":": return !isBehindNumber || first.isSpaced && !token.isSpaced
            case ".": return first.isSpaced && before?.kind != .mark(".")
            case "'", "\u{2019}", "\u{2014}": return !isBehindNumber
            default: return true
            }
        case .open:
            guard let before else { return true }
            return !before.isOperation && (token.isSpaced || !before.endsValue && !before.isWord)
        case .word: return first.isSpaced && ArithmeticWords.isApart(line, at: start - 1)
        case .unknown: return start == 1 && first.isSpaced
        default: return false
        }
    }
}

extension ArithmeticToken {
    /// Whether it is a word, or a variable.
    var isWord: Bool {
        if case .word = kind { true } else { false }
    }
}
