extension MathScanner {
    /// Digits with separators of thousands, a point, a repeating tail and a power of ten.
    mutating func number() {
        var text = Numeral(digits: digits())
        if text.digits.utf8.count <= 3, !text.digits.isEmpty { text.digits += groups() }
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
                // `1 000` is a number; `2 100/7` is mixed, and of a list of words nothing is known.
                let after = position + separator.count + 3
                if after < scalars.count, scalars[after] == "/" { break }
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
