/// Finds texts that show that their author saw a reference solution or was told the answer.
public enum LeakFilter {
    /// Whether a text mentions a reference solution, a provided answer, the ground truth, a hint and the like, or takes
    /// the right answer for known.
    ///
    /// A solution of salt, a sample that answers, a reference book and an answer that somebody in the problem gives are no
    /// such mention. Linear in the text's length.
    public static func mentionsReference(_ text: String) -> Bool {
        for sentence in LeakSentence.sentences(of: text) {
            for index in sentence.words.indices {
                guard let patterns = LeakPattern.byFirstWord[sentence.words[index]] else { continue }
                for pattern in patterns {
                    guard let end = pattern.end(in: sentence.words, from: index) else { continue }
                    if pattern.isPlain || !sentence.isAboutSomethingElse(index..<end, pattern.context) { return true }
                }
            }
        }
        return false
    }
}

/// A sentence as words in lower case.
struct LeakSentence {
    var words: [String] = []
    /// Whether the sentence is about mixtures, of which a solution is one.
    private var isAboutMixtures = false

    /// The sentences of a text; tags and line ends part them, and `&lt;` and the like are no words.
    static func sentences(of text: String) -> [LeakSentence] {
        var sentences: [LeakSentence] = []
        var current = LeakSentence()
        var word = ""
        func endWord() {
            if !word.isEmpty { current.words.append(word) }
            if chemistry.contains(word) { current.isAboutMixtures = true }
            word = ""
        }
        func endSentence() {
            endWord()
            if !current.words.isEmpty { sentences.append(current) }
            current = LeakSentence()
        }
        let scalars = text.lowercased().unicodeScalars
        var previous: Unicode.Scalar = " "
        var endsNumber = false
        for scalar in scalars {
            let isDigit = ("0"..."9").contains(scalar)
            // A stop behind a number ends the sentence unless it is a point.
            if endsNumber, !isDigit { endSentence() }
            endsNumber = scalar == "." && ("0"..."9").contains(previous)
            if scalar.properties.isAlphabetic {
                word.unicodeScalars.append(scalar)
            } else if scalar == "'" || scalar == "\u{2019}" {
                // "isn't" is a word.
                continue
            } else if scalar != "." && "?!;\n\r<>".unicodeScalars.contains(scalar) || scalar == "." && !endsNumber {
                endSentence()
            } else if isDigit {
                endWord()
                if current.words.last != LeakPattern.number { current.words.append(LeakPattern.number) }
            } else {
                endWord()
                if scalar == "%" { current.isAboutMixtures = true }
            }
            previous = scalar
        }
        endSentence()
        return sentences
    }

    /// Whether words that could name a reference name something that the problem is about.
    func isAboutSomethingElse(_ range: Range<Int>, _ context: LeakPattern.Context) -> Bool {
        let before = range.lowerBound > 0 ? words[range.lowerBound - 1] : ""
        let after = words.indices.contains(range.upperBound) ? words[range.upperBound] : ""
        switch context {
        case .solution:
            if Self.explaining.contains(after) { return false }
            return isAboutMixtures || after == "of"
        case .answer:
            // "had given answers to 5 questions", "the answers given by the class"
            return ["has", "had", "have", "was", "were", "been", "she", "he", "they", "a", "any", "each"].contains(
                before
            )
                || ["by", "to", "choice", "choices", "option", "options", "sheet", "sheets", "box"].contains(after)
                || words[range].last == "answers" && after == LeakPattern.number
        case .reference: return !after.isEmpty && !Self.telling.contains(after) && !Self.joints.contains(after)
        case .hint: return after == "of"
        case .conclusion:
            return words[..<range.lowerBound].suffix(2).contains(where: Self.conclusions.contains)
        case .plain: return false
        }
    }

    /// What a written solution does, and none of salt.
    private static let explaining: Set<String> = [
        "says", "states", "shows", "tells", "indicates", "suggests", "mentions", "explains", "multiplies", "subtracts",
        "divides", "computes", "calculates", "arrives", "assumes",
    ]
    private static let telling: Set<String> = explaining.union(["uses", "gives", "adds", "finds", "has", "is", "was"])
    private static let joints: Set<String> = [
        "we", "i", "and", "it", "so", "where", "which", "that", "the", "this", "also", "above", "below", "provided",
        "given", "in", "for", "as", "but", LeakPattern.number,
    ]
    private static let chemistry: Set<String> = [
        "salt", "salty", "saline", "acid", "acidic", "alcohol", "sugar", "ml", "milliliters", "millilitres", "liter",
        "liters", "litre", "litres", "percent", "concentration", "concentrated", "mixture", "mix", "mixed", "mixes",
        "water", "chemical", "chemist", "dissolved", "beaker", "flask", "lab", "laboratory", "cleaning", "bleach",
        "vinegar", "iodine", "antifreeze", "gallon", "gallons", "ounces", "pour", "poured", "pours", "dilute",
        "diluted", "ph", "grams", "bottle", "bottles", "spray", "lens",
    ]
    private static let conclusions: Set<String> = [
        "so", "now", "therefore", "thus", "hence", "then", "finally", "and", "consequently",
    ]
}
