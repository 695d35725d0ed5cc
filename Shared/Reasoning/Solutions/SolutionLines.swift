/// Cuts a solution into its steps.
///
/// A line is a step, as in GSM8K and in what students are taught; a text of one line is cut into sentences. What models add
/// to that is taken away: Markdown's headings, emphasis and bullets, numbers before steps, a display of LaTeX on lines of its
/// own, which belongs to the sentence before it, and lines that only announce the answer.
struct SolutionLines {
    private var lines: [Line] = []

    /// A line, or several that belong together.
    private struct Line {
        var text: String
        var label: StepLabel?
        /// Whether it heads the lines that follow it.
        var isHeading = false
        var isIndented = false

        /// Adds a line that belongs to it; a heading ends with a colon then.
        mutating func append(_ line: String) {
            if !text.isEmpty { text += isHeading && text.last.map { !".:;,!?".contains($0) } == true ? ": " : " " }
            text += line
            isHeading = false
        }
    }

    /// The steps of a text; linear in its length.
    static func steps(of text: String) -> [String] {
        var reader = SolutionLines()
        for line in grouped(text) { reader.add(line) }
        reader.dropAnswers()
        reader.settleLabels()
        let steps = reader.lines.map(\.text).filter { !$0.isEmpty && !isPreamble($0) && !isAnswer($0) }
        return steps.count == 1 ? sentences(of: steps[0]) : steps
    }

    // MARK: Lines

    private static let openings = ["\\[", "$$", "\\begin{"]

