import Foundation

/// A number as a text states it: with its sign, its fraction, its percent sign or its power of ten.
struct Quantity {
    /// The tokens that it is made of.
    let tokens: Range<Int>
    /// Whether it is one number in figures alone.
    let isPlain: Bool

    /// A text cut into its tokens once for all that is asked of it.
    struct Line {
        let scalars: [Unicode.Scalar]
        let tokens: [ArithmeticToken]

        init(_ text: String) {
            scalars = text.scalarArray
            tokens = ArithmeticTokenizer.tokens(scalars[...])
        }
    }

    // MARK: The only one

    /// Words that make another number of the one before them, or a date or a time.
    private static let binding: Set<String> = [
        "hundred", "thousand", "million", "billion", "trillion", "dozen", "am", "pm", "o'clock", "half", "halves",
        "thirds", "quarters", "fourths", "fifths", "sixths", "eighths", "tenths", "times", "plus", "minus", "squared",
        "cubed", "st", "nd", "rd", "th", "and", "or", "to", "mod", "divided", "remainder", "pi", "sqrt", "base",
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// Where a text is one number among words, that number: `Albert eats 48 pieces`, `$1,450.50 per month`,
    /// `72 clips (48 + 24)`, `18 dollars for 2 days`.
    ///
    /// Nil where it is anything else, or nothing but the number.
    static func only(in line: Line) -> String? {
        let tokens = line.tokens
        guard tokens.contains(where: \.isWord) else { return nil }
        let all = all(in: line)
        guard let first = all.first else { return nil }
        guard all.count == 1 else { return head(in: line) }
        var end = tokens.count
        let startsWithIt = tokens[..<first.tokens.lowerBound].allSatisfy { !$0.isWord }
        if startsWithIt, let bracket = tokens.indices.first(where: { isRemark(tokens, $0, behind: first) }) {
            end = bracket
        }
        let isPlain = tokens[..<end].indices.allSatisfy { index in
            first.tokens.contains(index) || isWordOrMark(tokens, index)
        }
        return isPlain && !isAttached(tokens, first) ? first.stated(in: line) : nil
    }

    /// The number with which a text begins, where a clause behind it tells where it comes from: `18 dollars for 2 days`,
    /// `72, because 48 + 24 = 72`.
    static func head(in line: Line) -> String? {
        let tokens = line.tokens
        guard let start = tokens.firstIndex(where: { $0.isNumber || $0.kind == .fraction }),
            let first = read(line, at: start),
            tokens[..<first.tokens.lowerBound].allSatisfy({ $0.kind == .sign }),
            let end = clause(in: tokens, behind: first.tokens.upperBound), !isAttached(tokens, first),
            (first.tokens.upperBound..<end).allSatisfy({ isWordOrMark(tokens, $0) })
        else { return nil }
        return first.stated(in: line)
    }

    /// The number as written, with a sign for the word "percent".
    private func stated(in line: Line) -> String {
        let text = text(in: line)
        let all = line.tokens
        guard tokens.upperBound < all.count, all[tokens.upperBound].kind == .word("percent"), !text.hasSuffix("%")
        else {
            return text
        }
        return text + "%"
    }

    private static let reasons: Set<String> = ["because", "since", "which"]
    private static let clauses: Set<String> = [
        "for", "in", "per", "after", "over", "when", "if", "with", "each", "from",
    ]

    /// Where a bracket or a clause begins behind a number and the words of its unit; a reason needs no unit before it.
    private static func clause(in tokens: [ArithmeticToken], behind start: Int) -> Int? {
        for index in start..<min(start + 6, tokens.count) {
            switch tokens[index].kind {
            case .open where index > start || isSpacedRemark(tokens, index): return index
            // The dollar sign that ends mathematics.
            case .sign where index == start: continue
            case .mark(","):
                guard index + 1 < tokens.count, case .word(let word) = tokens[index + 1].kind, !binding.contains(word)
                else {
                    return nil
                }
                return index
            case .word(let word):
                if reasons.contains(word) || index > start && clauses.contains(word) { return index }
                if binding.contains(word) { return nil }
            default: return nil
            }
        }
        return nil
    }

    /// `42 (6 times 7)`: words in brackets, where `2 (3)` may be a product.
    private static func isSpacedRemark(_ tokens: [ArithmeticToken], _ index: Int) -> Bool {
        guard tokens[index].isSpaced, let close = tokens[index...].firstIndex(where: { $0.kind == .close }) else {
            return false
        }
        return tokens[index..<close].contains {
            if case .word(let word) = $0.kind { word.utf8.count > 1 } else { false }
        }
    }

    /// Whether a bracket of words opens here behind the number.
    private static func isRemark(_ tokens: [ArithmeticToken], _ index: Int, behind first: Quantity) -> Bool {
        index >= first.tokens.upperBound && tokens[index].kind == .open && tokens[index].isSpaced
    }

    /// Words of two letters and more, and the marks of sentences: nothing that makes a formula.
    private static func isWordOrMark(_ tokens: [ArithmeticToken], _ index: Int) -> Bool {
        switch tokens[index].kind {
        case .word(let word):
            if binding.contains(word) { return false }
            return word.unicodeScalars.count > 1
                && !word.unicodeScalars.contains { $0 == "_" || ("0"..."9").contains($0) }
                || word == "a" || word == "i" || word == "s"
        case .mark, .sign: return true
        // `/hour`
        case .operation("/"): return index + 1 < tokens.count && tokens[index + 1].isWord
        case .operation("-"): return index + 1 < tokens.count && tokens[index + 1].isWord && !tokens[index].isSpaced
        default: return false
        }
    }

    /// Whether letters hang on the number that may be a variable's: `5x`, `24th`.
    private static func isAttached(_ tokens: [ArithmeticToken], _ number: Quantity) -> Bool {
        let behind = number.tokens.upperBound
        if behind < tokens.count, case .word(let word) = tokens[behind].kind, !tokens[behind].isSpaced {
            return word.unicodeScalars.count < 2 || binding.contains(word)
        }
        return false
    }

    /// Whether tokens state nothing but a number and words.
    static func isNumeric(_ tokens: ArraySlice<ArithmeticToken>) -> Bool {
        var isNumber = false
        for token in tokens {
            switch token.kind {
            case .number: isNumber = true
            case .unknown, .equals, .relation: return false
            case .word(let word): if word.unicodeScalars.count < 2 { return false }
            default: break
            }
        }
        return isNumber
    }

    // MARK: The last one

    /// The last number of a text, with its fraction, sign, percent sign or power of ten.
    ///
    /// Mostly it stands near the end, and the rest is not read.
    static func last(in text: String) -> String? {
        var text = text
        let ending = text.withUTF8 { bytes in
            apart(in: bytes).map { String(decoding: UnsafeBufferPointer(rebasing: bytes[$0...]), as: UTF8.self) }
        }
        return ending.flatMap(lastOfAll) ?? lastOfAll(in: text)
    }

    /// See ``last(in:)``; reads all of the text.
    static func lastOfAll(in text: String) -> String? {
        let line = Line(text)
        let all = all(in: line)
        guard let last = all.last else { return nil }
        let stated = last.beforeRemark(in: line, all) ?? last
        return stated.whole(in: line) ?? stated.text(in: line)
    }

    /// How many bytes of a text's end are enough for most answers.
    private static let ending = 100

    /// A place near the end of a long text from which on the same numbers are read as in the whole; nil where none is found.
    ///
    /// A word of four letters and more begins there, behind a blank, which no number reaches over, and no command of LaTeX
    /// stands before it, whose braces might end behind it.
    private static func apart(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var index = bytes.count - ending
        guard index > 0 else { return nil }
        // A bracket at the end may be a remark on a number anywhere before it.
        for byte in bytes.reversed() {
            if byte == UInt8(ascii: ")") { return nil }
            if isLetter(byte) || (0x30...0x39).contains(byte) { break }
        }
        while index + 4 < bytes.count {
            if isBlank(bytes[index - 1]), isLetter(bytes[index]), isLetter(bytes[index + 1]),
                isLetter(bytes[index + 2]),
                isLetter(bytes[index + 3])
            {
                return bytes[..<index].contains(UInt8(ascii: "\\")) ? nil : index
            }
            index += 1
        }
        return nil
    }

    // MARK: Reading

    /// The numbers of a text, in order; exponents of what is no number are none.
    private static func all(in line: Line) -> [Quantity] {
        let tokens = line.tokens
        var found: [Quantity] = []
        var index = 0
        while index < tokens.count {
            guard tokens[index].isNumber || tokens[index].kind == .fraction, let quantity = read(line, at: index)
            else {
                index += 1
                continue
            }
            let isExponent = index > 0 && tokens[index - 1].kind == .power
            if !isExponent { found.append(quantity) }
            index = quantity.tokens.upperBound
        }
        return found
    }

    private static func read(_ line: Line, at start: Int) -> Quantity? {
        let tokens = line.tokens
        var end = start
        var isPlain = false
        if tokens[start].kind == .fraction {
            guard let arguments = fraction(tokens, behind: start + 1) else { return nil }
            end = arguments
        } else {
            end = start + 1
            isPlain = true
            while end < tokens.count, tokens[end].isSpaced, tokens[end].group != nil, tokens[start].range.count <= 3 {
                end += 1
                isPlain = false
            }
            if let longer = compound(tokens, end) {
                end = longer
                isPlain = false
            }
        }
        if end < tokens.count, tokens[end].kind == .percent {
            end += 1
        }
        return Quantity(tokens: signed(line, start)..<end, isPlain: isPlain)
    }

    /// Where a number ends that goes on behind its figures: a fraction, a mixed number, a time, a power.
    private static func compound(_ tokens: [ArithmeticToken], _ end: Int) -> Int? {
        func kind(_ offset: Int) -> ArithmeticToken.Kind? {
            end + offset < tokens.count ? tokens[end + offset].kind : nil
        }
        func isNumber(_ offset: Int) -> Bool { end + offset < tokens.count && tokens[end + offset].isNumber }
        func isTight(_ offset: Int) -> Bool { end + offset < tokens.count && !tokens[end + offset].isSpaced }
        if kind(0) == .fraction { return fraction(tokens, behind: end + 1) }
        // `2 1/4`, `2 and 1/4`
        let skip = kind(0) == .and ? 1 : 0
        if isNumber(skip), kind(skip + 1) == .operation("/"), isNumber(skip + 2), isTight(skip + 1), isTight(skip + 2),
            case .number(let top?)? = kind(skip), case .number(let bottom?)? = kind(skip + 2), top < bottom
        {
            return end + skip + 3
        }
        // `3/4`, `05/12/2020`, `3:30`, `3:30:15`, `10^5`
        var position = 0
        while let next = kind(position), isTight(position), isTight(position + 1), isNumber(position + 1),
            next == .operation("/") || next == .mark(":") || next == .power
        {
            position += 2
        }
        if position > 0 { return end + position }
        // `3.5 x 10^6`
        guard kind(0) == .operation("*"), case .number(let ten?)? = kind(1), ten == Rational(10), kind(2) == .power
        else {
            return nil
        }
        if isNumber(3) { return end + 4 }
        if kind(3) == .operation("-"), isNumber(4) { return end + 5 }
        guard kind(3) == .open else { return nil }
        let close = kind(4) == .operation("-") ? 6 : 5
        return isNumber(close - 1) && kind(close) == .close ? end + close + 1 : nil
    }

    /// Where the two arguments of a fraction end that are numbers.
    private static func fraction(_ tokens: [ArithmeticToken], behind start: Int) -> Int? {
        var index = start
        for _ in 0..<2 {
            guard index < tokens.count else { return nil }
            if tokens[index].isNumber {
                index += 1
            } else {
                let first =
                    index + 1 < tokens.count && tokens[index + 1].kind == .operation("-") ? index + 2 : index + 1
                guard tokens[index].kind == .open, first + 1 < tokens.count, tokens[first].isNumber,
                    tokens[first + 1].kind == .close
                else { return nil }
                index = first + 2
            }
        }
        return index
    }

    /// Where a number begins with its minus: one that hangs on it, with no value or letter directly before; one with a blank
    /// behind it where no value can stand before it; the word for it.
    private static func signed(_ line: Line, _ start: Int) -> Int {
        let tokens = line.tokens
        var index = start
        while index > 0, tokens[index - 1].kind == .sign, !tokens[index].isSpaced { index -= 1 }
        guard index > 0 else { return start }
        let minus = index - 1
        switch tokens[minus].kind {
        case .word("negative"): return minus
        case .word("minus"): return followsVerb(line, minus) ? minus : start
        case .operation("-"): break
        default: return start
        }
        if tokens[index].isSpaced { return followsVerb(line, minus) ? minus : start }
        guard minus > 0, !tokens[minus].isSpaced else { return minus }
        let before = tokens[minus - 1]
        return before.endsValue || before.isWord || before.kind == .operation("-") ? start : minus
    }

    private static let verbs: Set<String> = [
        "is", "are", "was", "were", "be", "equals", "it's", "that's", "it\u{2019}s", "that\u{2019}s",
    ]

    /// Whether an equals sign, a colon or a verb stands before a token on its line, signs of currency and of LaTeX left out.
    private static func followsVerb(_ line: Line, _ index: Int) -> Bool {
        guard let before = line.tokens[..<index].last(where: { $0.kind != .sign }),
            !line.scalars[before.range.upperBound..<line.tokens[index].range.lowerBound].contains(where: \.isNewline)
        else { return false }
        switch before.kind {
        case .equals, .relation, .mark(":"): return true
        case .word(let word): return verbs.contains(word)
        default: return false
        }
    }

    /// The number as written; figures alone without separators and with a plain minus.
    func text(in line: Line) -> String {
        let scalars = line.scalars
        let part = line.tokens[tokens]
        guard let first = part.first, let last = part.last else { return "" }
        let isNegative = first.kind == .operation("-") || first.isWord
        // Figures that no commas of thousands divide are a list.
        if isPlain, let number = part.first(where: \.isNumber), !Self.isList(number, scalars) {
            var figures = String.UnicodeScalarView()
            for scalar in scalars[number.range] where scalar != "," && scalar != "{" && scalar != "}" && scalar != "\\"
            {
                if figures.isEmpty, scalar == "." { figures.append("0") }
                figures.append(scalar)
            }
            return (isNegative ? "-" : "") + String(figures) + (last.kind == .percent ? "%" : "")
        }
        let start =
            isNegative ? part.dropFirst().first?.range.lowerBound ?? first.range.lowerBound : first.range.lowerBound
        let written = String(scalars: scalars[start..<last.range.upperBound])
        return (isNegative ? "-" : "") + written.drop { $0 == "$" }
    }

    /// `1,2` and `0,1`: figures with commas that do not part thousands.
    static func isList(_ token: ArithmeticToken, _ scalars: [Unicode.Scalar]) -> Bool {
        let figures = scalars[token.range]
        guard figures.contains(",") else { return false }
        if token.kind == .number(nil) { return true }
        return figures.indices.contains { index in
            figures[index] == "," && figures[(index + 1)...].prefix { ArithmeticTokenizer.isDigit($0) }.count != 3
        }
    }
}
