/// Words beside a number that cannot both be said of it: `3 left` and `3 right`, `20% off` and `20% more`.
///
/// Nouns need no entry, since other nouns are other units; these words alone would be let pass, where they say nothing of a
/// unit and the other side has none.
enum UnitOpposites {
    private static let groups: [(String, [[String]])] = [
        ("side", [["left"], ["right"]]),
        (
            "change",
            [
                [
                    "more", "extra", "additional", "increase", "increased", "greater", "higher", "larger", "gain",
                    "gained",
                ],
                [
                    "less", "fewer", "off", "discount", "decrease", "decreased", "reduction", "smaller", "lower",
                    "loss",
                    "lost",
                ],
            ]
        ),
        ("height", [["high", "tall"], ["low", "deep"]]), ("length", [["long"], ["short"]]),
        ("width", [["wide"], ["narrow"]]), ("age", [["old", "older"], ["young", "younger"]]),
        ("distance", [["away"], ["toward", "towards"]]), ("balance", [["profit"], ["loss", "lost"]]),
        ("sign", [["positive"], ["negative"]]), ("time", [["early", "before", "ago"], ["late", "after"]]),
        ("place", [["above", "up"], ["below", "down"]]), ("lead", [["ahead"], ["behind"]]),
        ("longitude", [["east"], ["west"]]), ("latitude", [["north"], ["south"]]),
    ]

    /// For each word the groups that it is in, and its side in each.
    private static let sides: [String: [(group: String, side: Int)]] = {
        var sides: [String: [(group: String, side: Int)]] = [:]
        for (group, words) in groups {
            for (side, spellings) in words.enumerated() {
                for word in spellings { sides[word, default: []].append((group, side)) }
            }
        }
        return sides
    }()

    /// The word itself where it has an opposite.
    static func direction(_ word: String) -> String? { sides[word] == nil ? nil : word }

    /// The words that the other side has, too, or others for the same.
    static func repeated(_ words: Set<String>, in others: Set<String>) -> Set<String> {
        guard !words.isEmpty, !others.isEmpty else { return [] }
        return words.filter { word in
            (sides[word] ?? []).contains { own in
                others.contains { (sides[$0] ?? []).contains { $0.group == own.group && $0.side == own.side } }
            }
        }
    }

    /// Whether one side says the opposite of the other and nothing that agrees with it.
    static func contradict(_ gold: Set<String>, _ predicted: Set<String>) -> Bool {
        guard !gold.isEmpty, !predicted.isEmpty else { return false }
        func bySide(_ words: Set<String>) -> [String: Set<Int>] {
            var found: [String: Set<Int>] = [:]
            for word in words { for (group, side) in sides[word] ?? [] { found[group, default: []].insert(side) } }
            return found
        }
        let other = bySide(predicted)
        return bySide(gold).contains { group, sides in other[group].map { $0.isDisjoint(with: sides) } ?? false }
    }
}