    /// The lines of a text, displays of LaTeX joined to the line before them.
    private static func grouped(_ text: String) -> [String] {
        let raw = text.split(whereSeparator: \.isNewline).map(String.init)
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "$") }) else { return raw }
        var lines: [String] = []
        var end: String?
        var isBehindDisplay = false
        for line in raw {
            let trimmed = line.trimmed
            if let closing = end {
                lines[lines.count - 1] += " " + trimmed
                if trimmed.contains(closing) {
                    end = nil
                    isBehindDisplay = true
                }
            } else if let opening = openings.first(where: trimmed.hasPrefix) {
                if lines.isEmpty { lines.append(trimmed) } else { lines[lines.count - 1] += " " + trimmed }
                end = closing(of: opening, in: trimmed)
                isBehindDisplay = end == nil
            } else if isBehindDisplay, trimmed.first?.isLowercase == true {
                lines[lines.count - 1] += " " + trimmed
                isBehindDisplay = false
            } else if !trimmed.isEmpty {
                lines.append(line)
                isBehindDisplay = false
                // A display may open at a line's end.
                if let opening = openings.prefix(2).first(where: trimmed.hasSuffix),
                    trimmed.filter({ $0 == "$" }).count != 4
                {
                    end = opening == "$$" ? "$$" : "\\]"
                }
            }
        }
        return lines
    }

    /// What closes a display; nil where its own line does.
    private static func closing(of opening: String, in line: String) -> String? {
        let closing = opening == "\\[" ? "\\]" : opening == "$$" ? "$$" : "\\end{"
        return line.dropFirst(opening.count).contains(closing) ? nil : closing
    }

    private mutating func add(_ raw: String) {
        var text = raw.trimmed
        guard !text.isEmpty, !Self.isRule(text) else { return }
        // `#### 18` is GSM8K's answer, no heading.
        let isHashed = text.hasPrefix("#") && !text.hasPrefix("####")
        if isHashed { text = String(text.drop { $0 == "#" }).trimmed }
        let isBold = text.hasPrefix("**") && (text.hasSuffix("**") || text.hasSuffix("**:"))
        text = Self.withoutEmphasis(text)
        let label = StepLabel(text)
        let isTitle = label == nil && (isHashed || isBold) && !text.contains(where: \.isNumber)
        if isTitle, !AnswerText.isLabel(text), !Self.isAnswer(text) { return }
        lines.append(
            Line(text: text, label: label, isHeading: isHashed || isBold, isIndented: raw.first?.isWhitespace == true)
        )
    }

    /// A rule or the fence of a code block.
    private static func isRule(_ line: String) -> Bool {
        line.hasPrefix("```") || line.count > 2 && line.allSatisfy { "-*_=".contains($0) }
    }

    /// A line without `**`, which between figures raises to a power.
    private static func withoutEmphasis(_ line: String) -> String {
        guard line.utf8.contains(UInt8(ascii: "*")) else { return line }
        let scalars = line.scalarArray
        var result = String.UnicodeScalarView()
        var index = 0
        while index < scalars.count {
            if scalars[index] == "*", index + 1 < scalars.count, scalars[index + 1] == "*" {
                let isBehindNumber = index > 0 && ArithmeticTokenizer.isDigit(scalars[index - 1])
                let isBeforeNumber = index + 2 < scalars.count && ArithmeticTokenizer.isDigit(scalars[index + 2])
                if !(isBehindNumber && isBeforeNumber) {
                    index += 2
                    continue
                }
                result.append(scalars[index])
                index += 1
            }
            result.append(scalars[index])
            index += 1
        }
        return String(result).trimmed
    }

    // MARK: Answers

    /// Takes away a heading of the answer with the line that it heads.
    private mutating func dropAnswers() {
        var kept: [Line] = []
        var isBehindLabel = false
        for line in lines {
            if isBehindLabel, line.label == nil, Self.isBare(line.text) {
                isBehindLabel = false
                continue
            }
            isBehindLabel = AnswerText.isLabel(line.text)
            if !isBehindLabel { kept.append(line) }
        }
        lines = kept
    }

    /// Whether a line holds no more than an answer may: few words and no calculation.
    private static func isBare(_ line: String) -> Bool {
        line.split(separator: " ", maxSplits: 12).count <= 12 && CalculationScanner.scan(line).isEmpty
    }

    /// Whether a line does nothing but state the answer.
    static func isAnswer(_ line: String) -> Bool {
        if line.hasPrefix("####") { return true }
        let lower = line.lowercased()
        if lower.hasPrefix("a:") || lower.hasPrefix("<answer") || isBox(line) { return true }
        var words = lower[...]
        for connective in ["so,", "so", "thus,", "thus", "therefore,", "therefore", "hence,", "hence", "finally,"]
        where words.hasPrefix(connective + " ") {
            words = words.dropFirst(connective.count + 1)
            break
        }
        for article in ["the ", "my "] where words.hasPrefix(article) { words = words.dropFirst(article.count) }
        for kind in ["final ", "correct "] where words.hasPrefix(kind) { words = words.dropFirst(kind.count) }
        guard ["answer is", "answer:", "answer :", "answer**:"].contains(where: words.hasPrefix) else { return false }
        // One that also works it out is the last step.
        return CalculationScanner.scan(CalculatorMarks.removed(from: line)).isEmpty
    }

    /// `\boxed{18}` or `$\boxed{18}$` and nothing else.
    private static func isBox(_ line: String) -> Bool {
        guard line.utf8.contains(UInt8(ascii: "{")) else { return false }
        let bare = line.drop { "$\\[( ".contains($0) }
        return bare.hasPrefix("boxed{") && !bare.dropFirst(6).contains(" ") && line.split(separator: " ").count < 4
    }

    /// "Let's think step by step." and headings that a line is.
    static func isPreamble(_ line: String) -> Bool {
        guard line.utf8.count < 120, !line.contains(where: \.isNumber) else { return false }
        let lower = line.lowercased()
        return lower.contains("step by step") || lower.contains("step-by-step")
            || ["solution:", "solution", "explanation:", "reasoning:", "steps:", "work:"].contains(lower)
    }

    // MARK: Labels

    /// Takes labels off, and joins to a labelled step the lines that belong to it.
    private mutating func settleLabels() {
        let numbers = lines.compactMap { $0.label?.isNumber == true ? $0.label?.number : nil }
        // A number before one line alone is its own.
        let isList =
            numbers.count > 1 && numbers.first == 1 && zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 }
        let bullets = lines.count { $0.label?.isBullet == true }
        var settled: [Line] = []
        var isOpen = false
        for var line in lines {
            guard let label = line.label,
                label.isNamed || label.isNumber && isList || label.isBullet && label.isSure(bullets)
            else {
                let belongs =
                    isOpen && !Self.isAnswer(line.text)
                    && (settled.last?.label?.isNamed == true || line.isIndented)
                if belongs, let head = settled.indices.last {
                    settled[head].append(line.text)
                } else {
                    isOpen = false
                    settled.append(line)
                }
                continue
            }
            line.text = label.rest
            if label.isBullet, isOpen, settled.last?.label?.isNamed == true || line.isIndented,
                let head = settled.indices.last
            {
                settled[head].append(line.text)
                continue
            }
            isOpen = !label.isBullet
            settled.append(line)
        }
        lines = settled
    }

    // MARK: Sentences

    /// Sentences of a line: a stop, a blank and a capital letter or digit end one.
    static func sentences(of line: String) -> [String] {
        var result: [String] = []
        var current = ""
        let characters = Array(line)
        for (index, character) in characters.enumerated() {
            current.append(character)
            guard ".?!".contains(character), index + 2 < characters.count, characters[index + 1] == " " else {
                continue
            }
            let next = characters[index + 2]
            if next.isUppercase || next.isNumber || next == "$" {
                result.append(current.trimmed)
                current = ""
            }
        }
        if !current.trimmed.isEmpty { result.append(current.trimmed) }
        return result.filter { !isAnswer($0) && !isPreamble($0) }
    }
}

