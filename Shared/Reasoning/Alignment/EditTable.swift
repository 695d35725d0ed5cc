/// The unit-cost edit table of two sequences, kept as what a walk back through it asks for.
///
/// The table is filled by columns of 64 cells a word (Myers 1999 in Hyyrö's form) in a band around the diagonal
/// (Ukkonen 1985). Each column keeps two words for 64 cells: where the value is that of the cell above plus one, and
/// either where it is that of the cell on the left plus one, or where it is that of the cell diagonally before.
///
/// A script of d operations stays within the band of its bound. Cells outside are taken at values that are at least
/// their own, so that for a bound that reaches the distance every cell on an optimal path has its own value and each
/// question on such a path its own answer: the walk makes the same choices as in the whole table.
struct EditTable: ~Copyable {
    /// What is kept beside the steps from above.
    enum Kept {
        /// Where the cell on the left is one less.
        case stepsFromLeft
        /// Where the cell diagonally before is equal.
        case equalDiagonals
    }

    /// How far a first band goes beyond what the lengths ask for: two words a column.
    private static let firstReach = 31
    /// Tables of so few words a column are filled whole at once.
    static let fewWords = 4

    /// The edit distance.
    let distance: Int
    /// How many words of 64 cells were filled to find it, those of bands that were too narrow included.
    let filledWords: Int
    /// The table's answers, as long as it lives.
    let cells: Cells

    /// What the filled cells say; rows and columns count from 1.
    struct Cells {
        fileprivate let words: UnsafeMutablePointer<UInt64>
        fileprivate let band: Band

        /// Whether the cell's value is that of the cell above plus one, and the bit that was chosen to be kept.
        @inline(__always)
        func callAsFunction(_ row: Int, _ column: Int) -> (fromAbove: Bool, kept: Bool) {
            let word = ((row &- 1) >> 6) &- band.first(column)
            let cell = words + 2 &* ((column &- 1) &* band.stride &+ word)
            let bit = UInt64(truncatingIfNeeded: row &- 1)
            return (cell[0] &>> bit & 1 != 0, cell[1] &>> bit & 1 != 0)
        }
    }

    /// Which words of a column are filled.
    fileprivate struct Band {
        let low: Int
        let high: Int
        let words: Int
        let stride: Int

        init(rows: Int, columns: Int, reach: Int) {
            let shift = rows - columns
            low = min(0, shift) - reach
            high = max(0, shift) + reach
            words = (rows + 63) >> 6
            stride = min(words, ((high - low) >> 6) + 2)
        }

        /// Both for columns from 1; row i is bit i − 1.
        @inline(__always) func first(_ column: Int) -> Int { min(words &- 1, max(0, column &+ low &- 1) >> 6) }
        @inline(__always) func last(_ column: Int) -> Int { min(words &- 1, max(0, column &+ high &- 1) >> 6) }
    }

    /// Fills the table; neither sequence may be empty.
    init(_ first: UnsafeBufferPointer<Int32>, _ second: UnsafeBufferPointer<Int32>, kept: Kept) {
        let words = (first.count + 63) >> 6
        let positions = TokenPositions(first, second, words: words)
        defer { positions.deallocate() }
        let shift = abs(first.count - second.count)
        let whole = max(first.count, second.count)
        var reach = words <= EditTable.fewWords ? whole : EditTable.firstReach
        var filled = 0
        while true {
            let band = Band(rows: first.count, columns: second.count, reach: reach)
            filled += second.count * band.stride
            let cells = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * second.count * band.stride)
            // Each its own loop: what is kept is not asked for each word.
            let bound =
                switch kept {
                case .stepsFromLeft: EditTable.fill(cells, band, positions, first.count, second.count, .stepsFromLeft)
                case .equalDiagonals: EditTable.fill(cells, band, positions, first.count, second.count, .equalDiagonals)
                }
            if bound <= shift + 2 * reach + 1 || reach >= whole {
                distance = bound
                filledWords = filled
                self.cells = Cells(words: cells, band: band)
                return
            }
            // The value found is the cost of some script, so that a band which holds all of that cost is enough.
            cells.deallocate()
            reach = (bound - shift + 1) / 2
        }
    }

    deinit { cells.words.deallocate() }

    /// Fills the band's cells and returns the value of the last one.
    @inline(__always)
    private static func fill(
        _ cells: UnsafeMutablePointer<UInt64>,
        _ band: Band,
        _ positions: TokenPositions,
        _ rows: Int,
        _ columns: Int,
        _ kept: Kept
    ) -> Int {
        let increases = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * band.words)
        defer { increases.deallocate() }
        let decreases = increases + band.words
        var bottom = band.last(1)
        increases.initialize(repeating: ~0, count: band.words)
        decreases.initialize(repeating: 0, count: band.words)
        // The value below the lowest word that is filled.
        var value = (bottom + 1) * 64
        for column in 1...columns {
            let top = band.first(column)
            if band.last(column) > bottom {
                bottom += 1
                value += 64
            }
            var output = cells + 2 &* (column &- 1) &* band.stride
            let matches = positions.matches(column: column &- 1)
            var carriedUp: UInt64 = 1
            var carriedDown: UInt64 = 0
            var word = top
            while word <= bottom {
                let increase = increases[word]
                let decrease = decreases[word]
                let match = matches[word] | carriedDown
                let same = (((match & increase) &+ increase) ^ increase) | match | decrease
                let left = decrease | ~(same | increase)
                let right = same & increase
                let shiftedLeft = left &<< 1 | carriedUp
                let shiftedRight = right &<< 1 | carriedDown
                carriedUp = left &>> 63
                carriedDown = right &>> 63
                let up = shiftedRight | ~(same | shiftedLeft)
                increases[word] = up
                decreases[word] = shiftedLeft & same
                output[0] = up
                output[1] = kept == .stepsFromLeft ? left : same
                output += 2
                word &+= 1
            }
            positions.clear(column: column &- 1)
            value += Int(carriedUp) - Int(carriedDown)
        }
        // The last word may go beyond the last row.
        let used = UInt64((rows - 1) & 63) + 1
        guard used < 64 else { return value }
        return value - (increases[band.words - 1] >> used).nonzeroBitCount
            + (decreases[band.words - 1] >> used).nonzeroBitCount
    }
}
