/// Finds the questions of evaluation sets in problems that a student learns from.
///
/// Two questions overlap where they share ``gramLength`` words in a row (Brown et al. 2020, appendix C). A problem is
/// *contaminated* by an evaluation question when at least ``minimumShare`` of that question's words, and of its numbers,
/// stand in such runs (a share of 70 %, as in Chowdhery et al. 2022, section 8): a question that is quoted whole, with
/// whatever around it, is found; a story of one kind with other numbers is not the same question. By the rule
/// ``Rule/strict`` any shared run is enough. A question of fewer words than a run is found only where it is the whole.
public struct Decontamination: Sendable {
    /// The words in a row that make an overlap.
    public static let gramLength = 13
    /// The least share of an evaluation question's words, and of its numbers, 0...1.
    public static let minimumShare = 0.7
    /// Runs that more evaluation questions than these share are boilerplate, which leads to no question; they count in the
    /// share of a question that other runs led to.
    public static let boilerplateLimit = 100

    /// When an overlap is a contamination.
    public enum Rule: String, Sendable, Hashable, CaseIterable {
        /// Most of the evaluation question is there.
        case standard
        /// Any ``Decontamination/gramLength`` words in a row are there.
        case strict
    }

    /// How much of an evaluation question stands in a text.
    public struct Overlap: Sendable, Hashable {
        /// The words of the evaluation question that stand in shared runs, and all of them.
        public let sharedWords: Int, words: Int
        /// The same of its numbers.
        public let sharedNumbers: Int, numbers: Int

        /// The share of the words, 0...1.
        public var share: Double { words == 0 ? 0 : Double(sharedWords) / Double(words) }

        /// Whether the text is contaminated by the question.
        public func isContamination(by rule: Rule) -> Bool {
            guard sharedWords > 0 else { return false }
            return rule == .strict
                || share >= minimumShare && Double(sharedNumbers) >= minimumShare * Double(numbers)
        }
    }

    /// An evaluation question that stands in a text.
    public struct Match: Sendable, Hashable {
        /// The evaluation problem's id.
        public let id: String
        /// How much of it.
        public let overlap: Overlap
    }

    private let rule: Rule
    private var ids: [String] = []
    private var texts: [NormalizedText] = []
    private var byGram: [UInt64: [Int]] = [:]
    private var byDigest: [UInt64: Int] = [:]

    /// Makes an index without questions.
    public init(rule: Rule = .standard) { self.rule = rule }

    /// Adds an evaluation question.
    public mutating func insert(_ text: NormalizedText, id: String) {
        let place = ids.count
        ids.append(id)
        texts.append(text)
        if byDigest[text.digest] == nil { byDigest[text.digest] = place }
        // One more than the limit tells boilerplate.
        for gram in Set(Self.grams(of: text)) where byGram[gram, default: []].count <= Self.boilerplateLimit {
            byGram[gram, default: []].append(place)
        }
    }

    /// The evaluation question that contaminates a text most, of several the first; nil where there is none.
    public func match(of text: NormalizedText) -> Match? {
        guard !text.words.isEmpty else { return nil }
        if let place = byDigest[text.digest], texts[place] == text {
            return Match(id: ids[place], overlap: Self.whole(text))
        }
        let grams = Set(Self.grams(of: text))
        var best: (place: Int, overlap: Overlap)?
        var seen: Set<Int> = []
        for gram in grams {
            guard let places = byGram[gram], places.count <= Self.boilerplateLimit else { continue }
            for place in places where seen.insert(place).inserted {
                let overlap = Self.overlap(of: texts[place], with: grams)
                guard overlap.isContamination(by: rule) else { continue }
                if best.map({ (overlap.share, -place) > ($0.overlap.share, -$0.place) }) ?? true {
                    best = (place, overlap)
                }
            }
        }
        return best.map { Match(id: ids[$0.place], overlap: $0.overlap) }
    }

    /// How much of an evaluation question stands in another text; linear in the lengths of both.
    public static func overlap(of question: NormalizedText, in text: NormalizedText) -> Overlap {
        question == text ? whole(question) : overlap(of: question, with: Set(grams(of: text)))
    }

    /// The hashes of the runs of ``gramLength`` words, in order; none of a shorter text.
    public static func grams(of text: NormalizedText) -> [UInt64] {
        let words = text.words
        guard words.count >= gramLength else { return [] }
        return (0...words.count - gramLength).map { StableMix.hash(words[$0..<$0 + gramLength]) }
    }

    private static func whole(_ text: NormalizedText) -> Overlap {
        let (words, numbers) = (text.words.count, text.numberPlaces.count)
        return Overlap(sharedWords: words, words: words, sharedNumbers: numbers, numbers: numbers)
    }

    private static func overlap(of question: NormalizedText, with grams: Set<UInt64>) -> Overlap {
        var isShared = [Bool](repeating: false, count: question.words.count)
        var marked = 0
        for (start, gram) in self.grams(of: question).enumerated() where grams.contains(gram) {
            for place in max(start, marked)..<start + gramLength { isShared[place] = true }
            marked = start + gramLength
        }
        return Overlap(
            sharedWords: isShared.count { $0 },
            words: question.words.count,
            sharedNumbers: question.numberPlaces.count { isShared[$0] },
            numbers: question.numberPlaces.count
        )
    }
}
