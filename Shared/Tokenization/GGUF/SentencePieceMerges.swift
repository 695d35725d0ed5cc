/// Merges and scores of SentencePiece's BPE vocabularies, each made from the other.
///
/// SentencePiece keeps no merges: of two neighbours whose text is a token, those are joined first whose token has the
/// highest score.
enum SentencePieceMerges {
    /// The merges that a vocabulary's scores stand for, in the order in which Hugging Face's converter lists them: by
    /// falling score of the token that is made, then by the lengths of the two parts, the longer first.
    ///
    /// - Parameters:
    ///   - tokens: Texts by id.
    ///   - kinds: Which of them merges can make: the normal ones.
    ///   - scores: By id; where there are none, or all are the same, tokens with smaller ids are made first.
    /// - Returns: The two parts of each merge.
    static func merges(
        _ tokens: [[UInt8]],
        _ kinds: [GGUFVocabulary.Kind],
        scores: [Float]?
    ) -> [(left: [UInt8], right: [UInt8])] {
        struct Merge {
            let left: Int
            let right: Int
            let result: Int
            let score: Float
            let lengths: (Int, Int)
        }
        let isMade = tokens.indices.map { kinds[$0] == .normal && !tokens[$0].isEmpty }
        var table = ByteTable()
        for (id, token) in tokens.enumerated() where isMade[id] { _ = table.insert(token, TokenID(id)) }
        let counted = scores.flatMap { list in
            Set(tokens.indices.filter { isMade[$0] }.map { list[$0] }).count > 1 ? list : nil
        }
        var merges: [Merge] = []
        for (id, token) in tokens.enumerated() where isMade[id] {
            let characters = token.count { $0 & 0xC0 != 0x80 }
            var before = 0
            token.withUnsafeBufferPointer { bytes in
                for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
                    before += 1
                    guard let left = table.id(UnsafeBufferPointer(rebasing: bytes[..<cut])),
                        let right = table.id(UnsafeBufferPointer(rebasing: bytes[cut...]))
                    else { continue }
                    merges.append(
                        Merge(
                            left: Int(left),
                            right: Int(right),
                            result: id,
                            score: counted?[id] ?? -Float(id),
                            lengths: (before, characters - before)
                        )
                    )
                }
            }
        }
        merges.sort { first, second in
            if first.score != second.score { return first.score > second.score }
            if first.lengths != second.lengths { return first.lengths > second.lengths }
            return (first.result, first.left, first.right) < (second.result, second.left, second.right)
        }
        return merges.map { (tokens[$0.left], tokens[$0.right]) }
    }

    /// Scores by which SentencePiece's rule merges as `merges` do.
    ///
    /// There are such scores where every pair of tokens that makes a token is among the merges, where the merges that
    /// make one token follow each other, and where every character of a token is itself one.
    /// - Parameters:
    ///   - tokens: Texts by id.
    ///   - kinds: What they are.
    ///   - merges: In the order of rank.
    /// - Returns: Scores by id; nil where none do.
    static func scores(
        _ tokens: [[UInt8]],
        _ kinds: [GGUFVocabulary.Kind],
        merges: [(left: TokenID, right: TokenID, result: TokenID)]
    ) -> [Float]? {
        var scores = [Float?](repeating: nil, count: tokens.count)
        var previous: TokenID?
        var rank = 0
        for merge in merges {
            if merge.result == previous { continue }
            guard scores[Int(merge.result)] == nil else { return nil }
            scores[Int(merge.result)] = -Float(rank)
            rank += 1
            previous = merge.result
        }
        // What no merge makes comes after all that one makes; SentencePiece, too, gives single characters low scores.
        let result = scores.enumerated().map { id, score in score ?? -Float(rank + id) }
        guard self.merges(tokens, kinds, scores: result).count == merges.count else { return nil }
        var characters = Set<[UInt8]>()
        for (id, token) in tokens.enumerated() where kinds[id] == .normal { characters.insert(token) }
        for (id, token) in tokens.enumerated() where kinds[id] == .normal {
            var start = 0
            for end in 1..<max(1, token.count + 1) where end == token.count || token[end] & 0xC0 != 0x80 {
                guard characters.contains(Array(token[start..<end])) else { return nil }
                start = end
            }
        }
        return result
    }
}
