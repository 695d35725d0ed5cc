import HeapModule

/// The inner loop of `BytePairTrainer`: pair counts kept up to date while words shrink.
struct MergeLearner {
    struct Merge {
        let left: TokenID
        let right: TokenID
        /// False when an earlier merge spells the same token.
        let isNew: Bool
    }

    private struct Pair: Hashable {
        let left: TokenID
        let right: TokenID
    }

    /// The smallest is merged first: the most frequent, of equals the one with the smaller identifiers.
    private struct Candidate: Comparable {
        let count: Int
        let pair: Pair

        static func < (first: Candidate, second: Candidate) -> Bool {
            if first.count != second.count { return first.count > second.count }
            if first.pair.left != second.pair.left { return first.pair.left < second.pair.left }
            return first.pair.right < second.pair.right
        }
    }

    private var words: [[TokenID]]
    private let wordCounts: [Int]
    private var spellings: [[UInt8]]
    private var idBySpelling: [[UInt8]: TokenID] = [:]
    private var counts: [Pair: Int] = [:]
    private var places: [Pair: Set<Int>] = [:]
    private var heap = Heap<Candidate>()

    init(words: [(word: [UInt8], count: Int)], symbols: Int) {
        var idByByte = [TokenID](repeating: 0, count: 256)
        for (id, byte) in BytePairTrainer.orderedBytes.enumerated() { idByByte[Int(byte)] = TokenID(id) }
        self.words = words.map { word in word.word.map { idByByte[Int($0)] } }
        wordCounts = words.map(\.count)
        spellings = BytePairTrainer.orderedBytes.map { [$0] }
        for (id, spelling) in spellings.enumerated() { idBySpelling[spelling] = TokenID(id) }
        for index in self.words.indices { add(index, sign: 1) }
        for (pair, count) in counts { heap.insert(Candidate(count: count, pair: pair)) }
    }

    /// Merges until `count` tokens are new or no pair occurs `minimumFrequency` times.
    mutating func learn(count: Int, minimumFrequency: Int) -> [Merge] {
        var merges: [Merge] = []
        var created = 0
        while created < count, let best = heap.popMin() {
            let current = counts[best.pair] ?? 0
            guard current == best.count else { continue }  // a newer entry is in the heap
            guard current >= minimumFrequency else { break }
            let spelling = spellings[Int(best.pair.left)] + spellings[Int(best.pair.right)]
            let id: TokenID
            if let known = idBySpelling[spelling] {
                id = known
                merges.append(Merge(left: best.pair.left, right: best.pair.right, isNew: false))
            } else {
                id = TokenID(spellings.count)
                spellings.append(spelling)
                idBySpelling[spelling] = id
                created += 1
                merges.append(Merge(left: best.pair.left, right: best.pair.right, isNew: true))
            }
            apply(best.pair, id)
        }
        return merges
    }

    private mutating func apply(_ pair: Pair, _ id: TokenID) {
        var touched: Set<Pair> = []
        for index in places[pair] ?? [] {
            let before = pairs(words[index])
            add(index, sign: -1)
            var merged: [TokenID] = []
            let word = words[index]
            var position = 0
            while position < word.count {
                if position + 1 < word.count, word[position] == pair.left, word[position + 1] == pair.right {
                    merged.append(id)
                    position += 2
                } else {
                    merged.append(word[position])
                    position += 1
                }
            }
            words[index] = merged
            add(index, sign: 1)
            let after = pairs(merged)
            for gone in before.subtracting(after) { places[gone]?.remove(index) }
            touched.formUnion(before)
            touched.formUnion(after)
        }
        counts[pair] = nil
        places[pair] = nil
        // Stale heap entries are told by their count; the order of pushing does not matter.
        for changed in touched {
            guard let count = counts[changed], count > 0 else { continue }
            heap.insert(Candidate(count: count, pair: changed))
        }
    }

    private func pairs(_ word: [TokenID]) -> Set<Pair> {
        Set(zip(word, word.dropFirst()).map { Pair(left: $0, right: $1) })
    }

    private mutating func add(_ index: Int, sign: Int) {
        let word = words[index]
        for (left, right) in zip(word, word.dropFirst()) {
            let pair = Pair(left: left, right: right)
            counts[pair, default: 0] += sign * wordCounts[index]
            if sign > 0 { places[pair, default: []].insert(index) }
        }
    }
}
