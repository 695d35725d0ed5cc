import Foundation
import NumericSupport
import TensorEngine
import Testing

@Suite("Attention over shared prefixes")
struct SharedPrefixAttentionTests {
    /// A random tree of segments, and the sequences that it stands for.
    struct Tree {
        var offsets = [0]
        var parents: [Int] = []
        /// The rows of each path from a root to a leaf.
        var sequences: [[Int]] = []

        init(_ generator: inout SeededGenerator, lengths: [Int]) {
            for index in lengths.indices {
                parents.append(index == 0 ? -1 : Int(generator.next() % UInt64(index + 1)) - 1)
                offsets.append(offsets[index] + lengths[index])
            }
            for leaf in lengths.indices where !parents.contains(leaf) {
                var rows: [Int] = []
                var segment = leaf
                while segment >= 0 {
                    rows.insert(contentsOf: offsets[segment]..<offsets[segment + 1], at: 0)
                    segment = parents[segment]
                }
                sequences.append(rows)
            }
        }

        var rows: Int { offsets[offsets.count - 1] }
    }

    @Test(
        "values and gradients equal those of whole sequences, whatever the tree",
        arguments: KernelTable.available,
        [
            ([1, 1, 1], 1, 1, 2), ([1, 5, 9], 4, 2, 6), ([70, 3, 65], 6, 3, 8), ([128, 64, 64], 2, 1, 16),
            ([3, 0, 4, 1, 7], 4, 4, 10), ([0, 2, 3], 2, 1, 4), ([17, 1, 33, 90, 2, 5, 64], 4, 2, 12),
        ]
    )
    func equalsWholeSequences(kernels: KernelTable, sizes: ([Int], Int, Int, Int)) throws {
        let (lengths, heads, keyHeads, dimension) = sizes
        let context = ComputeContext(threads: 2, kernels: kernels)
        for seed in 0..<6 {
            var generator = SeededGenerator(seed: UInt64(100 + seed))
            let tree = Tree(&generator, lengths: lengths)
            let widths = [heads * dimension, keyHeads * dimension, keyHeads * dimension]
            let inputs = widths.map { width in randomValues(tree.rows * width, &generator).map { $0 * 2 } }
            let upstream = randomValues(tree.rows * widths[0], &generator)
            func run(
                _ inputs: [[Float]],
                _ upstream: [Float],
                offsets: [Int],
                parents: [Int]?
            ) throws -> (y: [Float], gradients: [[Float]]) {
                let tensors = try zip(inputs, widths).map { values, width in
                    try Tensor(values, shape: [values.count / width, width], context: context, requiresGradient: true)
                }
                let tape = Tape(context: context)
                let y = try tape.causalAttention(
                    queries: tensors[0],
                    keys: tensors[1],
                    values: tensors[2],
                    offsets: offsets,
                    parents: parents,
                    headDimension: dimension
                )
                let values = y.values
                try tape.seed(y, with: upstream)
                try tape.backward()
                return (values, try tensors.map { try #require($0.gradient) })
            }
            let shared = try run(inputs, upstream, offsets: tree.offsets, parents: tree.parents)

            let copies = tree.sequences.flatMap { $0 }
            func expand(_ values: [Float], _ width: Int) -> [Float] {
                copies.flatMap { values[$0 * width..<($0 + 1) * width] }
            }
            // Each row's upstream gradient once, at its first copy.
            var whole = expand(upstream, widths[0])
            var seen: Set<Int> = []
            for (copy, row) in copies.enumerated() where !seen.insert(row).inserted {
                for index in copy * widths[0]..<(copy + 1) * widths[0] { whole[index] = 0 }
            }
            #expect(seen.count == tree.rows)
            let alone = try run(
                zip(inputs, widths).map { expand($0, $1) },
                whole,
                offsets: tree.sequences.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
                parents: nil
            )
            expectClose(expand(shared.y, widths[0]), alone.y, "values")
            for (index, width) in widths.enumerated() {
                var sums = [Double](repeating: 0, count: tree.rows * width)
                for (copy, row) in copies.enumerated() {
                    for column in 0..<width {
                        sums[row * width + column] += Double(alone.gradients[index][copy * width + column])
                    }
                }
                expectClose(shared.gradients[index], sums.map { Float($0) }, "gradient \(index)")
            }
        }
    }

    @Test("gradients through a shared prefix agree with finite differences", arguments: KernelTable.available)
    func finiteDifferences(kernels: KernelTable) throws {
        try checkGradients(kernels, [[12, 8], [12, 4], [12, 4]], seed: 31) { tape, t in
            try tape.causalAttention(
                queries: t[0],
                keys: t[1],
                values: t[2],
                offsets: [0, 5, 8, 12],
                parents: [-1, 0, 0],
                headDimension: 4
            )
        }
    }

    @Test("the thread count does not change the bits", arguments: KernelTable.available)
    func threads(kernels: KernelTable) throws {
        var generator = SeededGenerator(seed: 33)
        let values = randomValues(90 * 12, &generator)
        let runs = try [1, 2, 5].map { threads in
            let context = ComputeContext(threads: threads, kernels: kernels)
            let x = try Tensor(values, shape: [90, 12], context: context, requiresGradient: true)
            let tape = Tape(context: context)
            let y = try tape.causalAttention(
                queries: x,
                keys: x,
                values: x,
                offsets: [0, 40, 70, 90],
                parents: [-1, 0, 0],
                headDimension: 4
            )
            try tape.seed(y, with: values)
            try tape.backward()
            return try #require(x.gradient)
        }
        #expect(runs[0] == runs[1])
        #expect(runs[0] == runs[2])
    }

    @Test("a parent that does not lie before its child is refused", arguments: [[0, 0], [-1, 1], [-2, 0], [-1]])
    func badParents(parents: [Int]) throws {
        let context = ComputeContext(threads: 1)
        let x = Tensor(zeros: [4, 2], context: context)
        #expect(throws: TensorError.self) {
            try Tape(context: context).causalAttention(
                queries: x,
                keys: x,
                values: x,
                offsets: [0, 2, 4],
                parents: parents,
                headDimension: 2
            )
        }
    }
}
