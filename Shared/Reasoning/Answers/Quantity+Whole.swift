extension Quantity {
    /// The number with what stands around it where that makes something else of it; nil where nothing does.
    ///
    /// A list in brackets, or one that a variable or "are" is equal to; both signs; a bound; a number in words behind it; π and
    /// roots.
    func whole(in line: Line) -> String? {
        let all = line.tokens
        if let list = bracketed(all, line) ?? listed(all) { return line.text(of: list) }
        let first = tokens.lowerBound
        if first > 0, line.isSign(first - 1, ["\u{B1}", "\\pm"]) { return "\u{B1}" + text(in: line) }
        if first > 1, line.isSign(first - 1, Self.bounds), Self.isVariable(all[first - 2]) {
            return line.text(of: first - 2..<tokens.upperBound)
        }
        if let next = all.dropFirst(tokens.upperBound).first, case .word(let word) = next.kind, next.isSpaced,
            UnitSuffix.multipliers[word] != nil
        {
            return text(in: line) + " " + word
        }
        return term(all, line)
    }

    /// The number that a remark at the text's end explains, which this one stands in: 72 of `72 clips (48 + 24)`, 5 of
    /// `5 apples (2 red and 3 green)`; nil where there is no such remark.
    ///
    /// A remark has several numbers, and words or signs between them: `(12 apples)` may say it better, and `(3, 4)` is a point.
    func beforeRemark(in line: Line, _ numbers: [Quantity]) -> Quantity? {
        let all = line.tokens
        guard let close = all[tokens.upperBound...].firstIndex(where: { $0.kind == .close }),
            all[(close + 1)...].allSatisfy({ $0.isMarkOrSign && $0.range.count == 1 }),
            line.scalars[all[close].range] == [")"],
            let open = all[..<tokens.lowerBound].lastIndex(where: { $0.kind == .open || $0.kind == .close }),
            all[open].kind == .open, open > 0, all[open].isSpaced, line.scalars[all[open].range] == ["("],
            all[open - 1].isWord || all[open - 1].isNumber || all[open - 1].isMarkOrSign,
            numbers.count(where: { $0.tokens.lowerBound > open }) > 1,
            all[open...close].contains(where: {
                $0.isOperation || $0.kind == .and || $0.kind == .equals || $0.isLongWord
            }),
            let stated = numbers.last(where: { $0.tokens.upperBound <= open }),
            !line.scalars[all[stated.tokens.upperBound - 1].range.upperBound..<all[close].range.lowerBound]
                .contains(where: \.isNewline)
        else { return nil }
        // Between the two stands only what is counted.
        return all[stated.tokens.upperBound..<open].allSatisfy { $0.isWord || $0.isMarkOrSign } ? stated : nil
    }

    private static let bounds: Set<String> = [
        "<", ">", "<=", ">=", "\u{2264}", "\u{2265}", "\\le", "\\leq", "\\ge", "\\geq", "\\lt", "\\gt",
    ]

    private static func isVariable(_ token: ArithmeticToken) -> Bool {
        if case .word(let word) = token.kind { word.unicodeScalars.count == 1 } else { false }
    }

    /// `(3, 4)`, `{1, 2, 3}`, `[2, 5)`, `(5, \infty)` at a place where no function can be called.
    private func bracketed(_ all: [ArithmeticToken], _ line: Line) -> Range<Int>? {
        var close = tokens.upperBound
        var commas = all[tokens].contains { Self.isList($0, line.scalars) } ? 1 : 0
        while close < all.count, all[close].kind != .close {
            switch all[close].kind {
            case .mark(","), .mark(";"): commas += 1
            case .operation("-"), .operation("+"): break
            default: guard line.isInfinity(close) else { return nil }
            }
            close += 1
        }
        guard close < all.count else { return nil }
        var open = tokens.lowerBound - 1
        while open >= 0, all[open].kind != .open {
            switch all[open].kind {
            case .mark(","), .mark(";"): commas += 1
            case .number, .operation("-"), .operation("/"), .percent, .sign: break
            default: guard line.isInfinity(open) else { return nil }
            }
            open -= 1
        }
        guard open >= 0, commas > 0 else { return nil }
        if open > 0, !all[open].isSpaced {
            switch all[open - 1].kind {
            case .mark, .equals, .relation, .sign: break
            default: return nil
            }
        }
        return open..<close + 1
    }

    /// `x = 1, 2`, `The roots are 1 and 2`: numbers that end the line, behind a variable's equals sign or "are".
    private func listed(_ all: [ArithmeticToken]) -> Range<Int>? {
        let isLast = all[tokens.upperBound...].allSatisfy {
            switch $0.kind {
            case .mark, .sign, .close: true
            default: false
            }
        }
        guard isLast else { return nil }
        var start = tokens.lowerBound
        var numbers = 0
        var isJoined = false
        loop: while start > 0 {
            switch all[start - 1].kind {
            case .mark(","), .word("and"), .word("or"): isJoined = true
            case .number where isJoined, .number where numbers == 0 && all[start].kind == .operation("/"):
                numbers += 1
                isJoined = false
            case .operation("-"), .operation("/"), .sign: break
            default: break loop
            }
            start -= 1
        }
        guard numbers > 0, !isJoined, start > 0 else { return nil }
        switch all[start - 1].kind {
        case .word("are"): return start..<tokens.upperBound
        case .equals: return start > 1 && Self.isVariable(all[start - 2]) ? start..<tokens.upperBound : nil
        default: return nil
        }
    }

    /// `2\u{3C0}`, `2 pi`, `3\u{3C0}/4`, `2\u{221A}3`, `2\sqrt{3}`: a term with \u{3C0} or a root in it.
    private func term(_ all: [ArithmeticToken], _ line: Line) -> String? {
        var start = tokens.lowerBound
        var end = tokens.upperBound
        var isTerm = false
        before: while start > 0, !all[start].isSpaced {
            switch all[start - 1].kind {
            case .root: isTerm = true
            case .number, .operation("/"), .open, .close: break
            default:
                guard line.isPi(start - 1) else { break before }
                isTerm = true
            }
            start -= 1
        }
        if end < all.count, line.isPi(end) {
            isTerm = true
            end += 1
        }
        // The brace that ends a root.
        while end < all.count, all[end].kind == .close, line.isOpen(start..<end) { end += 1 }
        return isTerm ? line.text(of: start..<end) : nil
    }
}

