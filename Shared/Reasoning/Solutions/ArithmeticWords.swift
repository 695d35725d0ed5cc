/// The words beside numbers that change what is calculated.
enum ArithmeticWords {
    /// Words that join what follows to what stands before them.
    private static let joining: Set<String> = [
        "times", "plus", "minus", "over", "than", "mod", "modulo", "per", "half", "twice", "thrice", "double",
        "triple", "quadruple", "squared", "cubed", "root", "power", "as", "percent", "log", "ln", "exp", "sin", "cos",
        "tan", "sqrt", "gcd", "lcm", "max", "min", "floor", "ceil", "negative", "choose", "average", "mean", "dozen",
        "hundred", "thousand", "million", "billion", "trillion",
    ]

    private static let numbers: Set<String> = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ]

    /// What a share is called, or an operation that is made of what follows "of".
    private static let shares: Set<String> = [
        "half", "third", "thirds", "quarter", "quarters", "fourth", "fourths", "fifth", "fifths", "sixth", "sixths",
        "eighth", "eighths", "tenth", "tenths", "percent", "percentage", "fraction", "average", "mean", "sum",
        "difference", "product", "quotient", "root", "multiple", "remainder", "ratio", "power", "square",
    ]

    /// Words that may stand between "of" and what it takes a share of.
    private static let determiners: Set<String> = [
        "the", "his", "her", "its", "their", "these", "those", "this", "that", "my", "our", "your", "original", "total",
        "remaining", "first", "other", "all",
    ]

    /// Words that begin a clause of their own, whatever stands before them.
    private static let clauses: Set<String> = [
        "because", "since", "so", "then", "thus", "therefore", "hence", "which", "that", "who", "where", "when",
        "means",
        "meaning", "is", "are", "was", "were", "equals", "gives", "makes", "leaves", "costs", "cost", "has", "have",
        "had",
        "for", "in", "from", "to", "at", "on", "after", "with", "more", "out", "but", "while",
    ]

    /// Words behind which a number is a name, as in "on day 1", unless something tells that they count: "each day 3 * 4".
    private static let numbered: Set<String> = [
        "day", "days", "week", "weeks", "month", "months", "year", "years", "step", "steps", "part", "case", "round",
        "game", "level", "grade", "class", "group", "team", "problem", "question", "chapter", "page", "line", "row",
        "column", "number", "option", "example", "phase", "stage", "equation", "figure", "table", "store", "room",
    ]
    private static let counting: Set<String> = [
        "each", "every", "a", "per", "one", "this", "that", "the", "last", "first", "second", "next", "same",
    ]

    /// Words behind a value that make another value of it.
    private static let changing: Set<String> = joining.union([
        "remainder", "rem", "r", "mod", "divided", "multiplied", "halves", "thirds", "quarters",
        "fourths", "fifths", "sixths", "eighths", "tenths", "hundredths", "thousandths", "hundreds", "thousands",
        "millions", "dozens", "score", "pair", "pairs", "k", "bn", "lakh", "crore", "am", "pm", "o'clock", "st", "nd",
        "rd", "th", "or", "if", "e", "pi",
    ]).subtracting(["per", "as", "than", "over", "average", "percent"])

    /// Whether an expression that begins behind a word owes nothing to what stands before it.
    static func isApart(_ line: ArithmeticLine, at index: Int) -> Bool {
        var index = index
        for _ in 0..<4 {
            guard case .word(let word)? = line.kind(index) else { return true }
            let before = line.kind(index - 1)
            // Letters and names with figures are variables.
            if word.unicodeScalars.count < 2
                || word.unicodeScalars.contains(where: { $0 == "_" || ("0"..."9").contains($0) })
            {
                return false
            }
            if joining.contains(word) || numbers.contains(word) { return false }
            if word == "of" { return !isShare(before) }
            if word == "by" { return !isMultiplying(before) }
            if clauses.contains(word) { return true }
            if numbered.contains(word) { return isCounting(before) }
            if let token = index > 0 ? line.tokens[index - 1] : nil, token.endsValue || token.isOperation {
                return false
            }
            guard determiners.contains(word) else { return true }
            index -= 1
        }
        return true
    }

    private static func isShare(_ kind: ArithmeticToken.Kind?) -> Bool {
        switch kind {
        case .number, .percent, .close, .unknown: true
        case .word(let word): shares.contains(word) || numbers.contains(word)
        default: false
        }
    }

    /// Whether "by" follows a word of multiplication or a number.
    private static func isMultiplying(_ kind: ArithmeticToken.Kind?) -> Bool {
        switch kind {
        case .number, .percent, .close, .unknown: true
        case .word(let word): word.hasPrefix("multipl") || word.hasPrefix("divid")
        default: false
        }
    }

    private static func isCounting(_ kind: ArithmeticToken.Kind?) -> Bool {
        if case .word(let word)? = kind { counting.contains(word) } else { false }
    }

    /// Whether a word begins a clause of its own.
    static func startsClause(_ word: String) -> Bool { clauses.contains(word) }

    /// Words of division with a remainder.
    static let remainders: Set<String> = [
        "remainder", "rem", "left", "leftover", "leftovers", "whole", "full", "complete",
    ]
    /// Words that tell of rounding.
    static let roundings: Set<String> = [
        "round", "rounded", "rounding", "rounds", "roughly", "about", "approximately", "approx", "around", "nearest",
        "almost", "nearly",
    ]

    /// Whether a word behind a value leaves it what it is, as a unit does.
    static func keepsValue(_ word: String, isSpaced: Bool) -> Bool {
        if word.unicodeScalars.count == 1 { return isSpaced && word == "a" }
        return !changing.contains(word) && !word.unicodeScalars.contains { $0 == "_" || ("0"..."9").contains($0) }
    }
}
