/// Some tokens of a vocabulary by their values, logits or weights: the largest first, and of equals the lowest index first.
///
/// A value's key is a number that is the smaller the larger the value; a NaN's is the largest. An entry is a key above an
/// index, and entries in ascending order are the tokens in theirs.
struct RankedTokens {
    private var entries: [UInt64] = []

    var count: Int { entries.count }

    func value(_ rank: Int) -> Float { Self.value(ofKey: UInt32(truncatingIfNeeded: entries[rank] >> 32)) }

    func token(_ rank: Int) -> Int { Int(entries[rank] & 0xFFFF_FFFF) }

    /// The `limit` largest of many values.
    ///
    /// The limit-th largest of the segments' maxima bounds the limit-th largest value from below, and less than `limit`
    /// segments have anything above it: they alone are looked through, and the others for values that equal it.
    init(largest limit: Int, of values: UnsafeBufferPointer<Float>, segments: SegmentMaxima) {
        guard limit < segments.values.count / 4, limit > 0 else {
            self = Self(largest: limit, of: values)
            return
        }
        let bound = segments.values.withUnsafeBufferPointer { maxima in
            Self(largest: limit, of: maxima).entries.last.map { UInt32(truncatingIfNeeded: $0 >> 32) } ?? .max
        }
        let ranges = segments.values.indices.lazy
            .filter { Self.key(segments.values[$0]) <= bound }
            .map { $0 * SegmentMaxima.width..<min(($0 + 1) * SegmentMaxima.width, values.count) }
        collect(values, in: ranges, upTo: bound, equals: limit)
        if entries.count > limit { entries.removeLast(entries.count - limit) }
    }

    /// The `limit` largest values.
    ///
    /// A radix selection: the keys' leading digits are counted, which tells the digit at which the limit is reached, and so
    /// on among those that have it. The time grows with the number of values alone, whatever they are.
    init(largest limit: Int, of values: UnsafeBufferPointer<Float>) {
        guard limit > 0 else { return }
        var bound = UInt32.max
        // How many keys at the bound are wanted, where the bound is exact.
        var equals = Int.max
        if limit < values.count {
            var prefix: UInt32 = 0
            var missing = limit
            for digit in Digit.all {
                let counts = Self.counts(digit, of: values, prefix: prefix)
                var value = 0
                while counts[value] < missing {
                    missing -= counts[value]
                    value += 1
                }
                prefix = digit.extend(prefix, by: value)
                bound = prefix | digit.rest
                // Few more than wanted are sorted with them and left out.
                if counts[value] - missing <= max(limit, 256) { break }
                if digit.rest == 0 { equals = missing }
            }
        }
        entries.reserveCapacity(min(limit, values.count))
        collect(values, in: CollectionOfOne(values.indices), upTo: bound, equals: equals)
        if entries.count > limit { entries.removeLast(entries.count - limit) }
    }

    /// At least so many of the heaviest tokens as have a mass of `mass` together, of those that are heavier than `floor`.
    ///
    /// Weights are not negative, and neither is the floor.
    init(covering mass: Double, of weights: UnsafeBufferPointer<Float>, above floor: Float) {
        let digit = Digit.all[0]
        var masses = [Double](repeating: 0, count: digit.count)
        masses.withUnsafeMutableBufferPointer { masses in
            for weight in weights where weight > floor {
                masses[digit.value(of: Self.key(weight))] += Double(weight)
            }
        }
        // These sums are rounded in another order than those of the tokens in theirs.
        var missing = mass * (1 + 1e-9)
        var value = 0
        while value < masses.count - 1, missing > masses[value] {
            missing -= masses[value]
            value += 1
        }
        collect(
            weights,
            in: CollectionOfOne(weights.indices),
            upTo: min(digit.extend(0, by: value) | digit.rest, Self.key(floor) - 1)
        )
    }

    // MARK: Keys

