import Foundation

/// Learns a byte-level vocabulary from texts: the pair that occurs most is merged, again and again.
///
/// The result depends on the texts and options only: pairs that occur equally often go by their ids, smaller first.
/// Ids are the 256 bytes in the order of their spelling, then the merges, then the special tokens, then the added ones.
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

    /// Learns from `texts` until there are `vocabularySize` tokens, special and added ones included, or no pair is left.
    ///
    /// - Parameters:
    ///   - texts: what is learned from.
    ///   - vocabularySize: the most tokens.
    ///   - specialTokens: found in texts as wholes, and left out by decoding unless it is asked for them.
    ///   - addedTokens: found in texts as wholes, and decoded like any other token: tags, for instance.
    /// - Returns: A tokenizer in the layout of Qwen2's.
    /// - Throws: `TokenizationError` when the vocabulary has no room for the bytes and the special and added tokens, one
    ///   of those is shorter than two bytes or repeated, or `eosToken` or `padToken` is no special token.
    public func train(
        _ texts: some Sequence<String>,
        vocabularySize: Int,
        specialTokens: [String] = ["<|endoftext|>"],
        addedTokens: [String] = []
    ) throws -> Tokenizer {
        try check(vocabularySize: vocabularySize, specialTokens: specialTokens, addedTokens: addedTokens)
        let words = countWords(texts, without: specialTokens + addedTokens)
        var learner = MergeLearner(words: words, symbols: Self.orderedBytes.count)
        let merges = learner.learn(
            count: vocabularySize - Self.orderedBytes.count - specialTokens.count - addedTokens.count,
            minimumFrequency: max(1, minimumFrequency)
        )
        var tokens = Self.orderedBytes.map { ByteAlphabet.spellings[Int($0)] }
        // Two merges may spell the same token; the trainer keeps one id a spelling.
        for merge in merges where merge.isNew { tokens.append(tokens[Int(merge.left)] + tokens[Int(merge.right)]) }
        let json = tokenizerJSON(
            tokens: tokens,
            merges: merges.map { (tokens[Int($0.left)], tokens[Int($0.right)]) },
            specialTokens: specialTokens,
            addedTokens: addedTokens
        )
        return try Tokenizer(json: json, configuration: configurationJSON(specialTokens))
    }

    /// The bytes in the order of their characters, which is the order of their ids.
    static let orderedBytes: [UInt8] = (0..<256).map { UInt8($0) }
        .sorted { ByteAlphabet.scalars[Int($0)] < ByteAlphabet.scalars[Int($1)] }

    private func check(vocabularySize: Int, specialTokens: [String], addedTokens: [String]) throws {
        func malformed(_ message: String) -> TokenizationError {
            TokenizationError(.malformed, place: "tokenizer training", message)
        }
        let least = 256 + specialTokens.count + addedTokens.count
        guard vocabularySize >= least, vocabularySize <= BytePairModel.maximumID else {
            throw malformed(
                "vocabularySize is \(vocabularySize), outside \(least)...\(BytePairModel.maximumID) "
                    + "(256 bytes, \(specialTokens.count) special and \(addedTokens.count) added tokens are always there)"
            )
        }
        var seen: Set<[UInt8]> = []
        for (kind, tokens) in [("special", specialTokens), ("added", addedTokens)] {
            for token in tokens {
                guard token.utf8.count > 1 else {
                    throw malformed("\(kind) token \"\(token)\" is shorter than two bytes")
                }
                guard seen.insert(Array(token.utf8)).inserted else {
                    throw malformed("\(kind) token \(token) is repeated")
                }
            }
        }
        for token in [eosToken, padToken].compactMap({ $0 })
        where !specialTokens.contains(where: { $0.utf8.elementsEqual(token.utf8) }) {
            throw malformed("\(token) is to end or fill texts but is no special token")
        }
    }

    private func countWords(
        _ texts: some Sequence<String>,
        without tokens: [String]
    ) -> [(word: [UInt8], count: Int)] {
        // What a token stands for on its own is no material for merges.
        let added = AddedTokens(
            tokens.map {
                AddedTokens.Token(
                    id: 0,
                    content: Array($0.utf8),
                    isSpecial: true,
                    isNormalized: false,
                    isSingleWord: false,
                    stripsLeft: false,
                    stripsRight: false
                )
            },
            spelling: \.content
        )
        var indexByWord: [[UInt8]: Int] = [:]
        var words: [(word: [UInt8], count: Int)] = []
        func count(_ piece: some Sequence<UInt8>) {
            var normalized = NormalizedText(piece, origin: 0, keepsOffsets: false)
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
        for text in texts {
            let bytes = Array(text.utf8)
            let pieces = bytes.withUnsafeBufferPointer { added.split($0) }
            for piece in pieces where piece.id == nil { count(bytes[piece.range]) }
        }
        return words
    }
}
