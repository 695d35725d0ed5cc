import Foundation

/// What an answer is, of the words and marks that stand around it.
enum AnswerText {
    // MARK: Marks

    /// A text without Markdown's emphasis and code marks around it.
    static func withoutMarkup(_ text: String) -> String {
        var text = text
        return text.withUTF8 { withoutMarkup($0) } ?? withoutMarkupOfAny(text)
    }

    /// The general path of ``withoutMarkup(_:)-(String)``.
    static func withoutMarkupOfAny(_ text: String) -> String {
        var result = text.trimmed
        let count = result.utf8.count
        for mark in ["**", "__", "`"] where result.utf8.contains(mark.utf8.first ?? 0) {
            result = result.replacingOccurrences(of: mark, with: "")
        }
        return result.utf8.count == count ? result : result.trimmed
    }

    private static let wrappings: [(open: [Unicode.Scalar], close: [Unicode.Scalar])] = [
        ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\"", "\""), ("\u{201C}", "\u{201D}"),
    ].map { (Array($0.unicodeScalars), Array($1.unicodeScalars)) }

    /// A text without emphasis, the delimiters of LaTeX, quotation marks around it and a closing stop.
    static func trimmedMarks(_ text: String) -> String {
        var text = text
        return text.withUTF8 { trimmedMarks($0) } ?? trimmedMarksOfAny(text)
    }

    /// The general path of ``trimmedMarks(_:)-(String)``.
    static func trimmedMarksOfAny(_ text: String) -> String {
        var scalars = Array(withoutMarkupOfAny(text).unicodeScalars)[...]
        for _ in 0..<8 {
            let count = scalars.count
            scalars = scalars.drop { $0.isWhitespace || $0 == "*" || $0 == ":" || $0 == "=" }
            while let last = scalars.last, last.isWhitespace || ".!*,;".unicodeScalars.contains(last) {
                // A factorial keeps its sign.
                if last == "!", scalars.count > 1, isFactorial(scalars) { break }
                scalars.removeLast()
            }
            for (open, close) in wrappings { scalars = unwrapped(scalars, open, close) }
            if scalars.count == count { break }
        }
        return String(scalars: scalars).trimmed
    }

    private static func isFactorial(_ scalars: ArraySlice<Unicode.Scalar>) -> Bool {
        scalars.count <= 3 && scalars.dropLast().allSatisfy { $0.isAlphabetic || ("0"..."9").contains($0) }
    }

    /// The inside of a text that begins and ends with a pair of marks and has none between.
    private static func unwrapped(
        _ scalars: ArraySlice<Unicode.Scalar>,
        _ open: [Unicode.Scalar],
        _ close: [Unicode.Scalar]
    ) -> ArraySlice<Unicode.Scalar> {
        guard scalars.count >= open.count + close.count, scalars.starts(with: open),
            scalars.suffix(close.count).elementsEqual(close)
        else { return scalars }
        let inside = scalars.dropFirst(open.count).dropLast(close.count)
        return inside.contains(close[close.count - 1]) && close.count == 1 ? scalars : inside
    }

    /// A text without its calculator marks, looked for only where there is a sign of one.
    static func withoutCalculations(_ text: String) -> String {
        text.hasByte(UInt8(ascii: "<")) ? WorkedSolution.withoutMarks(text) : text
    }

    // MARK: Labels and sentences

    /// Whether a line only announces that an answer follows: `Final Answer`, `**Answer:**`.
    static func isLabel(_ line: String) -> Bool {
        guard line.utf8.count < 40, !AnswerWords.hasDigit(line) else { return false }
        let words = line.lowercased().split { !$0.isLetter }
        guard let last = words.last, last == "answer", words.count <= 3 else { return false }
        return words.dropLast().allSatisfy { ["the", "final", "correct", "my"].contains($0) }
    }

    /// A line without "Answer:" or "Final answer:" before what it holds.
    static func withoutLabel(_ line: String) -> String {
        guard line.hasByte(UInt8(ascii: ":")), let colon = line.firstIndex(of: ":"),
            isLabel(String(line[...colon]))
        else { return line }
        let rest = String(line[line.index(after: colon)...])
        return withoutMarkup(rest).isEmpty ? line : rest
    }

    static func startsWithLetter(_ text: String) -> Bool {
        text.unicodeScalars.first { !$0.isWhitespace && $0 != "*" }?.isAlphabetic == true
    }

    private static let abbreviations: Set<String> = [
        "st", "mr", "mrs", "ms", "dr", "vs", "no", "approx", "a.m", "p.m", "u.s", "e.g", "i.e", "jr", "sr", "prof",
    ]

    /// The last line that holds something, without blanks around it; empty where there is none.
    static func lastLine(of text: String) -> String {
        var text = text
        return text.withUTF8 { lastLine(of: $0) } ?? lastLineOfAny(text)
    }

    /// The general path of ``lastLine(of:)-(String)``.
    static func lastLineOfAny(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.lastIndex(where: { !$0.isWhitespace && $0 != "\u{200B}" }) else { return "" }
        let newline = scalars[..<end].lastIndex(where: \.isNewline)
        return String(scalars[(newline.map(scalars.index(after:)) ?? scalars.startIndex)...end]).trimmed
    }

    /// A line to the end of its first sentence: a stop, question or exclamation mark before a blank.
    static func sentence(_ line: String) -> String {
        let scalars = line.scalarArray
        for index in scalars.indices.dropLast() where isStop(scalars[index]) && scalars[index + 1].isWhitespace {
            let blank = scalars[..<index].lastIndex(where: \.isWhitespace) ?? -1
            let word = scalars[max(blank + 1, index - 12)..<index]
            if scalars[index] == ".", abbreviations.contains(String(scalars: word).lowercased()) {
                continue
            }
            return String(scalars: scalars[..<index])
        }
        return line
    }

    private static func isStop(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar == "?" || scalar == "!" }

    /// Whether a line is more than a few words.
    static func isSentence(_ line: String) -> Bool { line.split(separator: " ", maxSplits: 6).count > 6 }

    /// Whether what follows "the answer is" says something about the answer and does not state it.
    static func isComment(_ sentence: String) -> Bool {
        let first = sentence.unicodeScalars.prefix { $0.isAlphabetic }
        return ["not", "correct", "incorrect", "wrong", "right", "unclear"].contains(String(first).lowercased())
    }

    /// Whether one of ``verdicts`` may follow the marks with which a text begins, told by the first letter and the length of
    /// its word, so that the many texts that are none need not be rid of their marks.
    private static func mayBeVerdict(_ text: String) -> Bool {
        for (place, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x20, 0x09...0x0D, UInt8(ascii: "*"), UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "_"),
                UInt8(ascii: "`"), UInt8(ascii: "$"), UInt8(ascii: "\\"), UInt8(ascii: "("), UInt8(ascii: "["),
                UInt8(ascii: "\""):
                continue
            default: return byte >= 0x80 || mayBeVerdict(text.utf8.dropFirst(place))
            }
        }
        return false
    }

    /// Whether a word of ASCII may be a verdict; marks of emphasis inside it do not count.
    private static func mayBeVerdict(_ text: Substring.UTF8View) -> Bool {
        guard let first = text.first else { return false }
        var length = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "`"), 0x80...: return true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): length += 1
            default: return isLength(length, ofVerdict: first)
            }
            if length > 7 { return false }
        }
        return isLength(length, ofVerdict: first)
    }

    private static func isLength(_ length: Int, ofVerdict first: UInt8) -> Bool {
        switch first | 0x20 {
        case UInt8(ascii: "n"): length == 2
        case UInt8(ascii: "y"): length == 3
        case UInt8(ascii: "t"): length == 4
        case UInt8(ascii: "f"), UInt8(ascii: "v"): length == 5
        case UInt8(ascii: "i"): length == 7
        default: false
        }
    }

    private static let verdicts: Set<String> = ["yes", "no", "true", "false", "valid", "invalid"]

    /// Yes, no and their like, with which an answer begins; `alone`, nothing but a mark may follow.
    static func verdict(_ text: String, alone: Bool = false) -> String? {
        mayBeVerdict(text) ? verdictOfAny(text, alone: alone) : nil
    }

    /// The general path of ``verdict(_:alone:)``.
    static func verdictOfAny(_ text: String, alone: Bool = false) -> String? {
        let bare = trimmedMarks(text).unicodeScalars
        let word = String(bare.prefix { $0.isAlphabetic })
        guard verdicts.contains(word.lowercased()) else { return nil }
        let rest = bare.dropFirst(word.unicodeScalars.count)
        guard let next = rest.first else { return word }
        if alone { return nil }
        let behind = String(rest).trimmed.lowercased()
        let isReason = ["because", "since", "as "].contains { behind.hasPrefix($0) }
        return ",.;:!(".unicodeScalars.contains(next) || isReason ? word : nil
    }

    /// `valid` of "So the argument is valid.", `Yes` of "Yes, it does.": what a line without figures says by its last word
    /// behind a verb, or by its first before a comma.
    static func closingVerdict(_ line: String) -> String? {
        guard !AnswerWords.hasDigit(line) else { return nil }
        let words = withoutMarkup(line).split(separator: " ").map { $0.filter { !".!*\"".contains($0) } }
        guard words.count > 1, let first = words.first, let last = words.last else { return nil }
        if verdicts.contains(last.lowercased()), ["is", "are", "be"].contains(words[words.count - 2].lowercased()) {
            return last
        }
        return ["yes,", "no,"].contains(first.lowercased()) ? String(first.dropLast()) : nil
    }

    // MARK: What is stated

    /// See ``AnswerExtraction/bare(_:)``.
    static func bare(_ answer: String) -> String { figures(answer) ?? bareWords(answer) }

    /// The general path of ``bare(_:)``, which says the same of a number in figures.
    static func bareWords(_ answer: String) -> String {
        let text = trimmedMarks(withoutLabel(answer))
        guard text.utf8.count <= 2_000 else { return text }
        if let option = OptionLetter.leading(text) { return option }
        if let verdict = verdict(text) { return verdict }
        let line = Quantity.Line(text)
        if let head = Quantity.head(in: line) { return head }
        let stated = result(text)
        return Quantity.only(in: stated.utf8.count == text.utf8.count ? line : Quantity.Line(stated))
            ?? trimmedMarks(stated)
    }

    /// What a calculation, or an equation of words, ends with: of `48 + 24 = 72` and `Total = 72` it is 72; `x = 5` and
    /// `y = 2x + 1` stay, for their sides may matter.
    static func result(_ text: String) -> String {
        guard text.hasByte(UInt8(ascii: "=")), text.utf8.count <= 2_000 else { return text }
        let scalars = text.scalarArray
        let tokens = ArithmeticTokenizer.tokens(scalars[...])
        guard let sign = tokens.lastIndex(where: { $0.kind == .equals }), sign + 1 < tokens.count else { return text }
        let left = tokens[..<sign]
        // A variable, a function or a command of LaTeX on the left makes it an equation.
        let isCalculation = left.allSatisfy { token in
            switch token.kind {
            case .unknown, .relation: false
            case .word(let word): word.unicodeScalars.count > 1
            default: true
            }
        }
        let calculates = left.contains { $0.isOperation || $0.kind == .fraction || $0.isWord } || left.isEmpty
        guard isCalculation, calculates, Quantity.isNumeric(tokens[(sign + 1)...]) else { return text }
        return String(scalars: scalars[tokens[sign].range.upperBound...]).trimmed
    }
}
