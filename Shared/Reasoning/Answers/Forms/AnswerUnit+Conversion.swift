extension AnswerUnit {
    /// What a unit measures, and how many of the first unit of its kind it is.
    private struct Measure {
        let kind: String
        var power = 1
        let size: ExactNumber

        init(_ kind: String, _ size: Int, over divisor: Int = 1, power: Int = 1) {
            self.kind = kind
            self.power = power
            self.size = ExactNumber(size).divided(by: ExactNumber(divisor)) ?? .one
        }
    }

    /// Units that are exact multiples of each other; no temperatures, no tons or ounces of which there are several.
    private static let measures: [String: Measure] = [
        "millimetre": Measure("metre", 1, over: 1_000), "centimetre": Measure("metre", 1, over: 100),
        "decimetre": Measure("metre", 1, over: 10), "metre": Measure("metre", 1),
        "kilometre": Measure("metre", 1_000), "inch": Measure("metre", 127, over: 5_000),
        "foot": Measure("metre", 381, over: 1_250), "yard": Measure("metre", 1_143, over: 1_250),
        "mile": Measure("metre", 201_168, over: 125), "milligram": Measure("gram", 1, over: 1_000),
        "gram": Measure("gram", 1), "kilogram": Measure("gram", 1_000),
        "ounce": Measure("gram", 45_359_237, over: 1_600_000), "lb": Measure("gram", 45_359_237, over: 100_000),
        "pound": Measure("gram", 45_359_237, over: 100_000), "second": Measure("second", 1),
        "minute": Measure("second", 60), "hour": Measure("second", 3_600), "day": Measure("second", 86_400),
        "week": Measure("second", 604_800), "month": Measure("month", 1), "year": Measure("month", 12),
        "litre": Measure("metre", 1, over: 1_000, power: 3),
        "millilitre": Measure("metre", 1, over: 1_000_000, power: 3), "pint": Measure("pint", 1),
        "quart": Measure("pint", 2), "gallon": Measure("pint", 8), "watt": Measure("watt", 1),
        "kilowatt": Measure("watt", 1_000), "cent": Measure("money", 1), "dollar": Measure("money", 100),
        "USD": Measure("money", 100), "euro": Measure("money", 100),
    ]

    /// Whether a word names a time, which "a" and "each" make a rate of: `$20 an hour`.
    static func isTime(_ word: String) -> Bool {
        var unit = AnswerUnit()
        unit.add(word)
        return unit.powers.count == 1 && unit.measured.map { $0.kinds["second"] == 1 || $0.kinds["month"] == 1 } == true
    }

    /// By what a number in this unit is multiplied for another of the same kind; nil where the two are of other kinds, or are
    /// not told exactly by each other.
    func factor(to other: AnswerUnit) -> ExactNumber? {
        guard !powers.isEmpty, !other.powers.isEmpty, !UnitOpposites.contradict(directions, other.directions),
            words.isSubset(of: other.words) || other.words.isSubset(of: words),
            // Cents are of either money, which is no reason to take one for the other.
            powers["euro"] == nil || other.powers.keys.allSatisfy({ $0 != "dollar" && $0 != "USD" }),
            other.powers["euro"] == nil || powers.keys.allSatisfy({ $0 != "dollar" && $0 != "USD" }),
            let own = measured, let theirs = other.measured, own.kinds == theirs.kinds
        else { return nil }
        return own.size.divided(by: theirs.size)
    }

    /// What is measured, by powers of kinds, and the unit's size; nil where a unit is unknown.
    private var measured: (kinds: [String: Int], size: ExactNumber)? {
        var kinds: [String: Int] = [:]
        var size = ExactNumber.one
        for (name, power) in powers {
            guard let measure = Self.measures[name], let part = measure.size.raised(to: power),
                let product = size.multiplied(by: part)
            else { return nil }
            size = product
            let total = (kinds[measure.kind] ?? 0) + measure.power * power
            kinds[measure.kind] = total == 0 ? nil : total
        }
        return (kinds, size)
    }
}

extension AnswerParser {
    /// `3 hours 20 minutes`, `3 hours and 20 minutes`, `5 ft 3 in`, `$3 and 50 cents`: whole numbers of ever smaller units of one
    /// kind, as one number of the last; nil for anything else.
    static func measured(_ tokens: [MathToken]) -> AnswerForm? {
        guard (4...16).contains(tokens.count) else { return nil }
        var parts: [(value: ExactNumber, unit: AnswerUnit)] = []
        var index = 0
        while index < tokens.count {
            if !parts.isEmpty, tokens[index].kind == .comma || tokens[index].kind == .conjunction(isOr: false) {
                index += 1
            }
            var unit = AnswerUnit()
            if index < tokens.count, case .currency(let name) = tokens[index].kind {
                unit.add(name)
                index += 1
            }
            guard index < tokens.count, case .number(let text) = tokens[index].kind, let value = text.value else {
                return nil
            }
            index += 1
            if unit.isEmpty {
                guard index < tokens.count else { return nil }
                switch tokens[index].kind {
                case .letters(let word), .word(let word), .currency(let word):
                    unit.add(word == "in" ? "inch" : word)
                default: return nil
                }
                index += 1
            }
            guard unit.words.isEmpty, unit.powers.count == 1 else { return nil }
            parts.append((value, unit))
        }
        guard parts.count > 1, let last = parts.last else { return nil }
        var terms: [Expression] = []
        var before: ExactNumber?
        for (value, unit) in parts {
            guard let factor = unit.factor(to: last.unit), before.map({ factor < $0 }) ?? true else { return nil }
            before = factor
            terms.append(.product([.number(value), .number(factor)]))
        }
        return .scalar(ScalarAnswer(expression: .sum(terms), unit: last.unit, isCompound: true))
    }
}
