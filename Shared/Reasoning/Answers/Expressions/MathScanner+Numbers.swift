extension MathScanner {
    /// Digits with separators of thousands, a point, a repeating tail and a power of ten.
    mutating func number() {
        var text = Numeral(digits: digits())
        if text.digits.utf8.count <= 3, !text.digits.isEmpty, !text.digits.hasPrefix("0") {
            if let rest = lakhs() ?? pointGroups(after: text.digits) {
                text.digits += rest
                return emit(.number(text))
            }
            text.digits += groups()
        }
        if peek() == ".", Self.isDigit(peek(1)) {
            position += 1
            text.digits = (text.digits.isEmpty ? "0" : text.digits) + "." + digits()
        } else if peek() == ".", let tail = repeatingTail(at: position + 1) {
            text.digits += "."
            text.repeating = tail
        }
        if text.places != nil, text.repeating.isEmpty, let tail = repeatingTail(at: position) { text.repeating = tail }
        if text.places != nil, text.repeating.isEmpty { repeatByDots(&text) }
        if let exponent = scientific() { text.exponent = exponent }
        emit(.number(text))
    }

    private mutating func digits() -> String {
        let start = position
        while Self.isDigit(peek()) { position += 1 }
        return Self.string(scalars[start..<position])
    }

    /// The rest of `1,00,000`, as India writes 100,000: groups of two of which one begins with 0, so that they are no list, and
    /// one of three at the end.
    private mutating func lakhs() -> String? {
        guard joinsThousands, peek() == "," else { return nil }
        var offset = 0
        var result = ""
        var hasZero = false
        while peek(offset) == ",", Self.isDigit(peek(offset + 1)), Self.isDigit(peek(offset + 2)) {
            let isLast = Self.isDigit(peek(offset + 3))
            let count = isLast ? 3 : 2
            hasZero = hasZero || peek(offset + 1) == "0"
            result += Self.string(scalars[position + offset + 1...position + offset + count])
            offset += count + 1
            guard isLast else { continue }
            guard result.utf8.count > 3, hasZero, !Self.isDigit(peek(offset)), peek(offset) != "," else { return nil }
            position += offset
            return result
        }
        return nil
    }

    /// The rest of `1.234.567` and `1.234,56`, as many countries write 1,234,567 and 1,234.56.
    private mutating func pointGroups(after digits: String) -> String? {
        var offset = 0
        var result = ""
        var groups = 0
        while peek(offset) == ".", isGroup(at: offset + 1) {
            result += Self.string(scalars[position + offset + 1...position + offset + 3])
            offset += 4
            groups += 1
        }
        guard groups > 0 else { return nil }
        var places = ""
        if peek(offset) == "," {
            var end = offset + 1
            while Self.isDigit(peek(end)) { end += 1 }
            guard (1...2).contains(end - offset - 1) else { return nil }
            places = "." + Self.string(scalars[position + offset + 1..<position + end])
            offset = end
        }
        guard groups > 1 || !places.isEmpty else { return nil }
        position += offset
        return result + places
    }

    /// Whether exactly three digits stand there.
    private func isGroup(at offset: Int) -> Bool {
        let start = position + offset
        guard start + 3 <= scalars.count, scalars[start..<start + 3].allSatisfy({ Self.isDigit($0) }) else {
            return false
        }
        return start + 3 == scalars.count || !Self.isDigit(scalars[start + 3])
    }

    /// The separators of thousands, longest first; the blank last, after which no fraction may follow.
    private static let separators: [[Unicode.Scalar]] = [
        Array("\\!,\\!".unicodeScalars), Array("\\!\\,".unicodeScalars), Array("_".unicodeScalars),
        Array(",\\!\\,".unicodeScalars), Array(",\\! ".unicodeScalars), Array("{,}\\!".unicodeScalars),
        Array(",\\!".unicodeScalars), Array("{,}".unicodeScalars), Array("{\\,}".unicodeScalars),
        Array("\\,".unicodeScalars), Array("\\;".unicodeScalars), Array("\\:".unicodeScalars),
        Array("\\ ".unicodeScalars), Array("~".unicodeScalars), Array("'".unicodeScalars), Array(",".unicodeScalars),
        Array(" ".unicodeScalars),
    ]

    /// The digits of all groups of three that follow.
    private mutating func groups() -> String {
        var result = ""
        var used: [Unicode.Scalar]?
        while let separator = Self.separators.first(where: { separator in
            (used == nil || used == separator || separator.count > 1 && used?.first == ",")
                && scalars[position...].starts(with: separator) && isGroup(at: separator.count)
        }) {
            if separator.count == 1, separator[0] == "," {
                noteAmbiguousComma()
                guard joinsThousands, isJoinedHere else { break }
            }
            if separator == [" "] || separator == Array("\\ ".unicodeScalars) {
                // `1 000` is a number, and so is the top of `1 000/3`; `2 100/7` is mixed.
                let after = position + separator.count + 3
                if after < scalars.count, scalars[after] == "/", scalars[position + separator.count] != "0" { break }
            }
            position += separator.count
            result += Self.string(scalars[position..<position + 3])
            position += 3
            used = separator
        }
        return result
    }

    /// Inside of brackets a comma separates thousands only where other commas are set apart: in `(1,000, 2,000)`.
    private var isJoinedHere: Bool {
        guard let open = tokens.lastIndex(where: { if case .open = $0.kind { true } else { false } }),
            !tokens[open...].contains(where: { if case .close = $0.kind { true } else { false } })
        else { return true }
        if case .open(.group) = tokens[open].kind, open > 0 {
            switch tokens[open - 1].kind {
            case .fraction, .root, .caret: return true
            case .close(.group): return true
            default: break
            }
        }
        var level = 0
        for index in position..<scalars.count {
            switch scalars[index] {
            case "(", "[", "{": level += 1
            case ")", "]", "}":
                level -= 1
                if level < 0 { return tokens[open...].contains { $0.kind == .comma } }
            case ",": if level == 0, index + 1 < scalars.count, scalars[index + 1] == " " { return true }
            case ";": if level == 0 { return true }
            default: break
            }
        }
        return false
    }

    /// `\overline{3}`, `\dot{3}` and `(3)` after a point.
    private mutating func repeatingTail(at start: Int) -> String? {
        let rest = scalars[min(start, scalars.count)...]
        for opening in ["\\overline{", "\\overline ", "\\dot{", "\\bar{", "("]
        where rest.starts(with: opening.unicodeScalars) {
            var end = start + opening.unicodeScalars.count
            let first = end
            while end < scalars.count, Self.isDigit(scalars[end]) { end += 1 }
            guard end > first, end - first <= 100 else { return nil }
            let digits = Self.string(scalars[first..<end])
            if opening.hasSuffix(" ") {
                position = first + 1
                return String(digits.prefix(1))
            }
            guard end < scalars.count, scalars[end] == "}" || scalars[end] == ")" else { return nil }
            position = end + 1
            return digits
        }
        return nil
    }

    /// `0.333...` repeats its last digit, which stands there three times.
    private mutating func repeatByDots(_ text: inout Numeral) {
        let rest = scalars[position...]
        guard let dots = ["...", "\\ldots", "\\dots", "\\cdots"].first(where: { rest.starts(with: $0.unicodeScalars) })
        else { return }
        position += dots.unicodeScalars.count
        guard let last = text.digits.last, (text.places ?? 0) >= 3,
            text.digits.hasSuffix(String(repeating: last, count: 3))
        else { return }
        text.repeating = String(last)
    }

    /// `e3`, `E-5` directly after a number.
    private mutating func scientific() -> Int? {
        guard peek() == "e" || peek() == "E" else { return nil }
        var offset = 1
        if peek(1) == "-" || peek(1) == "+" { offset = 2 }
        let first = position + offset
        var end = first
        while end < scalars.count, Self.isDigit(scalars[end]) { end += 1 }
        guard end > first, end - first <= 4, end == scalars.count || !Self.isLetter(scalars[end]) else { return nil }
        let value = Int(Self.string(scalars[first..<end])) ?? 0
        let isNegative = peek(1) == "-"
        position = end
        return isNegative ? -value : value
    }
}
