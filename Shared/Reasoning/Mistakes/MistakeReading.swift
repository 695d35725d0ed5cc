import Foundation

/// Finds the kinds of mistakes that a classifier names; all texts are in lower case.
enum MistakeReading {
    private static let names: [String: MistakePattern.Kind] = [
        "logical": .logical, "logic": .logical, "reasoning": .logical,
        "knowledge": .knowledge, "factual": .knowledge,
        "calculation": .calculation, "calculational": .calculation, "numerical": .calculation, "numeric": .calculation,
        "arithmetic": .calculation, "arithmetical": .calculation, "mathematical": .calculation,
        "computational": .calculation, "computation": .calculation,
    ]
    private static let letters: [String: MistakePattern.Kind] = ["a": .logical, "b": .knowledge, "c": .calculation]
    private static let others: Set<String> = ["other", "others", "none", "d"]

    /// What a list of names or letters says; nil where a part of it is neither.
    static func kinds(_ text: String) -> Set<MistakePattern.Kind>? {
        var kinds: Set<MistakePattern.Kind> = []
        for part in text.replacingOccurrences(of: " and ", with: "+").split(whereSeparator: { "+,/&".contains($0) }) {
            let words = part.split { !$0.isLetter }.map(String.init)
            // "the kind is logical" inside an element.
            guard
                let first = words.first(where: { !["the", "kind", "category", "is", "a", "an"].contains($0) })
                    ?? words.first
            else { return nil }
            if let kind = names[first] ?? letters[first] {
                kinds.insert(kind)
            } else if !others.contains(first) {
                return nil
            }
        }
        return kinds
    }

    // MARK: Elements and lines

    private static let tags = ["category", "categories", "kind", "type"]

    /// What the last `<category>` holds, up to the next tag; blanks and a colon in the tag are let pass.
    static func element(in text: String) -> String? {
        for tag in tags {
            guard let open = text.range(of: "<\(tag)", options: .backwards) else { continue }
            let rest = text[open.upperBound...].drop { $0 == " " || $0 == ":" }
            if rest.first == ">" { return String(rest.dropFirst().prefix { $0 != "<" }) }
        }
        return nil
    }

    private static let labels = [
        "category", "categories", "kind of mistake", "kinds of mistakes", "type of mistake", "mistake type",
        "mistake kind", "kind", "type",
    ]

    /// What stands behind the last label with a colon, also as a member of JSON.
    static func line(in text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline).reversed() {
            let bare = line.drop { !$0.isLetter }
            for label in labels where bare.hasPrefix(label) {
                let rest = bare.dropFirst(label.count).drop { " *\"'_".contains($0) }
                guard rest.first == ":" else { continue }
                return String(rest.dropFirst().filter { !"*\"'_{}.".contains($0) })
            }
        }
        return nil
    }

    // MARK: Sentences

    private static let mistakes: Set<String> = [
        "mistake", "mistakes", "error", "errors", "slip", "slips", "category", "kind", "type",
    ]
    private static let denials: Set<String> = ["not", "no", "rather", "than", "instead", "without", "isn", "never"]

    /// The kinds that sentences with "mistake" or "error" name; nil where they name none, or several that nothing joins.
    static func sentence(in text: String) -> Set<MistakePattern.Kind>? {
        var found: [Set<MistakePattern.Kind>] = []
        for sentence in text.split(whereSeparator: { ".!?;\n".contains($0) }) {
            let words = sentence.split { !$0.isLetter }.map(String.init)
            guard words.contains(where: mistakes.contains) else { continue }
            var kinds: Set<MistakePattern.Kind> = []
            var places: [Int] = []
            for (index, word) in words.enumerated() {
                guard let kind = names[word], isNaming(words, at: index) else { continue }
                if words[..<index].suffix(3).contains(where: denials.contains) { continue }
                if kinds.insert(kind).inserted { places.append(index) }
            }
            if kinds.isEmpty { continue }
            let isJoined = zip(places, places.dropFirst()).allSatisfy { first, next in
                words[first..<next].contains { $0 == "and" || $0 == "both" }
                    && !words[first..<next].contains { $0 == "or" || $0 == "but" }
            }
            guard isJoined else { return nil }
            found.append(kinds)
        }
        guard let last = found.last, found.allSatisfy({ $0 == last }) else { return nil }
        return last
    }

    /// Whether a name stands where a kind is named: beside "mistake", or behind "is" with little between.
    private static func isNaming(_ words: [String], at index: Int) -> Bool {
        for word in words[(index + 1)...].prefix(5) {
            if mistakes.contains(word) { return true }
            // "a logical and a calculation mistake", "a logical reasoning error"
            if names[word] == nil, !["and", "or", "a", "an"].contains(word) { break }
        }
        let before = words[..<index]
        guard before.contains(where: mistakes.contains) else { return false }
        return before.suffix(3).contains { ["is", "are", "of", "as", "and", "was"].contains($0) }
    }

    /// Names and nothing else, as the whole text.
    static func bare(_ text: String) -> Set<MistakePattern.Kind>? {
        let plain = text.filter { !"*\"'`_.()".contains($0) }.trimmed
        guard !plain.isEmpty, plain.utf8.count <= 80, !plain.contains("<"), !plain.contains(where: \.isNewline) else {
            return nil
        }
        let words = plain.split { !$0.isLetter }.map(String.init)
        let fillers: Set<String> = ["and", "mistake", "mistakes", "error", "errors", "reasoning", "a", "b", "c", "d"]
        guard words.allSatisfy({ names[$0] != nil || others.contains($0) || fillers.contains($0) }) else { return nil }
        return kinds(plain)
    }
}