/// What stands before a step: `Step 2:`, `2.`, `2)`, a bullet.
struct StepLabel {
    /// The number, nil of a bullet.
    let number: Int?
    /// Whether the word "step" is part of it.
    let isNamed: Bool
    /// What stands behind it.
    let rest: String

    var isBullet: Bool { number == nil }
    var isNumber: Bool { number != nil && !isNamed }

    /// Nil where a line begins with none.
    init?(_ line: String) {
        let scalars = line.scalarArray
        var index = 0
        func at(_ offset: Int) -> Unicode.Scalar? { index + offset < scalars.count ? scalars[index + offset] : nil }
        func rest() -> String { String(scalars: scalars[min(index, scalars.count)...]).trimmed }

        if let first = scalars.first, "-*\u{2022}\u{2013}".unicodeScalars.contains(first) {
            guard scalars.count > 2, scalars[1] == " " else { return nil }
            index = 2
            number = nil
            isNamed = false
            self.rest = rest()
            return
        }
        isNamed = String(scalars: scalars.prefix(4)).lowercased() == "step"
        if isNamed { index = 4 }
        while at(0) == " " || at(0) == "#" { index += 1 }
        var digits = ""
        while let scalar = at(0), ArithmeticTokenizer.isDigit(scalar), digits.count < 4 {
            digits.unicodeScalars.append(scalar)
            index += 1
        }
        guard let value = Int(digits), digits.count < 3 else { return nil }
        number = value
        if isNamed {
            while let scalar = at(0), ":.)- \u{2013}\u{2014}".unicodeScalars.contains(scalar) { index += 1 }
        } else {
            guard at(0) == "." || at(0) == ")", at(1) == " " else { return nil }
            index += 2
        }
        self.rest = rest()
    }

    /// Whether a mark before a line is a bullet for sure, of so many: before a figure it may be a minus.
    func isSure(_ count: Int) -> Bool {
        count > 1 || rest.unicodeScalars.first?.properties.isAlphabetic == true
    }
}
