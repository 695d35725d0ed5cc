/// The value behind an equals sign: what it may be, and whether anything behind it belongs to it.
struct ClaimedValue {
    /// The tokens that it may be, the shortest first: the number alone (`3 + 4 = 7 * 2 = 14` goes on calculating), the
    /// number with a fraction or a percent sign, the whole side.
    private(set) var readings: [Range<Int>] = []
    /// Whether nothing that stands behind it can be a part of it.
    private(set) var isWhole = true
    /// The unit behind it, or the currency or percent sign beside it.
    private(set) var unit: String?

    /// The most tokens that are looked ahead at.
    private static let reach = 200

    /// Nil where no number stands there.
    init?(_ line: ArithmeticLine, after equals: Int) {
        let start = equals + 1
        var end = start
        var depth = 0
        while end < line.tokens.count, end - start < Self.reach, line.tokens[end].isExpression {
            let token = line.tokens[end]
            if token.kind == .close, depth == 0 { break }
            // A remark in brackets.
            if token.kind == .open, depth == 0, token.isSpaced, end > start, line.tokens[end - 1].endsValue { break }
            if token.kind == .open { depth += 1 } else if token.kind == .close { depth -= 1 }
            end += 1
        }
        let stop = end
        if depth > 0 || end - start >= Self.reach { isWhole = false }
        trim(line, start, &end)
        guard start < end else { return nil }
        isWhole = isWhole && Self.isBoundary(line, at: stop)
        unit = Self.unit(line, start, stop)
        addReadings(line, start, end)
        guard !readings.isEmpty else { return nil }
    }

    /// Takes off signs at the end that join nothing: `60 / hour`, `8-inch`.
    private mutating func trim(_ line: ArithmeticLine, _ start: Int, _ end: inout Int) {
        while end > start, line.tokens[end - 1].kind == .sign { end -= 1 }
        guard end > start, line.tokens[end - 1].isOperation else { return }
        let sign = line.tokens[end - 1]
        let next = end < line.tokens.count ? line.tokens[end] : nil
        let isPer = sign.kind == .operation("/") && next?.isWord == true
        let isHyphen = sign.kind == .operation("-") && !sign.isSpaced && next?.isSpaced == false && next?.isWord == true
        if !isPer, !isHyphen, next != nil { isWhole = false }
        while end > start, line.tokens[end - 1].isOperation || line.tokens[end - 1].kind == .sign { end -= 1 }
    }

    private mutating func addReadings(_ line: ArithmeticLine, _ start: Int, _ end: Int) {
        var position = start
        while position < end, line.tokens[position].kind == .sign { position += 1 }
        if position < end, line.tokens[position].kind == .operation("-") { position += 1 }
        while position < end, line.tokens[position].kind == .sign { position += 1 }
        if position < end, line.tokens[position].isNumber {
            position += 1
            readings.append(start..<position)
            while position < end, line.tokens[position].isSpaced, line.tokens[position].group != nil { position += 1 }
            if position < end, line.tokens[position].kind == .percent { position += 1 }
            let isMixed = position + 2 < end && line.tokens[position].isNumber && line.tokens[position].isSpaced
            if isMixed, line.tokens[position + 1].kind == .operation("/") { position += 3 }
            readings.append(start..<position)
        }
        readings.append(start..<end)
        var seen: Set<Int> = []
        readings = readings.filter { seen.insert($0.upperBound).inserted }
    }

    private static func unit(_ line: ArithmeticLine, _ start: Int, _ stop: Int) -> String? {
        let side = line.tokens[start..<stop]
        if case .word(let word)? = line.kind(stop) { return word }
        if side.last?.kind == .percent { return "percent" }
        return side.contains { $0.kind == .sign && line.scalars[$0.range.lowerBound] == "$" } ? "dollars" : nil
    }

    // MARK: What stands behind

    private static func isBoundary(_ line: ArithmeticLine, at stop: Int) -> Bool {
        guard stop < line.tokens.count else { return true }
        let token = line.tokens[stop]
        let next = stop + 1 < line.tokens.count ? line.tokens[stop + 1] : nil
        switch token.kind {
        case .equals, .relation, .close: return true
        case .mark(let mark):
            switch mark {
            case ":", ",": return !(next?.isNumber == true && (next?.isSpaced == false || next?.group != nil))
            case ".": return next.map { $0.isSpaced || $0.kind == .sign || $0.kind == .close || isQuote($0) } ?? true
            case "?", "'", "\u{2019}": return false
            default: return true
            }
        case .open:
            guard token.isSpaced, let next, case .word(let word) = next.kind else { return token.isSpaced }
            return ArithmeticWords.keepsValue(word, isSpaced: true)
        case .word(let word):
            guard ArithmeticWords.keepsValue(word, isSpaced: token.isSpaced) else { return false }
            return token.isSpaced && ArithmeticWords.startsClause(word) || isSentence(line, from: stop)
        case .unknown: return token.isSpaced && isTick(line.scalars[token.range.lowerBound])
        default: return false
        }
    }

    private static func isQuote(_ token: ArithmeticToken) -> Bool {
        [.mark("\""), .mark("\u{201D}"), .mark("'"), .mark("\u{2019}")].contains(token.kind)
    }

    private static func isTick(_ scalar: Unicode.Scalar) -> Bool {
        "\u{2713}\u{2714}\u{2705}\u{2717}|".unicodeScalars.contains(scalar)
    }

    /// Whether the unit's words end without another quantity or a sign behind them: `5 feet 6 inches`, `2 hours + x`.
    private static func isSentence(_ line: ArithmeticLine, from stop: Int) -> Bool {
        for index in stop..<min(stop + 3, line.tokens.count) {
            switch line.tokens[index].kind {
            case .word(let word):
                if index > stop, ArithmeticWords.startsClause(word) { return true }
            case .number, .operation, .power, .percent, .fraction, .and: return false
            default: return true
            }
        }
        return true
    }
}
