/// What units, and words for large numbers, may make of a result without a word about it.
///
/// `25 * 4 = $1` counts cents and states dollars; such a statement is odd, not wrong.
enum UnitConversion {
    private static let time = [60, 3600, 24, 1440, 7, 12, 30, 365, 52, 4]
    private static let length = [12, 3, 36, 5280, 1760, 10, 100, 1000]
    private static let mass = [16, 2000, 14, 10, 100, 1000]
    private static let volume = [2, 3, 4, 8, 16, 32, 128, 10, 100, 1000]

    private static let factors: [String: [Int]] = {
        var table: [String: [Int]] = [:]
        func add(_ units: [String], _ factors: [Int]) {
            for unit in units { table[unit] = factors }
        }
        add(["dollar", "dollars", "cent", "cents", "euro", "euros", "pound", "pounds", "pence", "pennies"], [100])
        add(["percent", "percentage"], [100])
        add(["second", "seconds", "minute", "minutes", "min", "hour", "hours", "hr", "hrs", "day", "days"], time)
        add(["week", "weeks", "month", "months", "year", "years"], time)
        add(["inch", "inches", "foot", "feet", "ft", "yard", "yards", "mile", "miles"], length)
        add(["mm", "cm", "meter", "meters", "metre", "metres", "km", "kilometers", "kilometres"], length)
        add(["centimeters", "centimetres"], length)
        add(
            ["ounce", "ounces", "oz", "lb", "lbs", "ton", "tons", "gram", "grams", "kg", "kilogram", "kilograms"],
            mass
        )
        add(["mg", "tonnes"], mass)
        add(
            ["teaspoons", "tablespoons", "cup", "cups", "pint", "pints", "quart", "quarts", "gallon", "gallons"],
            volume
        )
        add(["ml", "liter", "liters", "litre", "litres"], volume)
        return table
    }()

    private static let scales: [String: Int] = [
        "dozen": 12, "dozens": 12, "hundred": 100, "hundreds": 100, "thousand": 1000, "thousands": 1000,
        "million": 1_000_000, "millions": 1_000_000, "billion": 1_000_000_000, "billions": 1_000_000_000,
    ]

    /// Whether a stated value may be the exact one in another unit, or in thousands of which the line speaks.
    ///
    /// Arguments:
    ///   - unit: the word behind the stated value, or what its sign stands for.
    static func mayExplain(_ stated: Rational, of exact: Rational, unit: String?, inLine words: Set<String>) -> Bool {
        let units = (unit.flatMap { factors[$0] } ?? []) + words.compactMap { scales[$0] }
        return units.contains { factor in
            let factor = Rational(factor)
            return exact.multiplied(by: factor) == stated || stated.multiplied(by: factor) == exact
        }
    }
}
