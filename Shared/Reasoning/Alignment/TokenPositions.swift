/// Where each token of the first sequence stands, laid out for rows of 64 bits: the match words of a column of the
/// edit table.
///
/// A token that stands in many places has its words ready; for a rare one the bits are set one by one, so that the
/// memory stays far below one word row a distinct token.
///
/// The memory is its maker's to give back, with ``deallocate()``.
struct TokenPositions {
    /// A token in more places than this has its words ready.
    private static let fewPlaces = 6

    /// For each token of the second sequence the number of its token in the first, or −1.
    private let columns: UnsafeMutablePointer<Int32>
    /// The first place of each number, and the next place of each place; −1 ends.
    private let head: UnsafeMutablePointer<Int32>
    private let next: UnsafeMutablePointer<Int32>
    /// The row of ready words of each number, or −1.
    private let rows: UnsafeMutablePointer<Int32>
    private let ready: UnsafeMutablePointer<UInt64>
    private let scratch: UnsafeMutablePointer<UInt64>
    private let words: Int

    /// Numbers the tokens of the first sequence; `words` is its length in words of 64, rounded up.
    init(_ first: UnsafeBufferPointer<Int32>, _ second: UnsafeBufferPointer<Int32>, words: Int) {
        self.words = words
        // Open addressing with at least half of the slots free; a slot is a number and its token.
        let bits = max(1, Int.bitWidth - (2 * first.count - 1).leadingZeroBitCount)
        let capacity = 1 << bits
        columns = .allocate(capacity: second.count + 3 * first.count + 2 * capacity)
        head = columns + second.count
        next = head + first.count
        rows = next + first.count
        let slots = rows + first.count
        slots.update(repeating: -1, count: 2 * capacity)
        func slot(of token: Int32) -> Int {
            let hash = UInt64(UInt32(bitPattern: token)) &* 0x9E37_79B9_7F4A_7C15
            var place = Int(truncatingIfNeeded: hash &>> UInt64(64 - bits))
            while slots[2 &* place] >= 0, slots[2 &* place &+ 1] != token { place = (place &+ 1) & (capacity &- 1) }
            return place
        }
        var count = 0
        var places = 0
        // From the end, so that the places of a token ascend.
        for index in stride(from: first.count - 1, through: 0, by: -1) {
            let place = slot(of: first[index])
            if slots[2 * place] < 0 {
                slots[2 * place] = Int32(count)
                slots[2 * place + 1] = first[index]
                head[count] = -1
                rows[count] = 0
                count += 1
            }
            let number = Int(slots[2 * place])
            next[index] = head[number]
            head[number] = Int32(index)
            rows[number] += 1
        }
        for number in 0..<count {
            if rows[number] > TokenPositions.fewPlaces {
                rows[number] = Int32(places)
                places += 1
            } else {
                rows[number] = -1
            }
        }
        scratch = .allocate(capacity: (places + 1) * words)
        scratch.initialize(repeating: 0, count: (places + 1) * words)
        ready = scratch + words
        for number in 0..<count where rows[number] >= 0 {
            let row = ready + Int(rows[number]) * words
            var index = Int(head[number])
            while index >= 0 {
                row[index >> 6] |= 1 &<< UInt64(truncatingIfNeeded: index)
                index = Int(next[index])
            }
        }
        for index in second.indices { columns[index] = slots[2 * slot(of: second[index])] }
    }

    /// Gives the memory back.
    func deallocate() {
        columns.deallocate()
        scratch.deallocate()
    }

    /// The match words of a column, until ``clear(column:)``: bit `i % 64` of word `i / 64` is set where token `i` of
    /// the first sequence equals the column's token.
    @inline(__always)
    func matches(column: Int) -> UnsafeMutablePointer<UInt64> {
        let number = Int(columns[column])
        guard number >= 0 else { return scratch }
        if rows[number] >= 0 { return ready + Int(rows[number]) &* words }
        var index = Int(head[number])
        while index >= 0 {
            scratch[index >> 6] |= 1 &<< UInt64(truncatingIfNeeded: index)
            index = Int(next[index])
        }
        return scratch
    }

    /// Takes the bits of a column out again.
    @inline(__always)
    func clear(column: Int) {
        let number = Int(columns[column])
        guard number >= 0, rows[number] < 0 else { return }
        var index = Int(head[number])
        while index >= 0 {
            scratch[index >> 6] = 0
            index = Int(next[index])
        }
    }
}
