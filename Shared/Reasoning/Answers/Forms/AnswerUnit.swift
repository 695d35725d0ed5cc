/// What is counted or measured: `cm^2`, `dollars`, `red pencils`.
struct AnswerUnit: Sendable, Equatable {
    /// Known units with their powers, by their names in the singular.
    var powers: [String: Int] = [:]
    /// All other words, in the singular.
    var words: Set<String> = []
    /// Words said of a number that contradict some on the other side; see ``UnitOpposites``.
    var directions: Set<String> = []

    var isEmpty: Bool { powers.isEmpty && words.isEmpty }

    /// Whether two answers may be of the same unit: `cm` and `m` are not, and neither are `cats` and `dogs`, `red balls` and
    /// `blue balls`, `5 left` and `5 right`; one side may say less than the other.
    func isCompatible(with other: AnswerUnit) -> Bool {
        guard !UnitOpposites.contradict(directions, other.directions) else { return false }
        if isEmpty || other.isEmpty { return true }
        var own = resolved(beside: other)
        var other = other.resolved(beside: self)
        // `20% off` and `20% less`
        own.words.subtract(UnitOpposites.repeated(directions, in: other.directions))
        other.words.subtract(UnitOpposites.repeated(other.directions, in: directions))
        guard own.words.isSubset(of: other.words) || other.words.isSubset(of: own.words) else { return false }
        if own.isAngle || other.isAngle { return own.isDegree(beside: other) || other.isDegree(beside: own) }
        if own.words.isEmpty, other.words.isEmpty { return own.powers == other.powers }
        // `3 hours of work` are no `3 minutes of work`.
        return own.isWithin(other) || other.isWithin(own)
    }

    /// Whether each known unit is one of another's, in the same power, and each word one of its words.
    private func isWithin(_ other: AnswerUnit) -> Bool {
        powers.allSatisfy { other.powers[$0.key] == $0.value } && words.isSubset(of: other.words)
    }

    /// With names that stand for several units taken for the one that the other side has: `5 pounds` beside `£5`.
    private func resolved(beside other: AnswerUnit) -> AnswerUnit {
        var result = self
        for (name, meanings) in Self.ambiguous {
            guard let power = powers[name], other.powers[name] == nil,
                let meaning = meanings.first(where: { other.powers[$0] == power })
            else { continue }
            result.powers[name] = nil
            result.powers[meaning] = power
        }
        return result
    }

    /// Names of several units.
    private static let ambiguous = [
        "pound": ["\u{A3}", "lb"], "\u{A5}": ["yen", "yuan"],
        "dollar": ["USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD", "TWD"],
    ]

    /// Whether a name says whose dollars `$` stands for.
    static func isDollar(_ name: String) -> Bool { ambiguous["dollar"]?.contains(name) == true }

    /// Whether it is degrees alone, of which a scale may be told.
    private var isAngle: Bool { powers == ["degree": 1] }

    /// Whether it is degrees and nothing else is said.
    var isDegrees: Bool { isAngle && words.isEmpty && directions.isEmpty }

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
        ("pound", ["pound"]), ("lb", ["lb"]), ("\u{A3}", ["\u{A3}"]), ("ton", ["ton", "tonne"]),
        ("litre", ["L", "l", "liter", "litre"]),
        ("millilitre", ["mL", "ml", "milliliter", "millilitre"]), ("gallon", ["gal", "gallon"]),
        ("quart", ["qt", "quart"]), ("pint", ["pint"]),
        ("second", ["s", "sec", "second"]), ("minute", ["min", "minute"]), ("hour", ["h", "hr", "hour"]),
        ("day", ["day"]), ("week", ["wk", "week"]), ("month", ["month"]), ("year", ["yr", "year"]),
        ("dollar", ["dollar"]), ("USD", ["USD"]), ("euro", ["euro"]), ("cent", ["cent"]), ("yen", ["yen"]),
        ("yuan", ["yuan"]),
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
        for code in MathCommands.currencyCodes { names[code] = code }
        for compound in ["mph", "kmh", "kph", "kmph"] { names[compound] = compound }
        return names
    }()

    private static let fillers: Set<String> = [
        "a", "an", "the", "of", "in", "is", "are", "was", "total", "left", "old", "more", "each", "only", "about",
        "away",
        "approximately", "around", "exactly", "tall", "long", "wide", "high", "altogether", "respectively", "units",
        "unit",
        "for", "to", "be", "there", "he", "she", "they", "it", "has", "have", "had", "will", "and", "i", "we", "you",
        "his",
        "her", "their", "its", "my", "your", "our", "who", "that", "this", "these", "those", "were", "can", "would",
        "with",
        "on", "at", "from", "by", "as", "all", "overall", "together", "combined", "remaining", "remain", "still",
        "just",
        "also", "now", "then", "so", "every", "whole", "st", "nd", "rd", "th",
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
        if let direction = UnitOpposites.direction(lower) { directions.insert(direction) }
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
