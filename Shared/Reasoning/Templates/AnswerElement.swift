/// Reads the bare answer out of what a model writes into an answer's element, or announces in place of one.
enum AnswerElement {
    /// The bare answer of an element's content: `48` of "Albert eats 48 pieces.", `121` of "847 / 7 = 121", `18` of
    /// `**18**`.
    ///
    /// Where more than one thing could be meant, and where the content is bare already, it comes back as it is.
    static func bare(_ content: String) -> String {
        var text = content.trimmed
        while true {
            let next = reduced(text)
            guard next.utf8.count < text.utf8.count else { return next }
            text = next
        }
    }

    private static func reduced(_ content: String) -> String {
        let plain = unwrapped(content)
        if plain.utf8.count > maximumLength { return plain }
        if isAnnounced(plain), let found = extracted(plain) {
            let inner = unwrapped(found)
            if !inner.isEmpty { return valueOfEquation(inner) ?? inner }
        }
        return valueOfEquation(plain) ?? labelled(plain) ?? withoutWorking(plain) ?? onlyNumber(ofSentence: plain)
            ?? plain
    }

    /// The answer that a text announces, in a box, behind "the answer is" or `####`; nil without such.
    static func announced(in text: String) -> String? {
        text.trimmed.isEmpty ? nil : extracted(text).map { bare($0) }
    }

    /// What the text names as its answer: with a line behind it nothing of it counts as cut, and of a text that is
    /// read as cut the last number is never taken.
    private static func extracted(_ text: String) -> String? {
        AnswerExtraction.extract(text + "\n", isTruncated: true)
    }

    private static let maximumLength = 400

    /// Words beside a number that make another value of it, or leave it open.
    private static let modifiers: Set<String> = [
        "or", "not", "no", "than", "least", "most", "between", "about", "around", "approximately", "roughly", "nearly",
        "almost", "over", "under", "below", "above", "half", "halves", "third", "thirds", "quarter", "quarters",
        "twice",
        "double", "triple", "dozen", "dozens", "times", "hundred", "thousand", "million", "billion", "pi", "sqrt",
        "root", "square", "squared", "cubed", "power", "log", "minus", "negative", "plus", "percent", "option",
        "choice",
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty",
        "either", "neither", "if", "unless", "modulo", "mod", "base", "remainder",
    ]

    private static func changesValue(_ text: String) -> Bool {
        text.lowercased().split { !$0.isLetter }.contains { modifiers.contains(String($0)) }
    }

    /// The content without the emphasis, the box, the dollars or the quotes that stand around all of it.
    private static func unwrapped(_ content: String) -> String {
        var text = content.trimmed
        for _ in 0..<4 {
            let before = text
            for (open, close) in wrappers where text.utf8.count > open.utf8.count + close.utf8.count {
                guard text.hasPrefix(open), text.hasSuffix(close) else { continue }
                let inner = text.dropFirst(open.count).dropLast(close.count)
                // `$5 and $6$` and `\boxed{5} or \boxed{6}` are more than one thing.
                if inner.contains(open) || open.hasSuffix("{") && !isBalanced(inner) { continue }
                text = String(inner).trimmed
                break
            }
            if text.hasSuffix("."), text.dropLast().last.map({ "}*$`".contains($0) }) == true { text.removeLast() }
            if text == before { break }
        }
        return text
    }

    private static let wrappers = [
        ("**", "**"), ("__", "__"), ("`", "`"), ("\\boxed{", "}"), ("\\fbox{", "}"), ("\\(", "\\)"), ("\\[", "\\]"),
        ("$$", "$$"), ("$", "$"), ("*", "*"), ("\"", "\""), ("\u{201C}", "\u{201D}"),
    ]

    private static func isBalanced(_ text: Substring) -> Bool {
        var depth = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "{") { depth += 1 }
            if byte == UInt8(ascii: "}") { depth -= 1 }
            if depth < 0 { return false }
        }
        return depth == 0
    }

    /// The right side of an equation that holds and that nothing but words stands around.
    private static func valueOfEquation(_ text: String) -> String? {
        let found = CalculationScanner.scan(text)
        guard let last = found.last, last.calculation.isCorrect == true else { return nil }
        let numbers = AnswerExtraction.numbers(in: text)
        let behind = String(String.UnicodeScalarView(Array(text.unicodeScalars)[last.valueRange.upperBound...]))
        guard AnswerExtraction.numbers(in: behind).isEmpty, !behind.contains("="), numbers.last != nil,
            found.dropLast().allSatisfy({ $0.calculation.isCorrect == true })
        else { return nil }
        // "48 / 2 = 24 or 12 + 13 = 25" names two, and "12 / 3 = 4 thousand" is not 4.
        return changesValue(text) ? nil : last.calculation.value
    }

    private static func isAnnounced(_ text: String) -> Bool {
        let lower = text.lowercased()
        return lower.contains("answer is") || lower.contains("\\boxed") || lower.contains("####")
    }

    /// What stands behind a label of words, as in "Total cost: $18".
    private static func labelled(_ text: String) -> String? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let label = text[..<colon]
        let value = unwrapped(String(text[text.index(after: colon)...]))
        let isLabel = label.count(where: \.isLetter) >= 3 && label.allSatisfy { $0.isLetter || $0 == " " || $0 == "*" }
        guard isLabel, !value.isEmpty, !changesValue(String(label)) else { return nil }
        return valueOfEquation(value) ?? onlyNumber(ofSentence: value) ?? value
    }

    /// "72 clips" of "72 clips (48 + 24)", where the working agrees.
    private static func withoutWorking(_ text: String) -> String? {
        guard text.hasSuffix(")"), let open = text.firstIndex(of: "(") else { return nil }
        let working = text[text.index(after: open)...].dropLast()
        let head = String(text[..<open]).trimmed
        let numbers = AnswerExtraction.numbers(in: head)
        guard AnswerExtraction.numbers(in: String(working)).count > 1, numbers.count == 1,
            let value = Arithmetic.evaluate(String(working)), Rational(decimal: numbers[0]) == value
        else { return nil }
        return head
    }

    /// The only number of a sentence: of at least three words that begin with a word, or end in a stop.
    private static func onlyNumber(ofSentence text: String) -> String? {
        let words = text.split { $0.isWhitespace }
        guard words.count >= 3, let first = words.first, let last = text.last, !changesValue(text) else { return nil }
        guard first.count >= 2 && first.allSatisfy(\.isLetter) || last == "." || last == "!" else { return nil }
        // A fraction, a power, a product or a bound is more than its number, and a tag's number is none.
        guard !text.contains(where: { "/^\\={}<>\u{2264}\u{2265}\u{2260}".contains($0) }) else { return nil }
        let numbers = AnswerExtraction.numbers(in: text)
        guard numbers.count == 1, let number = numbers.first else { return nil }
        return text.contains("\(number)%") ? "\(number)%" : number
    }
}
