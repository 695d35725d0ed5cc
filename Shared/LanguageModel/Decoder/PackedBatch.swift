public import Tokenization

/// Token sequences laid end to end, without padding.
public struct PackedBatch: Sendable {
    /// All tokens, sequence after sequence.
    public let tokens: [TokenID]
    /// The first row of each sequence, and the number of tokens at the end.
    public let offsets: [Int]
    /// Each token's position in its own sequence.
    public let positions: [Int32]

    /// Packs sequences in the order given.
    public init(_ sequences: [[TokenID]]) {
        tokens = sequences.flatMap { $0 }
        var offsets = [0]
        var positions: [Int32] = []
        positions.reserveCapacity(tokens.count)
        for sequence in sequences {
            offsets.append(offsets[offsets.count - 1] + sequence.count)
            positions.append(contentsOf: (0..<sequence.count).lazy.map { Int32($0) })
        }
        self.offsets = offsets
        self.positions = positions
    }

    /// Number of sequences.
    public var count: Int { offsets.count - 1 }
}
