import TensorEngine
import Testing

@Suite("Memory of the tape")
struct TapeMemoryTests {
    /// Random tensors that gradients are wanted of.
    private func tensors(_ shapes: [[Int]], seed: UInt64, context: ComputeContext) throws -> [Tensor] {
        var generator = SeededGenerator(seed: seed)
        return try shapes.map { shape in
            try Tensor(
                randomValues(shape.reduce(1, *), &generator),
                shape: shape,
                context: context,
                requiresGradient: true
            )
        }
    }

    @Test("a checkpointed computation gives the same bits, forwards and backwards", arguments: KernelTable.available)
    func sameBits(kernels: KernelTable) throws {
        func run(checkpointed: Bool) throws -> [[Float]] {
            let context = ComputeContext(threads: 2, kernels: kernels)
            let parameters = try tensors([[33, 20], [20], [20, 20], [20, 20]], seed: 41, context: context)
            let (x, norm, first, second) = (parameters[0], parameters[1], parameters[2], parameters[3])
            let body = { (tape: Tape, x: Tensor) in
                let normed = try tape.rmsNorm(x, weight: norm, epsilon: 1e-6)
                let gate = try tape.linear(normed, weight: first)
                return try tape.linear(try tape.swiglu(gate: gate, up: normed), weight: second, residual: x)
            }
            let tape = Tape(context: context)
            var y = try tape.linear(x, weight: first)
            for _ in 0..<3 { y = checkpointed ? try tape.checkpoint(y, body) : try body(tape, y) }
            let values = y.values
            try tape.seed(y, with: values)
            try tape.backward()
            return try [values] + parameters.map { try #require($0.gradient) }
        }
        #expect(try run(checkpointed: true) == run(checkpointed: false))
    }

    @Test("values that were changed in place stay so when they are released", arguments: KernelTable.available)
    func changedInPlace(kernels: KernelTable) throws {
        let table = RotaryTable(inverseFrequencies: [1, 0.1])
        func run(releases: Bool) throws -> [[Float]] {
            let context = ComputeContext(threads: 2, kernels: kernels)
            let parameters = try tensors([[9, 8], [4], [8, 8]], seed: 5, context: context)
            let tape = Tape(context: context)
            // As Qwen3's queries: the result of a norm, rotated.
            let y = try tape.rmsNorm(parameters[0], weight: parameters[1], epsilon: 1e-6, groups: 2)
            let plain = y.values
            try tape.rotate(y, table: table, positions: (0..<9).map { $0 * 3 })
            let rotated = y.values
            #expect(rotated != plain)
            let z = try tape.linear(y, weight: parameters[2])
            if releases { tape.release(y) }
            #expect(y.values == rotated)
            try tape.seed(z, with: z.values)
            try tape.backward()
            return try [rotated, z.values] + parameters.map { try #require($0.gradient) }
        }
        #expect(try run(releases: true) == run(releases: false))
    }

    @Test("values that the way back reads cannot be changed in place")
    func kept() throws {
        let context = ComputeContext(threads: 1)
        let table = RotaryTable(inverseFrequencies: [1])
        let parameters = try tensors([[3, 2], [2, 2], [1, 2], [2, 1]], seed: 6, context: context)
        let readers: [(Tape, Tensor) throws -> Void] = [
            { _ = try $0.linear($1, weight: parameters[1]) },
            { _ = try $0.rmsNorm($1, weight: Tensor(zeros: [2], context: context), epsilon: 1) },
            { _ = try $0.swiglu(gate: $1, up: $1) },
            { _ = try $0.checkpoint($1) { try $0.linear($1, weight: parameters[1]) } },
            { _ = try $0.causalAttention(queries: $1, keys: $1, values: $1, offsets: [0, 3], headDimension: 2) },
        ]
        for reader in readers {
            let tape = Tape(context: context)
            let y = try tape.linear(parameters[0], weight: parameters[1])
            try tape.rotate(y, table: table, positions: [0, 1, 2])
            try reader(tape, y)
            let error = #expect(throws: TensorError.self) { try tape.rotate(y, table: table, positions: [0, 1, 2]) }
            #expect(error.map { "\($0)".contains("still needed") } == true)
            let update = LowRankUpdate(down: parameters[2], up: parameters[3], scale: 1)
            #expect(throws: TensorError.self) { try tape.addLowRank(update, of: parameters[0], to: y) }
        }
        // Where nothing is recorded, nothing is read later.
        let tape = Tape(context: context, recording: false)
        let y = try tape.linear(parameters[0], weight: parameters[1])
        for reader in readers { try reader(tape, y) }
        try tape.rotate(y, table: table, positions: [0, 1, 2])
    }

    @Test("the logits of all rows never exist at once", arguments: [false, true])
    func logits(weighted: Bool) throws {
        let context = ComputeContext(threads: 2)
        let (rows, dimension, vocabulary) = (3_000, 16, 30_000)
        let hidden = Tensor(zeros: [rows, dimension], context: context, requiresGradient: true)
        let weight = Tensor(zeros: [vocabulary, dimension], context: context, requiresGradient: true)
        let targets = (0..<rows).map { Int32($0) }
        let before = context.buffers.reservedFloats
        let tape = Tape(context: context)
        if weighted {
            _ = try tape.weightedNegativeLogLikelihood(
                hidden,
                weight: weight,
                targets: targets,
                weights: [Float](repeating: 1, count: rows)
            )
        } else {
            let y = try tape.tokenLogProbabilities(hidden, weight: weight, targets: targets)
            try tape.seed(y, with: [Float](repeating: 1, count: rows))
            try tape.backward()
        }
        #expect(weight.gradient != nil)
        let grown = context.buffers.reservedFloats - before
        // All logits are 90 million; a chunk is 17 million, packed operands 4, the gradients half a million.
        #expect(grown > vocabulary * dimension)
        #expect(grown < rows * vocabulary / 3)
    }

    @Test(
        "values that are given back and made again change no bit, under dropout and on several threads too",
        arguments: KernelTable.available
    )
    func release(kernels: KernelTable) throws {
        func run(releases: Bool) throws -> [[Float]] {
            let context = ComputeContext(threads: 3, kernels: kernels)
            let shapes = [[700, 96], [96], [96, 96], [4, 96], [96, 4], [96, 96]]
            let parameters = try tensors(shapes, seed: 8, context: context)
            let (x, norm, weight) = (parameters[0], parameters[1], parameters[2])
            let update = LowRankUpdate(
                down: parameters[3],
                up: parameters[4],
                scale: 0.5,
                dropout: DropoutMask(probability: 0.25, seed: 3, stream: 1)
            )
            let tape = Tape(context: context)
            let normed = try tape.rmsNorm(x, weight: norm, epsilon: 1e-6)
            let gate = try tape.linear(normed, weight: weight)
            try tape.addLowRank(update, of: normed, to: gate)
            if releases { tape.release(normed) }
            let activated = try tape.swiglu(gate: gate, up: x)
            let y = try tape.linear(activated, weight: parameters[5])
            if releases { tape.release(activated) }
            try tape.seed(y, with: y.values)
            try tape.backward()
            return try [y.values] + parameters.map { try #require($0.gradient) }
        }
        #expect(try run(releases: true) == run(releases: false))
    }
}
