public import Tokenization

/// Token sequences laid end to end, without padding, in which sequences of one group share the rows of a common prefix.
///
/// A group is a tree of segments: tokens that all its sequences begin with are the root, and where sequences part, each
/// goes on in a segment of its own. A row sees its own segment up to itself and all of the segments above it, so what a
/// row computes is the same as if its sequence had been computed alone.
public struct PackedBatch: Sendable {
    /// All tokens, segment after segment.
    public let tokens: [TokenID]
    /// The first row of each segment, and the number of tokens at the end.
    ///
    /// Without groups a segment is a sequence.
    public let offsets: [Int]
    /// The segment that each segment continues, always an earlier one; −1 where a sequence begins.
    public let parents: [Int]
    /// Each token's position in its own sequence.
    public let positions: [Int32]
    /// The segments of each sequence, first to last.
    private let paths: [[Int]]

    /// Packs sequences in the order given; none shares anything with another.
    public init(_ sequences: [[TokenID]]) {
        var builder = Builder(sequenceCount: sequences.count)
        for (index, sequence) in sequences.enumerated() {
            builder.append(sequence[...], position: 0, parent: -1, sequences: [index])
        }
        self.init(builder)
    }

    /// Packs groups of sequences; the sequences of a group share the rows of every prefix that they have in common.
    ///
    /// Sequences are numbered in the order given, group after group.
    public init(groups: [[[TokenID]]]) {
        var builder = Builder(sequenceCount: groups.reduce(0) { $0 + $1.count })
        var first = 0
        for group in groups {
            builder.add(group, numbers: Array(first..<first + group.count), members: Array(group.indices))
            first += group.count
        }
        self.init(builder)
    }

    private init(_ builder: Builder) {
        tokens = builder.tokens
        offsets = builder.offsets
        parents = builder.parents
        positions = builder.positions
        paths = builder.paths
    }

    /// Number of sequences.
    public var count: Int { paths.count }

    /// The rows of a sequence, first token to last.
    public func rows(ofSequence sequence: Int) -> [Int32] {
        paths[sequence].flatMap { segment in (offsets[segment]..<offsets[segment + 1]).lazy.map { Int32($0) } }
    }

    private struct Builder {
        var tokens: [TokenID] = []
        var offsets = [0]
        var parents: [Int] = []
        var positions: [Int32] = []
        var paths: [[Int]]

        init(sequenceCount: Int) { paths = [[Int]](repeating: [], count: sequenceCount) }

        mutating func append(_ part: ArraySlice<TokenID>, position: Int, parent: Int, sequences: [Int]) {
            for sequence in sequences { paths[sequence].append(parents.count) }
            parents.append(parent)
            tokens.append(contentsOf: part)
            positions.append(contentsOf: (position..<position + part.count).lazy.map { Int32($0) })
            offsets.append(tokens.count)
        }

        /// Lays out a group depth first, sequences in the order in which they part.
        ///
        /// The stack is our own, for a group of n sequences may part n − 1 times.
        mutating func add(_ group: [[TokenID]], numbers: [Int], members: [Int]) {
            var waiting = [(members: members, depth: 0, parent: -1)]
            while let (members, depth, parent) = waiting.popLast() {
                guard let first = members.first else { continue }
                var end = members.reduce(group[first].count) { min($0, group[$1].count) }
                for member in members.dropFirst() {
                    let common = zip(group[first][depth..<end], group[member][depth..<end]).prefix { $0 == $1 }
                    end = depth + common.count
                }
                var segment = parent
                if end > depth || parent < 0 {
                    segment = parents.count
                    append(
                        group[first][depth..<end],
                        position: depth,
                        parent: parent,
                        sequences: members.map { numbers[$0] }
                    )
                }
                var branches: [(token: TokenID, members: [Int])] = []
                for member in members where group[member].count > end {
                    let token = group[member][end]
                    if let known = branches.firstIndex(where: { $0.token == token }) {
                        branches[known].members.append(member)
                    } else {
                        branches.append((token, [member]))
                    }
                }
                for branch in branches.reversed() { waiting.append((branch.members, end, segment)) }
            }
        }
    }
}
