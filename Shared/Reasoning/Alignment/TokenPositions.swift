/// Where each token of the first sequence stands, laid out for rows of 64 bits: the match words of a column of the
/// edit table.
///
/// In a short sequence (``EditTable/fewWords``) every token has its words ready. In a long one only a token that stands in many places has; for a
/// rare one the bits are set one by one, so that the memory stays far below one word row a distinct token.
///
/// The memory is its maker's to give back, with ``deallocate()``.
struct TokenPositions {
    /// In a long sequence, a token in more places than this has its words ready.
    private static let fewPlaces = 6

    /// For each token of the second sequence the row of its words, or, where they are not ready, the token's number in
    /// the first sequence with all bits flipped.
    private let columns: UnsafeMutablePointer<Int32>
    /// The first place of each number, and the next place of each place; −1 ends.
    ///
    /// Only in a long sequence.
    private let head: UnsafeMutablePointer<Int32>
    private let next: UnsafeMutablePointer<Int32>
    /// Rows of words: none set, which is right for tokens that only the second sequence has; what
    /// ``matches(column:)`` sets for a rare token; and the ready ones.
    private let ready: UnsafeMutablePointer<UInt64>
    private let words: Int

    /// Finds the tokens of the first sequence; `words` is its length in words of 64, rounded up.
    init(_ first: UnsafeBufferPointer<Int32>, _ second: UnsafeBufferPointer<Int32>, words: Int) {
        self.words = words
        let isShort = words <= EditTable.fewWords
        let numbers = TokenNumbers(capacity: first.count)
        defer { numbers.deallocate() }
        columns = .allocate(capacity: second.count + (isShort ? 0 : 2 * first.count))
        head = columns + second.count
        next = head + first.count
        if isShort {
            ready = .allocate(capacity: (2 + first.count) * words)
            ready.initialize(repeating: 0, count: (2 + first.count) * words)
            var count: Int32 = 0
            for index in first.indices {
                let row = ready + (2 &+ Int(numbers.number(of: first[index], count: &count))) &* words
                row[index >> 6] |= 1 &<< UInt64(truncatingIfNeeded: index)
            }
            for index in second.indices {
                columns[index] = numbers.known(second[index]).map { $0 &+ 2 } ?? 0
            }
            return
        }
        let rows = UnsafeMutablePointer<Int32>.allocate(capacity: first.count)
        defer { rows.deallocate() }
        var count: Int32 = 0
        // From the end, so that the places of a token ascend.
        for index in stride(from: first.count - 1, through: 0, by: -1) {
            let before = count
            let number = Int(numbers.number(of: first[index], count: &count))
            if count > before {
                head[number] = -1
                rows[number] = 0
            }
            next[index] = head[number]
            head[number] = Int32(index)
            rows[number] += 1
        }
        var row: Int32 = 2
        for number in 0..<count {
            if rows[Int(number)] > TokenPositions.fewPlaces {
                rows[Int(number)] = row
                row += 1
            } else {
                rows[Int(number)] = ~number
            }
        }
        ready = .allocate(capacity: Int(row) * words)
        ready.initialize(repeating: 0, count: Int(row) * words)
        for number in 0..<count where rows[Int(number)] >= 0 { set(number, in: Int(rows[Int(number)])) }
        for index in second.indices {
            columns[index] = numbers.known(second[index]).map { rows[Int($0)] } ?? 0
        }
    }

    /// Gives the memory back.
    func deallocate() {
        columns.deallocate()
        ready.deallocate()
    }

    /// The match words of a column, until ``clear(column:)``: bit `i % 64` of word `i / 64` is set where token `i` of
    /// the first sequence equals the column's token.
    @inline(__always)
    func matches(column: Int) -> UnsafeMutablePointer<UInt64> {
        let row = columns[column]
        if row >= 0 { return ready + Int(row) &* words }
        set(~row, in: 1)
        return ready + words
    }

    /// Takes the bits of a column out again.
    @inline(__always)
    func clear(column: Int) {
        let row = columns[column]
        guard row < 0 else { return }
        var index = Int(head[Int(~row)])
        while index >= 0 {
            ready[words &+ (index >> 6)] = 0
            index = Int(next[index])
        }
    }

    /// Sets the bits of a token in a row of words.
    @inline(__always)
    private func set(_ number: Int32, in row: Int) {
        let row = ready + row &* words
        var index = Int(head[Int(number)])
        while index >= 0 {
            row[index >> 6] |= 1 &<< UInt64(truncatingIfNeeded: index)
            index = Int(next[index])
        }
    }
}

/// Numbers for the tokens of a sequence, in the order in which they are asked for.
///
/// The memory is its maker's to give back, with ``deallocate()``.
private struct TokenNumbers {
    /// Open addressing with at least half of the slots free; a slot is a number, −1 where it is free, and its token.
    private let slots: UnsafeMutablePointer<(number: Int32, token: Int32)>
    private let bits: Int

    init(capacity: Int) {
        bits = max(1, Int.bitWidth - (2 * capacity - 1).leadingZeroBitCount)
        slots = .allocate(capacity: 1 << bits)
        slots.initialize(repeating: (-1, -1), count: 1 << bits)
    }

    func deallocate() { slots.deallocate() }

    @inline(__always)
    private func slot(of token: Int32) -> Int {
        let hash = UInt64(UInt32(bitPattern: token)) &* 0x9E37_79B9_7F4A_7C15
        var place = Int(truncatingIfNeeded: hash &>> UInt64(64 &- bits))
        while slots[place].number >= 0, slots[place].token != token { place = (place &+ 1) & ((1 &<< bits) &- 1) }
        return place
    }

    /// The number of a token, which is the next one where it has none.
    @inline(__always)
    func number(of token: Int32, count: inout Int32) -> Int32 {
        let place = slot(of: token)
        if slots[place].number < 0 {
            slots[place] = (count, token)
            count &+= 1
        }
        return slots[place].number
    }

    /// The number of a token that has one.
    @inline(__always)
    func known(_ token: Int32) -> Int32? {
        let number = slots[slot(of: token)].number
        return number < 0 ? nil : number
    }
}