    /// The bits of negative numbers fall as the numbers do, those of others rise with them.
    @inline(__always)
    private static func key(_ value: Float) -> UInt32 {
        let bits = value.bitPattern
        let sign = UInt32(bitPattern: Int32(bitPattern: bits) &>> 31)
        return value == value ? ~(bits ^ (sign | 0x8000_0000)) : .max
    }

    private static func value(ofKey key: UInt32) -> Float {
        let rising = ~key
        return Float(bitPattern: rising & 0x8000_0000 != 0 ? rising ^ 0x8000_0000 : ~rising)
    }

    // MARK: Digits of keys

    /// A part of a key's 32 bits.
    private struct Digit {
        let shift: UInt32
        let width: UInt32

        /// From the most significant on.
        static let all = [Digit(shift: 21, width: 11), Digit(shift: 10, width: 11), Digit(shift: 0, width: 10)]

        var count: Int { 1 << Int(width) }
        /// The bits after it.
        var rest: UInt32 { 1 << shift - 1 }

        @inline(__always)
        func value(of key: UInt32) -> Int { Int((key &>> shift) & (1 &<< width &- 1)) }

        /// Whether a key has the same bits before this digit as `prefix`.
        @inline(__always)
        func follows(_ prefix: UInt32, _ key: UInt32) -> Bool { ((key ^ prefix) &>> shift) &>> width == 0 }

        func extend(_ prefix: UInt32, by value: Int) -> UInt32 { prefix | UInt32(value) << shift }
    }

    /// How many values have each value of a digit, of those whose keys begin as `prefix`.
    private static func counts(_ digit: Digit, of values: UnsafeBufferPointer<Float>, prefix: UInt32) -> [Int] {
        // Neighbours count in turn, for values that are alike would wait for one counter.
        var lanes = [Int](repeating: 0, count: 4 * digit.count)
        lanes.withUnsafeMutableBufferPointer { lanes in
            for (index, value) in values.enumerated() {
                let key = Self.key(value)
                if digit.follows(prefix, key) { lanes[digit.value(of: key) &+ (index & 3) &* digit.count] &+= 1 }
            }
            for digits in 0..<digit.count {
                for lane in 1...3 { lanes[digits] += lanes[digits + lane * digit.count] }
            }
        }
        return lanes
    }

    // MARK: Entries

    /// Takes the tokens whose keys are at most `bound`, at most `equals` of those that are equal to it, and sorts them.
    private mutating func collect(
        _ values: UnsafeBufferPointer<Float>,
        in ranges: some Sequence<Range<Int>>,
        upTo bound: UInt32,
        equals: Int = .max
    ) {
        var equals = equals
        for range in ranges {
            for index in range {
                let key = Self.key(values[index])
                guard key <= bound else { continue }
                if key == bound {
                    guard equals > 0 else { continue }
                    equals -= 1
                }
                entries.append(UInt64(key) << 32 | UInt64(truncatingIfNeeded: index))
            }
        }
        sort()
    }

    /// Few entries are compared; many are sorted digit by digit, the least significant first, which leaves those of equal
    /// keys in the order in which they came: that of their indices.
    private mutating func sort() {
        guard entries.count > 512 else { return entries.sort() }
        var other = entries
        for digit in Digit.all.reversed() {
            var starts = [Int](repeating: 0, count: digit.count)
            for entry in entries { starts[digit.value(of: UInt32(entry >> 32))] += 1 }
            // A digit that all have alike orders nothing.
            if starts.contains(entries.count) { continue }
            var sum = 0
            for value in starts.indices { (starts[value], sum) = (sum, sum + starts[value]) }
            other.withUnsafeMutableBufferPointer { other in
                starts.withUnsafeMutableBufferPointer { starts in
                    for entry in entries {
                        let value = digit.value(of: UInt32(truncatingIfNeeded: entry >> 32))
                        other[starts[value]] = entry
                        starts[value] &+= 1
                    }
                }
            }
            swap(&entries, &other)
        }
    }
}
