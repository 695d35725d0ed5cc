/// What is kept of a problem to find its duplicates: small, the same in every process, and enough to decide.
///
/// Two problems are *exact duplicates* when their ``text`` is the same. They are *near duplicates* when they have the same
/// numbers and the same answer, and the Jaccard similarity of their bags of ``shingleLength``-word shingles is at least
/// ``threshold``: numbers are content, so that the variants of one story are not called duplicates of each other. Candidates
/// are found by MinHash signatures of ``bandCount`` bands of ``bandRows`` (Broder 1997; Leskovec, Rajaraman and Ullman,
/// *Mining of Massive Datasets*, section 3.4): a pair of similarity s shares a band with probability 1 - (1 - s^5)^20,
/// which is .9996 at the threshold. What they find is then decided by the exact similarity.
public struct ProblemFingerprint: Sendable, Hashable {
    /// The words of a shingle.
    public static let shingleLength = 3
    /// The least similarity of near duplicates.
    public static let threshold = 0.8
    /// The bands of a signature.
    public static let bandCount = 20
    /// The hashes of a band.
    public static let bandRows = 5

    /// The question.
    public let text: NormalizedText
    /// The hash of the answer's words, brackets and dollar signs left out; nil where there is none.
    public let answer: UInt64?
    /// The hash of the whole question.
    public let digest: UInt64
    /// The hashes of the shingles, each once, in ascending order.
    public let shingles: [UInt64]
    /// The bands of the MinHash signature, mixed with numbers and answer: only what could be a near duplicate shares one.
    public let bands: [UInt64]

    /// Takes the fingerprint of a question and its answer; n log n in the length.
    public init(question: String, answer: String?) {
        let text = NormalizedText(question)
        self.text = text
        self.answer = answer.map(Self.answerDigest)
        digest = text.digest
        shingles = Self.shingles(of: text.words)
        let content = StableMix.hash([text.numbersDigest, self.answer ?? 0, self.answer == nil ? 0 : 1])
        bands = MinHash.bands(of: shingles, salt: content)
    }

    /// What a fingerprint says of another one's problem; nothing of a question of which no word is left.
    public func relation(to other: ProblemFingerprint) -> DuplicateKind? {
        guard !text.words.isEmpty else { return nil }
        if text == other.text { return .exact }
        guard answer == other.answer, text.numbersDigest == other.text.numbersDigest else { return nil }
        let similarity = Self.jaccard(shingles, other.shingles)
        return similarity >= Self.threshold ? .near(similarity: similarity) : nil
    }

    /// The Jaccard similarity of two ascending lists without repetitions, 0...1; linear in their lengths.
    public static func jaccard(_ first: [UInt64], _ second: [UInt64]) -> Double {
        var common = 0
        var left = 0
        var right = 0
        while left < first.count, right < second.count {
            if first[left] == second[right] {
                common += 1
                left += 1
                right += 1
            } else if first[left] < second[right] {
                left += 1
            } else {
                right += 1
            }
        }
        let all = first.count + second.count - common
        return all == 0 ? 1 : Double(common) / Double(all)
    }

    /// The shingles, with a mark before the first word and behind the last; of a shingle that comes again each further one
    /// has a hash of its own, so that the similarity is that of bags: a step that is said three times is not said twice.
    private static func shingles(of words: [UInt64]) -> [UInt64] {
        guard !words.isEmpty else { return [] }
        let padded = [StableMix.start] + words + [StableMix.start]
        let all = (0...padded.count - shingleLength).map { StableMix.hash(padded[$0..<$0 + shingleLength]) }.sorted()
        var bag: [UInt64] = []
        bag.reserveCapacity(all.count)
        var times: UInt64 = 0
        for (place, shingle) in all.enumerated() {
            times = place > 0 && shingle == all[place - 1] ? times + 1 : 0
            bag.append(times == 0 ? shingle : StableMix.hash([shingle, times]))
        }
        return bag.sorted()
    }

    private static func answerDigest(_ answer: String) -> UInt64 {
        let brackets = Set("()[]{}".unicodeScalars)
        let bare = answer.unicodeScalars.map { brackets.contains($0) ? " " : $0 }
        return NormalizedText(String(String.UnicodeScalarView(bare))).digest
    }
}

/// How two problems are the same.
public enum DuplicateKind: Sendable, Hashable {
    /// The same normalised question.
    case exact
    /// The same numbers and answer, and shingles of this Jaccard similarity.
    case near(similarity: Double)

    /// The similarity; 1 of exact duplicates.
    public var similarity: Double {
        switch self {
        case .exact: 1
        case .near(let similarity): similarity
        }
    }
}

/// MinHash signatures in bands.
enum MinHash {
    private static let seeds: [UInt64] = {
        var random = ReasoningRandom(seed: 0x6d69_6e68_6173_6831)
        return (0..<ProblemFingerprint.bandCount * ProblemFingerprint.bandRows).map { _ in random.next() }
    }()

    /// The hashes of the bands; each band's number and the salt are part of its hash.
    static func bands(of shingles: [UInt64], salt: UInt64) -> [UInt64] {
        var minima = [UInt64](repeating: .max, count: seeds.count)
        for (index, seed) in seeds.enumerated() {
            var minimum = UInt64.max
            for shingle in shingles {
                // One round of a multiplicative mix is enough: shingles are well mixed already.
                var value = (shingle ^ seed) &* 0x9e37_79b9_7f4a_7c15
                value ^= value >> 32
                value = value &* 0xd6e8_feb8_6659_fd93
                minimum = min(minimum, value)
            }
            minima[index] = minimum
        }
        let rows = ProblemFingerprint.bandRows
        return (0..<ProblemFingerprint.bandCount).map { band in
            StableMix.hash([UInt64(band), salt, StableMix.hash(minima[band * rows..<(band + 1) * rows])])
        }
    }
}
