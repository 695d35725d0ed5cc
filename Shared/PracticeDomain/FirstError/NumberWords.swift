import Reasoning

/// Words that stand for numbers.
enum NumberWords {
    private static let whole: [String: Int] = [
        "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
        "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
        "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
        "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1_000, "twice": 2, "double": 2,
        "doubled": 2, "triple": 3, "tripled": 3, "thrice": 3, "dozen": 12, "couple": 2, "pair": 2,
    ]
    private static let parts: [String: Int] = [
        "half": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fifth": 5, "sixth": 6,
        "seventh": 7, "eighth": 8, "tenth": 10,
    ]

    /// The value of a word in lower case; nil where it is no number.
    static func value(of word: String) -> Rational? {
        if let value = whole[word] { return Rational(value) }
        return parts[word].flatMap { Rational(1, over: $0) }
    }
}

/// Words without their endings, to compare texts by what they speak of.
enum WordStems {
    private static let stops: Set<String> = [
        "the", "and", "for", "she", "they", "his", "her", "their", "that", "this", "which", "will", "has", "have",
        "had", "with", "from", "then", "therefore", "thus", "since", "each", "per", "would", "need", "needs", "can",
        "let", "not", "does", "did", "there", "was", "were", "are", "been",
    ]
    private static let rates: Set<String> = ["per", "each", "every"]
    /// Words after `each` and its like that name nothing.
    private static let nameless: Set<String> = [
        "of", "in", "on", "at", "to", "by", "as", "or", "but", "so", "if", "it", "its", "he", "is", "be", "per",
        "each", "every", "a", "an", "the", "for", "more", "less", "than", "total",
    ]

    /// The stems of the words that carry meaning.
    static func stems(_ tokens: [StepToken]) -> Set<String> {
        var stems: Set<String> = []
        for case .word(let word) in tokens where word.count > 2 && !stops.contains(word) {
            if NumberWords.value(of: word) == nil { stems.insert(stem(word)) }
        }
        return stems
    }

    private static func stem(_ word: String) -> String {
        for ending in ["es", "s", "ed", "ing"] where word.hasSuffix(ending) && word.count > ending.count + 2 {
            return String(word.dropLast(ending.count))
        }
        return word
    }

    /// The stems of what the text calls something per: `per day`, `each player`, `km/hour`.
    static func ratedUnits(_ tokens: [StepToken]) -> Set<String> {
        var found: Set<String> = []
        for (first, second) in zip(tokens, tokens.dropFirst()) {
            guard case .word(let unit) = second else { continue }
            if case .word(let rate) = first {
                if rates.contains(rate), !stops.contains(unit), !nameless.contains(unit) { found.insert(stem(unit)) }
            } else if first == .operation("/") {
                found.insert(stem(unit))
            }
        }
        return found
    }
}
