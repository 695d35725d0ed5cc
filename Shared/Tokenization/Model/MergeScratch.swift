import HeapModule

/// The symbols of one word while its pairs are merged; reused from word to word.
///
/// Short words are merged by scanning for the best pair. Long ones (a metaspace tokenizer takes a whole text for one
/// word) use a linked list and a heap, which keeps the time at n log n.
struct MergeScratch {
    private static let longWord = 32

    private struct Candidate: Comparable {
        let rank: Int32
        let position: Int32

        static func < (left: Candidate, right: Candidate) -> Bool {
            left.rank != right.rank ? left.rank < right.rank : left.position < right.position
        }
    }

    private var ids: [TokenID] = []
    private var lengths: [Int32] = []
    private var previous: [Int32] = []
    private var next: [Int32] = []
    private var ranks: [Int32] = []
    /// Empty between words.
    private var heap = Heap<Candidate>()

    mutating func reset() {
        ids.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }

    mutating func append(_ id: TokenID, length: Int) {
        ids.append(id)
        lengths.append(Int32(truncatingIfNeeded: length))
    }

    /// Gives bytes that have no token to the symbol before them, so that later offsets stay right.
    mutating func extendLast(by length: Int) {
        guard !lengths.isEmpty else { return }
        lengths[lengths.count - 1] += Int32(truncatingIfNeeded: length)
    }

    func forEach(_ output: (TokenID, Int) -> Void) {
        for index in ids.indices where ids[index] >= 0 { output(ids[index], Int(lengths[index])) }
    }

    mutating func merge(ranks table: PairTable, merges: [(left: TokenID, right: TokenID, result: TokenID)]) {
        guard ids.count > 1, !merges.isEmpty else { return }
        if ids.count < Self.longWord {
            mergeShort(table, merges)
        } else {
            mergeLong(table, merges)
        }
    }

    private mutating func mergeShort(
        _ table: PairTable,
        _ merges: [(left: TokenID, right: TokenID, result: TokenID)]
    ) {
        ranks.removeAll(keepingCapacity: true)
        for index in 1..<ids.count { ranks.append(table.rank(ids[index - 1], ids[index])) }
        while true {
            var best = Int32.max
            var position = 0
            for index in ranks.indices where ranks[index] < best {
                best = ranks[index]
                position = index
            }
            guard best != .max else { return }
            ids[position] = merges[Int(best)].result
            lengths[position] += lengths[position + 1]
            ids.remove(at: position + 1)
            lengths.remove(at: position + 1)
            ranks.remove(at: position)
            if position > 0 { ranks[position - 1] = table.rank(ids[position - 1], ids[position]) }
            if position < ranks.count { ranks[position] = table.rank(ids[position], ids[position + 1]) }
        }
    }

    private mutating func mergeLong(
        _ table: PairTable,
        _ merges: [(left: TokenID, right: TokenID, result: TokenID)]
    ) {
        let count = Int32(truncatingIfNeeded: ids.count)
        previous = Array(-1..<count - 1)
        next = Array(1..<count) + [-1]
        for index in 0..<count - 1 { push(index, table) }
        while let candidate = heap.popMin() {
            let left = Int(candidate.position)
            guard ids[left] >= 0, next[left] >= 0 else { continue }
            let right = Int(next[left])
            // The pair may have changed since it was pushed; its rank tells.
            guard table.rank(ids[left], ids[right]) == candidate.rank else { continue }
            ids[left] = merges[Int(candidate.rank)].result
            lengths[left] += lengths[right]
            ids[right] = -1
            next[left] = next[right]
            if next[left] >= 0 {
                previous[Int(next[left])] = candidate.position
                push(candidate.position, table)
            }
            if previous[left] >= 0 { push(previous[left], table) }
        }
    }

    /// Pushes the pair that starts at `position` when it can merge.
    private mutating func push(_ position: Int32, _ table: PairTable) {
        let left = Int(position)
        let rank = table.rank(ids[left], ids[Int(next[left])])
        guard rank != .max else { return }
        heap.insert(Candidate(rank: rank, position: position))
    }
}
