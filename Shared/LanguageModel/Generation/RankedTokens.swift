/// Some tokens of a vocabulary, the heaviest first and of equals the lowest index first.
///
/// Weights are not negative, so that their bits are in the order of their values: an entry is one number, the complement of
/// the weight's bits above the index, and entries in ascending order are the tokens in theirs.
struct RankedTokens {
    private(set) var entries: [UInt64] = []

    var count: Int { entries.count }

    func weight(_ rank: Int) -> Float { Float(bitPattern: ~UInt32(truncatingIfNeeded: entries[rank] >> 32)) }

    func token(_ rank: Int) -> Int { Int(entries[rank] & 0xFFFF_FFFF) }

    private static func entry(_ weight: Float, _ index: Int) -> UInt64 {
        UInt64(~weight.bitPattern) << 32 | UInt64(truncatingIfNeeded: index)
    }

    /// All tokens that are heavier than `floor`.
    init(of weights: UnsafeBufferPointer<Float>, above floor: Float) {
        for (index, weight) in weights.enumerated() where weight > floor { entries.append(Self.entry(weight, index)) }
        sort()
    }

    /// The `limit` heaviest tokens that are heavier than `floor`, in time that grows with the vocabulary alone.
    ///
    /// A radix selection: the weights' leading bits are counted, which tells the value of them at which the limit is
    /// reached; what lies above is chosen, and among those at it the next bits decide.
    init(heaviest limit: Int, of weights: UnsafeBufferPointer<Float>, above floor: Float = -1) {
        guard limit > 0 else { return }
        var counts = [Int](repeating: 0, count: Self.digits)
        for weight in weights where weight > floor { counts[Self.digit(Self.entry(weight, 0), 0)] += 1 }
        guard var (edge, missing) = Self.edge(counts, limit) else {
            self = RankedTokens(of: weights, above: floor)
            return
        }
        var open: [UInt64] = []
        for (index, weight) in weights.enumerated() where weight > floor {
            let entry = Self.entry(weight, index)
            let digit = Self.digit(entry, 0)
            if digit < edge { entries.append(entry) } else if digit == edge { open.append(entry) }
        }
        for level in 1...2 where open.count > missing {
            counts = [Int](repeating: 0, count: Self.digits)
            for entry in open { counts[Self.digit(entry, level)] += 1 }
            guard let next = Self.edge(counts, missing) else { break }
            (edge, missing) = next
            var rest: [UInt64] = []
            for entry in open {
                let digit = Self.digit(entry, level)
                if digit < edge { entries.append(entry) } else if digit == edge { rest.append(entry) }
            }
            open = rest
        }
        // Those that are left open weigh the same, or are all wanted; they lie in the order of their indices.
        entries.append(contentsOf: open.prefix(missing))
        sort()
    }

    // MARK: Digits

    /// The most values of a digit.
    private static let digits = 1 << 11

    /// The weight's bits in three digits, the most significant first.
    @inline(__always)
    private static func digit(_ entry: UInt64, _ level: Int) -> Int {
        switch level {
        case 0: Int(entry >> 53)
        case 1: Int(entry >> 42 & 0x7FF)
        default: Int(entry >> 32 & 0x3FF)
        }
    }

    /// The digit at which `limit` entries are reached, and how many of those that have it are wanted; nil where there are
    /// fewer entries.
    private static func edge(_ counts: [Int], _ limit: Int) -> (digit: Int, missing: Int)? {
        var missing = limit
        for (digit, count) in counts.enumerated() {
            if count >= missing { return (digit, missing) }
            missing -= count
        }
        return nil
    }

    // MARK: Sorting

    /// Few entries are compared; many are sorted digit by digit, the least significant first, which leaves equal weights
    /// in the order in which they came: that of their indices.
    private mutating func sort() {
        guard entries.count > 2048 else { return entries.sort() }
        var other = entries
        for level in [2, 1, 0] {
            var starts = [Int](repeating: 0, count: Self.digits)
            for entry in entries { starts[Self.digit(entry, level)] += 1 }
            var sum = 0
            for digit in starts.indices { (starts[digit], sum) = (sum, sum + starts[digit]) }
            for entry in entries {
                let digit = Self.digit(entry, level)
                other[starts[digit]] = entry
                starts[digit] += 1
            }
            swap(&entries, &other)
        }
    }
}
