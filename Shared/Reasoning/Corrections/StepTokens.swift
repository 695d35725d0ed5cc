/// A step as a row of tokens, so that copies of it can be told from other steps: words in lower case, the values of
/// numbers, and arithmetic signs.
struct StepTokens: Sendable, Hashable {
    enum Token: Sendable, Hashable {
        case word(String)
        case number(String)
        case sign(Character)
    }

    /// Longer steps are read up to here, in Unicode scalars.
    static let maximumLength = 4_000

    private(set) var tokens: [Token] = []

    /// Reads a step; markup, emphasis, calculator marks, a label such as `Step 2:` or `2.` in front, and punctuation say
    /// nothing.
    init(_ text: String) {
        let scalars = Array(Self.plain(text).unicodeScalars.prefix(Self.maximumLength))
        var index = Self.labelEnd(scalars)
        while index < scalars.count {
            let scalar = scalars[index]
            if Self.isDigit(scalar) || scalar == "." && index + 1 < scalars.count && Self.isDigit(scalars[index + 1]) {
                let end = Self.numberEnd(scalars, from: index)
                let digits = String(scalars: scalars[index..<end])
                let plain = digits.filter { $0 != "," }
                tokens.append(.number(Rational(decimal: plain)?.description ?? plain))
                index = end
            } else if let sign = Self.sign(scalars, at: index) {
                tokens.append(.sign(sign))
                index += 1
            } else if scalar.properties.isAlphabetic {
                var end = index
                while end < scalars.count, scalars[end].properties.isAlphabetic || Self.isApostrophe(scalars, at: end) {
                    end += 1
                }
                let word = String(scalars: scalars[index..<end]).lowercased()
                tokens.append(.word(word.replacing("\u{2019}", with: "'")))
                index = end
            } else {
                index += 1
            }
        }
    }

    /// The values of the numbers, in order: what no copy may change.
    var numbers: [Token] { tokens.filter { if case .number = $0 { true } else { false } } }

    /// The signs of the arithmetic, in order: LaTeX puts that of a fraction in front.
    var signs: [Token] { tokens.filter { if case .sign(let sign) = $0 { sign != "=" } else { false } } }

    /// How alike two steps are in all that they say, 0 to 1.
    func overlap(_ other: StepTokens) -> Double { Self.dice(tokens, other.tokens) }

    /// How alike their numbers and signs are, 0 to 1; 0 where one has none.
    func arithmeticOverlap(_ other: StepTokens) -> Double {
        func arithmetic(_ tokens: [Token]) -> [Token] {
            tokens.filter { if case .word = $0 { false } else { true } }
        }
        let (mine, theirs) = (arithmetic(tokens), arithmetic(other.tokens))
        return mine.isEmpty || theirs.isEmpty ? 0 : Self.dice(mine, theirs)
    }

    private static func dice(_ one: [Token], _ two: [Token]) -> Double {
        guard !one.isEmpty || !two.isEmpty else { return 1 }
        var counts: [Token: Int] = [:]
        for token in one { counts[token, default: 0] += 1 }
        var common = 0
        for token in two {
            guard let left = counts[token], left > 0 else { continue }
            counts[token] = left - 1
            common += 1
        }
        return 2 * Double(common) / Double(one.count + two.count)
    }

    // MARK: Scalars

    /// The text without calculator marks, with LaTeX's signs as plain ones.
    private static func plain(_ text: String) -> String {
        var text = WorkedSolution.withoutMarks(text)
        guard text.contains("\\") else { return text }
        for (name, sign) in [
            ("\\times", " * "), ("\\cdot", " * "), ("\\div", " / "), ("\\dfrac", " / "), ("\\tfrac", " / "),
            ("\\frac", " / "), ("\\text", " "), ("\\left", " "), ("\\right", " "), ("\\$", "$"), ("\\%", "%"),
        ] { text = text.replacing(name, with: sign) }
        return text
    }

    /// Where the step itself begins, behind `Step 2:`, `2.` or `(2)`.
    private static func labelEnd(_ scalars: [Unicode.Scalar]) -> Int {
        var index = 0
        func skip(_ marks: String) {
            while index < scalars.count, marks.unicodeScalars.contains(scalars[index]) { index += 1 }
        }
        skip(" \t\n\r*_#>-\u{2022}`(\"\u{201C}")
        let word = String(scalars: scalars[index..<min(index + 4, scalars.count)]).lowercased()
        if word == "step" {
            index += 4
            skip(" #")
        }
        let digits = index
        while index < scalars.count, index - digits < 3, isDigit(scalars[index]) { index += 1 }
        guard index > digits, index < scalars.count else { return 0 }
        // `2.5` and `2 apples` begin a step, `2. She` stands before one.
        let isLabel = ":.)".unicodeScalars.contains(scalars[index])
        guard isLabel || word == "step" && "*_-\u{2013}".unicodeScalars.contains(scalars[index]) else { return 0 }
        let behind = index + 1
        if behind < scalars.count, isDigit(scalars[behind]) { return 0 }
        return behind
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isApostrophe(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
        (scalars[index] == "'" || scalars[index] == "\u{2019}") && index + 1 < scalars.count
            && scalars[index + 1].properties.isAlphabetic
    }

    /// The end of a number with its thousands and its places.
    private static func numberEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int {
        var index = start
        var hasPoint = false
        while index < scalars.count {
            if isDigit(scalars[index]) {
                index += 1
            } else if scalars[index] == ".", !hasPoint, index + 1 < scalars.count, isDigit(scalars[index + 1]) {
                hasPoint = true
                index += 1
            } else if scalars[index] == ",", !hasPoint, index + 3 < scalars.count,
                scalars[(index + 1)...(index + 3)].allSatisfy(isDigit),
                index + 4 == scalars.count || !isDigit(scalars[index + 4])
            {
                index += 1
            } else {
                break
            }
        }
        return index
    }

    /// The sign of arithmetic that stands here.
    private static func sign(_ scalars: [Unicode.Scalar], at index: Int) -> Character? {
        let scalar = scalars[index]
        if scalar == "=" { return "=" }
        guard let operation = Arithmetic.operation(scalar) else { return nil }
        // An x is a letter, a dash joins words, stars are emphasis, but for between numbers.
        let isDoubtful = "xX-\u{2013}*".unicodeScalars.contains(scalar)
        guard isDoubtful else { return operation }
        let before = scalars[..<index].last { $0 != " " }
        let behind = scalars[(index + 1)...].first { $0 != " " && $0 != "$" && $0 != "(" }
        let closes = before.map { isDigit($0) || $0 == ")" || $0 == "%" } ?? false
        return closes && behind.map(isDigit) == true ? operation : nil
    }
}
