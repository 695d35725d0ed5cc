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
        if isAngle || other.isAngle { return isDegree(beside: other) || other.isDegree(beside: self) }
        if words.isEmpty, other.words.isEmpty {
            if powers == other.powers { return true }
            let yen = "\u{A5}"
            return [self, other].contains { $0.powers == [yen: 1] }
                && [self, other].contains { $0.powers == ["yen": 1] || $0.powers == ["yuan": 1] }
        }
        // `3 hours of work` are no `3 minutes of work`.
        guard isWithin(other) || other.isWithin(self) else { return false }
        // A noun that is told on one side only: `5 dollars` and `5 dollars a day`.
        let own = words.union(powers.keys)
        return !own.isDisjoint(with: other.words.union(other.powers.keys))
    }

    /// Whether each known unit is one of another's, in the same power.
    private func isWithin(_ other: AnswerUnit) -> Bool { powers.allSatisfy { other.powers[$0.key] == $0.value } }

    /// Whether it is degrees alone, of which a scale may be told.
    private var isAngle: Bool { powers == ["degree": 1] }

    private func isDegree(beside other: AnswerUnit) -> Bool {
        isAngle
            && (other.powers.isEmpty || other.powers["degree"] == 1
                || other.powers.keys.contains { Self.scales.contains($0) })
    }

    private static let scales: Set<String> = ["celsius", "fahrenheit", "kelvin"]

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
        ("am", ["am", "AM"]), ("pm", ["pm", "PM"]), ("degree", ["degree"]), ("\u{A5}", ["\u{A5}"]),
        ("won", ["won", "\u{20A9}"]), ("rouble", ["ruble", "rouble", "\u{20BD}"]), ("lira", ["lira", "\u{20BA}"]),
        ("shekel", ["shekel", "\u{20AA}"]), ("dong", ["dong", "\u{20AB}"]), ("peso", ["peso", "\u{20B1}"]),
        ("naira", ["naira", "\u{20A6}"]), ("hryvnia", ["hryvnia", "\u{20B4}"]), ("baht", ["baht", "\u{E3F}"]),
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
            // `25 °C` has a scale's degrees.
            if Self.scales.contains(name) { powers["degree"] = nil }
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
