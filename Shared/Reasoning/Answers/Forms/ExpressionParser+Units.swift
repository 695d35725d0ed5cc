/// What stands behind a number or an expression.
struct UnitSuffix {
    var unit = AnswerUnit()
    var isPercent = false
    /// Of `million` and the like.
    var multiplier = ExactNumber.one

    static let multipliers = [
        "dozen": 12, "hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000,
        "trillion": 1_000_000_000_000,
    ]
    /// Parts that the number before them counts.
    static let parts: Set<String> = [
        "half", "halves", "third", "thirds", "fourths", "fifth", "fifths", "sixth", "sixths", "seventh", "sevenths",
        "eighth",
        "eighths", "ninth", "ninths", "tenth", "tenths", "twelfth", "twelfths", "hundredth", "hundredths", "thousandth",
        "thousandths",
    ]
    /// Behind a number they say its sign: `5 negative`.
    static let signs: Set<String> = ["negative", "minus"]
    /// Behind the figures of a place: `1st`.
    static let ordinals: Set<String> = ["st", "nd", "rd", "th"]
    /// Before a time they mean "per".
    static let articles: Set<String> = ["a", "an", "each", "every"]
    /// Directions behind degrees: `30\u{B0} N`.
    static let directions = ["N": "north", "S": "south", "E": "east", "W": "west"]
    static let prefixPowers = ["square": 2, "sq": 2, "cubic": 3, "cu": 3]
    static let suffixPowers = ["squared": 2, "cubed": 3]
}

extension ExpressionParser {
    /// Whether a unit starts at an index, there being a factor before it.
    func isUnit(at index: Int) -> Bool {
        guard index < end else { return false }
        switch tokens[index].kind {
        case .word(let word): return !(word == "e" || word == "i")
        case .letters where tokens[index].isRest: return false
        case .letters(let run):
            if AnswerUnit.isAbbreviation(run) { return true }
            if UnitSuffix.prefixPowers[run] != nil { return tokens[index].hasSpace }
            if UnitSuffix.ordinals.contains(run), index > 0, !tokens[index].hasSpace,
                case .number = tokens[index - 1].kind
            {
                return true
            }
            if UnitSuffix.articles.contains(run), tokens[index].hasSpace, isTime(at: index + 1) { return true }
            if run.unicodeScalars.count == 1 { return isUnitLetter(run, at: index) }
            if !Self.isProduct(run) { return !run.allSatisfy(\.isUppercase) }
            return tokens[index].hasSpace && !run.allSatisfy(\.isUppercase) && run.contains { "aeiou".contains($0) }
        default: return false
        }
    }

    /// `5 m` at an answer's end, but not `5m`.
    private func isUnitLetter(_ run: String, at index: Int) -> Bool {
        guard tokens[index].hasSpace, index > 0, AnswerUnit.letters.contains(run), case .number = tokens[index - 1].kind
        else { return index > 0 && tokens[index - 1].kind == .degree && (run == "C" || run == "F") }
        guard index + 1 < end else { return true }
        return tokens[index + 1].kind == .slash || tokens[index + 1].kind == .caret
    }

    /// What stands behind an expression: percent, a degree sign, words with their powers, and numbers in words.
    ///
    /// Nil where the words say another number than the digits: `5 squared`, `2 thirds`.
    mutating func unit() -> UnitSuffix? {
        var suffix = UnitSuffix()
        var sign = 1
        var factor: Int?
        var last: String?
        while let token = next {
            var word: String?
            switch token {
            case .percent: suffix.isPercent = true
            case .currency(let name): word = name
            case .degree, .caret:
                guard acceptDegreeSign() else { return factor == nil ? suffix : nil }
                suffix.unit.add("degree")
                continue
            case .period, .prime, .times, .close(.round): break
            case .minus where position + 1 < end && isWord(at: position + 1): break
            case .open(.round) where position + 2 < end && isWord(at: position + 1): break
            case .slash where position + 1 < end && isWord(at: position + 1): sign = -1
            case .word(let text), .letters(let text):
                let lower = text.lowercased()
                if let power = UnitSuffix.multipliers[lower] {
                    guard last == nil, let product = suffix.multiplier.multiplied(by: ExactNumber(power)) else {
                        return nil
                    }
                    suffix.multiplier = product
                } else if UnitSuffix.parts.contains(lower) || UnitSuffix.signs.contains(lower) && position + 1 == end {
                    return nil
                } else if let direction = UnitSuffix.directions[text], suffix.unit.powers["degree"] != nil {
                    word = direction
                } else if lower == "per" {
                    if position + 1 < end, tokens[position + 1].kind == .currency("cent") {
                        // `12 per cent`
                        suffix.isPercent = true
                        position += 2
                        continue
                    }
                    sign = -1
                } else if UnitSuffix.articles.contains(lower), isTime(at: position + 1) {
                    sign = -1
                } else if lower == "in", position + 1 == end, last == nil, suffix.unit.isEmpty,
                    tokens[position].hasSpace
                {
                    word = "inch"
                } else if let power = UnitSuffix.prefixPowers[lower] {
                    factor = power
                } else if let power = UnitSuffix.suffixPowers[lower] {
                    // `5 cm squared` has a unit to square, `5 squared` is 25.
                    guard let last else { return nil }
                    suffix.unit.add(last, power: sign * (power - 1))
                } else {
                    word = text
                }
            default: return factor == nil ? suffix : nil
            }
            position += 1
            if let word {
                suffix.unit.add(word, power: sign * (acceptUnitPower() ?? factor ?? 1))
                last = word
                factor = nil
                sign = 1
            }
        }
        return factor == nil ? suffix : nil
    }

    private func isTime(at index: Int) -> Bool {
        guard index < end else { return false }
        switch tokens[index].kind {
        case .word(let word), .letters(let word): return word.utf8.count > 2 && AnswerUnit.isTime(word)
        default: return false
        }
    }

    /// Whether degrees at an index are the answer's unit, as nothing but a scale or words stand behind them.
    func isUnitDegree(behind index: Int) -> Bool {
        guard functionDepth == 0, depth <= 4 else { return false }
        return index >= end || isWord(at: index)
    }

    func isWord(at index: Int) -> Bool {
        switch tokens[index].kind {
        case .word, .letters, .currency: true
        default: false
        }
    }

    /// `^2`, `^{2}`, `^{-1}` behind a unit.
    private mutating func acceptUnitPower() -> Int? {
        guard next == .caret else { return nil }
        let start = position
        position += 1
        let hasGroup = accept(.open(.group))
        let isNegative = accept(.minus)
        guard case .number(let text)? = next, let value = text.value?.int, (1...9).contains(value) else {
            position = start
            return nil
        }
        position += 1
        if hasGroup, !accept(.close(.group)) {
            position = start
            return nil
        }
        return isNegative ? -value : value
    }
}
