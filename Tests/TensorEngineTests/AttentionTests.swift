import Foundation
import NumericSupport
import TensorEngine
import Testing

@Suite("Causal attention and rotary embedding")
struct AttentionTests {
    private func naive(
        _ q: [Float],
        _ k: [Float],
        _ v: [Float],
        offsets: [Int],
        heads: Int,
        keyHeads: Int,
        dimension: Int
    ) -> [Float] {
        var y = [Float](repeating: 0, count: q.count)
        let group = heads / keyHeads
        for (begin, end) in zip(offsets, offsets.dropFirst()) {
            for head in 0..<heads {
                for row in begin..<end {
                    var scores: [Double] = []
                    for column in begin...row {
                        var dot = 0.0
                        for d in 0..<dimension {
                            dot +=
                                Double(q[(row * heads + head) * dimension + d])
                                * Double(k[(column * keyHeads + head / group) * dimension + d])
                        }
                        scores.append(dot / Double(dimension).squareRoot())
                    }
                    let best = scores.max() ?? 0
                    let weights = scores.map { exp($0 - best) }
                    let total = weights.reduce(0, +)
                    for d in 0..<dimension {
                        var sum = 0.0
                        for (index, weight) in weights.enumerated() {
                            sum += weight * Double(v[((begin + index) * keyHeads + head / group) * dimension + d])
                        }
                        y[(row * heads + head) * dimension + d] = Float(sum / total)
                    }
                }
            }
        }
        return y
    }

    @Test(
        "attention equals its naive form inside each sequence",
        arguments: KernelTable.available,
        [
            ([0, 1], 1, 1, 2), ([0, 5, 5, 18], 4, 2, 6), ([0, 64, 65, 200], 2, 2, 16), ([0, 131], 6, 1, 10),
        ]
    )
    func forward(kernels: KernelTable, sizes: ([Int], Int, Int, Int)) throws {
        let (offsets, heads, keyHeads, dimension) = sizes
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 21)
        let rows = try #require(offsets.last)
        let q = randomValues(rows * heads * dimension, &generator).map { $0 * 3 }
        let k = randomValues(rows * keyHeads * dimension, &generator)
        let v = randomValues(rows * keyHeads * dimension, &generator)
        let y = try Tape(context: context).causalAttention(
            queries: Tensor(q, shape: [rows, heads * dimension], context: context),
            keys: Tensor(k, shape: [rows, keyHeads * dimension], context: context),
            values: Tensor(v, shape: [rows, keyHeads * dimension], context: context),
            offsets: offsets,
            headDimension: dimension
        )
        let expected = naive(q, k, v, offsets: offsets, heads: heads, keyHeads: keyHeads, dimension: dimension)
        expectClose(y.values, expected, "attention")
    }

    @Test(
        "attention gradients agree with finite differences",
        arguments: KernelTable.available,
        [([0, 3, 10], 4, 2, 6), ([0, 70, 81], 2, 1, 4)]
    )
    func gradients(kernels: KernelTable, sizes: ([Int], Int, Int, Int)) throws {
        let (offsets, heads, keyHeads, dimension) = sizes
        let rows = try #require(offsets.last)
        let shapes = [[rows, heads * dimension], [rows, keyHeads * dimension], [rows, keyHeads * dimension]]
        try checkGradients(kernels, shapes, seed: 22) { tape, t in
            try tape.causalAttention(
                queries: t[0],
                keys: t[1],
                values: t[2],
                offsets: offsets,
                headDimension: dimension
            )
        }
    }

    @Test("a sequence's attention does not change with what is packed beside it", arguments: KernelTable.available)
    func independence(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 23)
        let values = randomValues(30 * 8, &generator)
        func run(_ values: [Float], _ offsets: [Int]) throws -> [Float] {
            let x = try Tensor(values, shape: [values.count / 8, 8], context: context)
            return try Tape(context: context)
                .causalAttention(queries: x, keys: x, values: x, offsets: offsets, headDimension: 4).values
        }
        let together = try run(values, [0, 11, 30])
        let alone = try run(Array(values[11 * 8..<30 * 8]), [0, 19])
        #expect(Array(together[11 * 8..<30 * 8]) == alone)
    }

    @Test("rotary gradients agree with finite differences", arguments: KernelTable.available, [4, 6, 34])
    func rotary(kernels: KernelTable, dimension: Int) throws {
        let table = RotaryTable(
            inverseFrequencies: (0..<dimension / 2).map { pow(100, -Float($0) / Float(dimension)) }
        )
        let identity = (0..<dimension * dimension * 4).map { Float($0 % (dimension * 2 + 1) == 0 ? 1 : 0) }
        try checkGradients(kernels, [[5, dimension * 2]], seed: 24) { tape, t in
            let weight = try Tensor(identity, shape: [dimension * 2, dimension * 2], context: t[0].context)
            let y = try tape.linear(t[0], weight: weight)
            try tape.rotate(y, table: table, positions: [0, 1, 7, 2, 900])
            return y
        }
    }

    @Test("attention over offsets that do not cover the rows is refused")
    func badOffsets() throws {
        let context = ComputeContext(threads: 1)
        let x = Tensor(zeros: [4, 4], context: context)
        #expect(throws: TensorError.self) {
            try Tape(context: context)
                .causalAttention(queries: x, keys: x, values: x, offsets: [0, 3], headDimension: 2)
        }
    }
}
