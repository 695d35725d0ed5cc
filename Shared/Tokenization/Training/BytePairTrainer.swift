import Foundation

/// Learns a byte-level vocabulary from texts: the pair that occurs most is merged, again and again.
///
/// The result depends on the texts and options only: pairs that occur equally often go by their ids, smaller first.
/// Ids are the 256 bytes in the order of their spelling, then the merges, then the special tokens.
public struct BytePairTrainer: Sendable {
    /// How texts are cut into words.
    public var preTokenizer: PreTokenizerPattern
    /// Least count of a pair that is merged.
    public var minimumFrequency: Int
    /// The token that ends a text; the first special token when nil.
    public var eosToken: String?
    /// The token that fills a batch; the first special token when nil.
    public var padToken: String?

    /// A trainer.
    public init(
        preTokenizer: PreTokenizerPattern = .qwen2,
        minimumFrequency: Int = 2,
        eosToken: String? = nil,
        padToken: String? = nil
    ) {
        self.preTokenizer = preTokenizer
        self.minimumFrequency = minimumFrequency
        self.eosToken = eosToken
        self.padToken = padToken
    }

    /// Learns from `texts` until there are `vocabularySize` tokens, special ones included, or no pair is left.
    ///
    /// - Throws: `TokenizationError` when the vocabulary has no room for the bytes and special tokens, a special token
    ///   is empty or repeated, or `eosToken` or `padToken` is none of them.
    public func train(
        _ texts: some Sequence<String>,
        vocabularySize: Int,
        specialTokens: [String] = ["<|endoftext|>"]
    ) throws -> Tokenizer {
        try check(vocabularySize: vocabularySize, specialTokens: specialTokens)
        var learner = MergeLearner(words: countWords(texts), symbols: Self.orderedBytes.count)
        let merges = learner.learn(
            count: vocabularySize - Self.orderedBytes.count - specialTokens.count,
            minimumFrequency: max(1, minimumFrequency)
        )
        var tokens = Self.orderedBytes.map { ByteAlphabet.spellings[Int($0)] }
        // Two merges may spell the same token; the trainer keeps one id a spelling.
        for merge in merges where merge.isNew { tokens.append(tokens[Int(merge.left)] + tokens[Int(merge.right)]) }
        let json = tokenizerJSON(
            tokens: tokens,
            merges: merges.map { (tokens[Int($0.left)], tokens[Int($0.right)]) },
            specialTokens: specialTokens
        )
        return try Tokenizer(json: json, configuration: configurationJSON(specialTokens))
    }

    /// The bytes in the order of their characters, which is the order of their ids.
    static let orderedBytes: [UInt8] = (0..<256).map { UInt8($0) }
        .sorted { ByteAlphabet.scalars[Int($0)] < ByteAlphabet.scalars[Int($1)] }

    private func check(vocabularySize: Int, specialTokens: [String]) throws {
        func malformed(_ message: String) -> TokenizationError {
            TokenizationError(.malformed, place: "tokenizer training", message)
        }
        let least = 256 + specialTokens.count
        guard vocabularySize >= least, vocabularySize <= BytePairModel.maximumID else {
            throw malformed(
                "vocabularySize is \(vocabularySize), outside \(least)...\(BytePairModel.maximumID) "
                    + "(256 bytes and \(specialTokens.count) special tokens are always there)"
            )
        }
        var seen: Set<[UInt8]> = []
        for token in specialTokens {
            guard token.utf8.count > 1 else { throw malformed("special token \"\(token)\" is shorter than two bytes") }
            guard seen.insert(Array(token.utf8)).inserted else { throw malformed("special token \(token) is repeated") }
        }
        for token in [eosToken, padToken].compactMap({ $0 }) where !seen.contains(Array(token.utf8)) {
            throw malformed("\(token) is to end or fill texts but is no special token")
        }
    }

    private func countWords(_ texts: some Sequence<String>) -> [(word: [UInt8], count: Int)] {
        var indexByWord: [[UInt8]: Int] = [:]
        var words: [(word: [UInt8], count: Int)] = []
        for text in texts {
            var normalized = NormalizedText(text.utf8, origin: 0, keepsOffsets: false)
            normalized.composeCanonically()
            normalized.bytes.withUnsafeBufferPointer { bytes in
                var ends: [Int] = []
                preTokenizer.split(bytes, 0..<bytes.count, into: &ends)
                var start = 0
                for end in ends {
                    let word = Array(bytes[start..<end])
                    start = end
                    if let index = indexByWord[word] {
                        words[index].count += 1
                    } else {
                        indexByWord[word] = words.count
                        words.append((word, 1))
                    }
                }
            }
        }
        return words
    }
}
