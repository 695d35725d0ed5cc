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

    @Test("a checkpointed computation gives the same bits, forwards and backwards")
    func sameBits() throws {
        func run(checkpointed: Bool) throws -> [[Float]] {
            let context = ComputeContext(threads: 2)
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

    @Test("values that are given back and made again change no bit, under dropout and on several threads too")
    func release() throws {
        func run(releases: Bool) throws -> [[Float]] {
            let context = ComputeContext(threads: 3)
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