extension Quantity.Line {
    /// What is written from one token to another.
    func text(of range: Range<Int>) -> String {
        guard let first = tokens[range].first, let last = tokens[range].last else { return "" }
        return String(scalars: scalars[first.range.lowerBound..<last.range.upperBound])
    }

    /// Whether a token is written in one of some ways.
    func isSign(_ index: Int, _ spellings: Set<String>) -> Bool {
        spellings.contains(String(scalars: scalars[tokens[index].range]))
    }

    fileprivate func isInfinity(_ index: Int) -> Bool { isSign(index, ["\u{221E}", "\\infty"]) }

    fileprivate func isPi(_ index: Int) -> Bool { isSign(index, ["\u{3C0}", "\\pi", "pi"]) }

    /// Whether more brackets open than close.
    fileprivate func isOpen(_ range: Range<Int>) -> Bool {
        var level = 0
        for token in tokens[range] {
            if token.kind == .open { level += 1 }
            if token.kind == .close { level -= 1 }
        }
        return level > 0
    }
}

extension ArithmeticToken {
    fileprivate var isMarkOrSign: Bool {
        switch kind {
        case .mark, .sign: true
        default: false
        }
    }

    fileprivate var isLongWord: Bool {
        if case .word(let word) = kind { word.utf8.count > 1 } else { false }
    }
}
