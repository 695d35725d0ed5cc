/// What is counted or measured: `cm^2`, `dollars`, `red pencils`.
struct AnswerUnit: Sendable, Equatable {
    /// Known units with their powers, by their names in the singular.
    var powers: [String: Int] = [:]
    /// All other words, in the singular.
    var words: Set<String> = []

    var isEmpty: Bool { powers.isEmpty && words.isEmpty }

    /// Whether two answers may be of the same unit: `cm` and `m` are not, and neither are `cats` and `dogs`.
    func isCompatible(with other: AnswerUnit) -> Bool {
        if isEmpty || other.isEmpty { return true }
        if words.isEmpty, other.words.isEmpty {
            if powers == other.powers { return true }
            let yen = "\u{A5}"
            return [self, other].contains { $0.powers == [yen: 1] }
                && [self, other].contains { $0.powers == ["yen": 1] || $0.powers == ["yuan": 1] }
        }
        // A noun that is told on one side only: `5 dollars` and `5 dollars a day`.
        let own = words.union(powers.keys)
        return !own.isDisjoint(with: other.words.union(other.powers.keys))
    }

    /// Whether a run of letters directly after a number is a unit rather than variables.
    static func isAbbreviation(_ run: String) -> Bool { run.utf8.count > 1 && names[run] != nil }

    /// The unit letters that may stand behind a number and a blank in plain text.
    static let letters: Set<String> = ["m", "g", "s", "h", "L", "l", "N", "J", "W", "V", "K", "C", "F"]

    private static let groups: [(String, [String])] = [
        ("millimetre", ["mm", "millimeter", "millimetre"]), ("centimetre", ["cm", "centimeter", "centimetre"]),
        ("decimetre", ["dm", "decimeter", "decimetre"]), ("metre", ["m", "meter", "metre"]),
        ("kilometre", ["km", "kilometer", "kilometre"]), ("inch", ["inch", "inche"]), ("foot", ["ft", "foot", "feet"]),
        ("yard", ["yd", "yard"]), ("mile", ["mi", "mile"]), ("gram", ["g", "gram"]),
        ("kilogram", ["kg", "kilo", "kilogram"]), ("milligram", ["mg", "milligram"]), ("ounce", ["oz", "ounce"]),
        ("pound", ["lb", "pound"]), ("ton", ["ton", "tonne"]), ("litre", ["L", "l", "liter", "litre"]),
        ("millilitre", ["mL", "ml", "milliliter", "millilitre"]), ("gallon", ["gal", "gallon"]),
        ("second", ["s", "sec", "second"]), ("minute", ["min", "minute"]), ("hour", ["h", "hr", "hour"]),
        ("day", ["day"]), ("week", ["wk", "week"]), ("month", ["month"]), ("year", ["yr", "year"]),
        ("dollar", ["dollar"]), ("euro", ["euro"]), ("cent", ["cent"]), ("yen", ["yen"]), ("yuan", ["yuan"]),
        ("rupee", ["rupee"]), ("newton", ["N", "newton"]), ("joule", ["J", "joule"]), ("watt", ["W", "watt"]),
        ("kilowatt", ["kW", "kilowatt"]), ("volt", ["V", "volt"]), ("pascal", ["Pa", "pascal"]),
        ("hertz", ["Hz", "hertz"]), ("kelvin", ["K", "kelvin"]), ("celsius", ["C", "celsius", "Celsius"]),
        ("fahrenheit", ["F", "fahrenheit", "Fahrenheit"]), ("radian", ["rad", "radian"]), ("mole", ["mol", "mole"]),
        ("am", ["am", "AM"]), ("pm", ["pm", "PM"]),
    ]

    private static let names: [String: String] = {
        var names: [String: String] = [:]
        for (name, spellings) in groups { for spelling in spellings { names[spelling] = name } }
        for (name, spellings) in groups {
            for spelling in spellings where spelling.utf8.count > 1 && names[spelling + "s"] == nil {
                names[spelling + "s"] = name
            }
        }
        names["inches"] = "inch"
        for compound in ["mph", "kmh", "kph", "kmph"] { names[compound] = compound }
        return names
    }()

    private static let fillers: Set<String> = [
        "a", "an", "the", "of", "in", "is", "are", "was", "total", "left", "old", "more", "each", "only", "about",
        "away",
        "approximately", "around", "exactly", "tall", "long", "wide", "high", "altogether", "respectively", "units",
        "unit",
        "for", "to", "be", "there", "he", "she", "they", "it", "has", "have", "will", "and",
    ]

    /// Adds a word; `power` is that of what is written behind it, negative below a line.
    mutating func add(_ word: String, power: Int = 1) {
        switch word {
        case "mph": return add("mile", "hour", power)
        case "kmh", "kph", "kmph": return add("kilometre", "hour", power)
        default: break
        }
        if let name = Self.names[word] ?? (word.utf8.count > 2 ? Self.names[word.lowercased()] : nil) {
            let total = (powers[name] ?? 0) + power
            powers[name] = total == 0 ? nil : total
            return
        }
        let lower = word.lowercased()
        guard !Self.fillers.contains(lower) else { return }
        words.insert(Self.singular(lower))
    }

    private mutating func add(_ above: String, _ below: String, _ power: Int) {
        powers[above, default: 0] += power
        powers[below, default: 0] -= power
    }

    private static func singular(_ word: String) -> String {
        if word.utf8.count > 4, word.hasSuffix("ies") { return word.dropLast(3) + "y" }
        if word.utf8.count > 4, ["ches", "shes", "xes", "sses"].contains(where: word.hasSuffix) {
            return String(word.dropLast(2))
        }
        return word.utf8.count > 2 && word.hasSuffix("s") && !word.hasSuffix("ss") ? String(word.dropLast()) : word
    }
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

    /// What stands behind an expression: percent, a degree sign, and words with their powers.
    mutating func unit() -> (unit: AnswerUnit, isPercent: Bool) {
        var unit = AnswerUnit()
        var isPercent = false
        var sign = 1
        var factor = 1
        while let token = next {
            var word: String?
            switch token {
            case .percent: isPercent = true
            case .currency(let name): word = name
            case .degree, .period, .prime: break
            case .times: break
            case .minus where position + 1 < end && isWord(at: position + 1): break
            case .slash:
                guard position + 1 < end, isWord(at: position + 1) else { return (unit, isPercent) }
                sign = -1
            case .word(let text), .letters(let text):
                switch text.lowercased() {
                case "per":
                    sign = -1
                case "square", "sq", "squared": factor = 2
                case "cubic", "cu", "cubed": factor = 3
                default: word = text
                }
            case .open(.round) where position + 2 < end && isWord(at: position + 1): break
            case .close(.round): break
            default: return (unit, isPercent)
            }
            position += 1
            if let word {
                let power = acceptUnitPower() ?? factor
                unit.add(word, power: sign * power)
                factor = 1
                sign = 1
            }
        }
        return (unit, isPercent)
    }

    private func isWord(at index: Int) -> Bool {
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
