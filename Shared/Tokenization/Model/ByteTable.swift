/// A hash table from byte strings to token ids that can be asked with borrowed bytes.
///
/// Swift's `String` compares canonically equivalent texts as equal, which a vocabulary must not.
struct ByteTable: Sendable {
    private var arena: [UInt8] = []
    private var entries: [(start: Int, count: Int, id: TokenID)] = []
    private var slots: [Int32] = Array(repeating: -1, count: 16)

    var count: Int { entries.count }

    /// Adds a key; false when it is there already.
    mutating func insert(_ key: [UInt8], _ id: TokenID) -> Bool {
        if (entries.count + 1) * 2 > slots.count { grow() }
        return key.withUnsafeBufferPointer { bytes in
            let slot = find(bytes)
            guard slots[slot] < 0 else { return false }
            slots[slot] = Int32(truncatingIfNeeded: entries.count)
            entries.append((arena.count, bytes.count, id))
            arena.append(contentsOf: bytes)
            return true
        }
    }

    func id(_ key: UnsafeBufferPointer<UInt8>) -> TokenID? {
        let entry = slots[find(key)]
        return entry < 0 ? nil : entries[Int(entry)].id
    }

    func id(_ key: [UInt8]) -> TokenID? { key.withUnsafeBufferPointer { id($0) } }

    /// Calls `body` with each key and id, in the order of insertion.
    func forEach(_ body: (ArraySlice<UInt8>, TokenID) throws -> Void) rethrows {
        for entry in entries { try body(arena[entry.start..<entry.start + entry.count], entry.id) }
    }

    private func find(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Self.hash(key) & mask
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.count == key.count, arena[entry.start..<entry.start + entry.count].elementsEqual(key) { break }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        slots = Array(repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        arena.withUnsafeBufferPointer { arena in
            for (index, entry) in entries.enumerated() {
                let key = UnsafeBufferPointer(rebasing: arena[entry.start..<entry.start + entry.count])
                var slot = Self.hash(key) & mask
                while slots[slot] >= 0 { slot = (slot + 1) & mask }
                slots[slot] = Int32(truncatingIfNeeded: index)
            }
        }
    }

    private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        value ^= value >> 32
        return Int(truncatingIfNeeded: value &* 0x9E37_79B9_7F4A_7C15 >> 17)
    }
}

/// A hash table from pairs of token ids to the rank of their merge.
struct PairTable: Sendable {
    private var keys: [UInt64]
    private var values: [Int32]
    private let mask: Int

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        keys = Array(repeating: .max, count: size)
        values = Array(repeating: -1, count: size)
        mask = size - 1
    }

    @inline(__always)
    private static func key(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 20) & mask
        while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & mask }
        return slot
    }

    /// Adds a pair; the rank that it has already, if any.
    ///
    /// The table must have room by its capacity.
    mutating func insert(_ left: TokenID, _ right: TokenID, rank: Int32) -> Int32? {
        let key = Self.key(left, right)
        let slot = slot(key)
        guard keys[slot] == .max else { return values[slot] }
        keys[slot] = key
        values[slot] = rank
        return nil
    }

    /// The rank of a pair, `Int32.max` when the two do not merge.
    @inline(__always)
    func rank(_ left: TokenID, _ right: TokenID) -> Int32 {
        let key = Self.key(left, right)
        let slot = slot(key)
        return keys[slot] == key ? values[slot] : .max
    }
}
