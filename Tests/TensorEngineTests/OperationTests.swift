import Foundation
import NumericSupport
import TensorEngine
import Testing

/// Random values in [-1, 1).
func randomValues(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { _ in Float(generator.nextUniform() * 2 - 1) }
}

/// Holds the recorded gradients of Σ upstream · f(inputs) against central differences.
func checkGradients(
    _ kernels: KernelTable,
    _ shapes: [[Int]],
    seed: UInt64,
    scale: Float = 1,
    _ forward: (Tape, [Tensor]) throws -> Tensor
) throws {
    let context = ComputeContext(threads: 2, kernels: kernels)
    var generator = SeededGenerator(seed: seed)
    let tensors = try shapes.map {
        try Tensor(
            randomValues($0.reduce(1, *), &generator).map { $0 * scale },
            shape: $0,
            context: context,
            requiresGradient: true
        )
    }
    let tape = Tape(context: context)
    let output = try forward(tape, tensors)
    let upstream = randomValues(output.count, &generator)
    try tape.seed(output, with: upstream)
    try tape.backward()
    func loss() throws -> Double {
        let values = try forward(Tape(context: context, recording: false), tensors).values
        return zip(values, upstream).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    for (number, tensor) in tensors.enumerated() {
        let gradient = try #require(tensor.gradient, "input \(number) has no gradient")
        let largest = gradient.map { abs($0) }.max() ?? 0
        for _ in 0..<min(12, tensor.count) {
            let index = Int(generator.next() % UInt64(tensor.count))
            let original = tensor.values[index]
            let step: Float = 4e-3
            tensor.withMutableValues { $0[index] = original + step }
            let above = try loss()
            tensor.withMutableValues { $0[index] = original - step }
            let below = try loss()
            tensor.withMutableValues { $0[index] = original }
            let numeric = Float((above - below) / Double(2 * step))
            #expect(
                abs(numeric - gradient[index]) <= 2e-2 * abs(numeric) + 4e-3 * max(largest, 0.1),
                "input \(number)[\(index)]: \(gradient[index]), finite difference \(numeric)"
            )
        }
    }
}

@Suite("Tensor operations")
struct OperationTests {
    @Test(
        "a linear layer equals its naive form",
        arguments: KernelTable.available,
        [(1, 1, 1), (3, 5, 7), (130, 37, 61), (300, 129, 65)]
    )
    func linearForward(kernels: KernelTable, sizes: (Int, Int, Int)) throws {
        let (rows, inner, outputs) = sizes
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 1)
        let x = randomValues(rows * inner, &generator)
        let w = randomValues(outputs * inner, &generator)
        let b = randomValues(outputs, &generator)
        let r = randomValues(rows * outputs, &generator)
        var expected = [Float](repeating: 0, count: rows * outputs)
        for i in 0..<rows {
            for j in 0..<outputs {
                var sum = Double(b[j]) + Double(r[i * outputs + j])
                for k in 0..<inner { sum += Double(x[i * inner + k]) * Double(w[j * inner + k]) }
                expected[i * outputs + j] = Float(sum)
            }
        }
        let input = try Tensor(x, shape: [rows, inner], context: context)
        let weight = try Tensor(w, shape: [outputs, inner], context: context)
        let bias = try Tensor(b, shape: [outputs], context: context)
        let residual = try Tensor(r, shape: [rows, outputs], context: context)
        let tape = Tape(context: context)
        let y = try tape.linear(input, weight: weight, bias: bias, residual: residual)
        expectClose(y.values, expected, "linear")
    }

    @Test("linear gradients agree with finite differences", arguments: KernelTable.available, [(2, 3, 5), (33, 17, 9)])
    func linearGradients(kernels: KernelTable, sizes: (Int, Int, Int)) throws {
        let (rows, inner, outputs) = sizes
        try checkGradients(kernels, [[rows, inner], [outputs, inner], [outputs], [rows, outputs]], seed: 3) { tape, t in
            try tape.linear(t[0], weight: t[1], bias: t[2], residual: t[3])
        }
    }

    @Test(
        "norm gradients agree with finite differences",
        arguments: KernelTable.available,
        [(1, 4), (5, 16), (7, 33), (200, 19)]
    )
    func normGradients(kernels: KernelTable, sizes: (Int, Int)) throws {
        let (rows, dimension) = sizes
        try checkGradients(kernels, [[rows, dimension], [dimension]], seed: 4) { tape, t in
            try tape.rmsNorm(t[0], weight: t[1], epsilon: 1e-5)
        }
    }

    @Test("a norm equals its naive form", arguments: KernelTable.available)
    func normForward(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        var generator = SeededGenerator(seed: 5)
        let x = randomValues(3 * 37, &generator)
        let w = randomValues(37, &generator)
        let tape = Tape(context: context)
        let y = try tape.rmsNorm(
            Tensor(x, shape: [3, 37], context: context),
            weight: Tensor(w, shape: [37], context: context),
            epsilon: 1e-5
        )
        var expected: [Float] = []
        for row in 0..<3 {
            let values = x[row * 37..<(row + 1) * 37]
            let mean = values.reduce(0.0) { $0 + Double($1) * Double($1) } / 37
            expected += zip(values, w).map { Float(Double($0) / (mean + 1e-5).squareRoot() * Double($1)) }
        }
        expectClose(y.values, expected, "norm")
    }

    @Test(
        "swiglu equals its naive form, tails included, and its gradients agree",
        arguments: KernelTable.available,
        [1, 15, 16, 50]
    )
    func swiglu(kernels: KernelTable, count: Int) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        var generator = SeededGenerator(seed: 6)
        let gate = randomValues(count, &generator).map { $0 * 20 }
        let up = randomValues(count, &generator)
        let y = try Tape(context: context).swiglu(
            gate: Tensor(gate, shape: [1, count], context: context),
            up: Tensor(up, shape: [1, count], context: context)
        )
        expectClose(y.values, zip(gate, up).map { Float(Double($0) / (1 + exp(-Double($0))) * Double($1)) })
        try checkGradients(kernels, [[3, count], [3, count]], seed: 7) { tape, t in
            try tape.swiglu(gate: t[0], up: t[1])
        }
    }

    @Test("embedding, row selection and addition pass their gradients on", arguments: KernelTable.available)
    func gatherGradients(kernels: KernelTable) throws {
        try checkGradients(kernels, [[6, 5]], seed: 8) { tape, t in
            let rows = try tape.embedding(t[0], tokens: [0, 3, 3, 5])
            let chosen = try tape.selectRows(rows, indices: [2, 0, 2])
            return try tape.add(chosen, chosen)
        }
    }

    @Test("a token outside the table is refused by number")
    func embeddingRange() throws {
        let context = ComputeContext(threads: 1)
        let table = Tensor(zeros: [4, 2], context: context)
        #expect(throws: TensorError.self) { try Tape(context: context).embedding(table, tokens: [4]) }
        #expect(throws: TensorError.self) { try Tape(context: context).embedding(table, tokens: [-1]) }
    }

    @Test(
        "token log-probabilities and their gradients agree, odd vocabularies included",
        arguments: KernelTable.available,
        [3, 17, 600]
    )
    func logProbabilities(kernels: KernelTable, vocabulary: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 9)
        let hidden = randomValues(7 * 5, &generator)
        let weight = randomValues(vocabulary * 5, &generator)
        let targets = (0..<7).map { _ in Int32(generator.next() % UInt64(vocabulary)) }
        let tape = Tape(context: context)
        let y = try tape.tokenLogProbabilities(
            Tensor(hidden, shape: [7, 5], context: context),
            weight: Tensor(weight, shape: [vocabulary, 5], context: context),
            targets: targets
        )
        var expected: [Float] = []
        for row in 0..<7 {
            let logits = (0..<vocabulary).map { v in
                (0..<5).reduce(0.0) { $0 + Double(hidden[row * 5 + $1]) * Double(weight[v * 5 + $1]) }
            }
            expected.append(Float(logits[Int(targets[row])] - log(logits.reduce(0) { $0 + exp($1) })))
        }
        expectClose(y.values, expected, "log-probabilities")
        try checkGradients(kernels, [[7, 5], [vocabulary, 5]], seed: 10) { tape, t in
            try tape.tokenLogProbabilities(t[0], weight: t[1], targets: targets)
        }
    }

    @Test(
        "the fused weighted loss has the gradients of the two-step form, signed weights included",
        arguments: KernelTable.available
    )
    func fusedLoss(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 11)
        let hidden = randomValues(90 * 12, &generator)
        let weight = randomValues(41 * 12, &generator)
        let targets = (0..<90).map { _ in Int32(generator.next() % 41) }
        let weights = randomValues(90, &generator)
        func tensors() throws -> (Tensor, Tensor) {
            (
                try Tensor(hidden, shape: [90, 12], context: context, requiresGradient: true),
                try Tensor(weight, shape: [41, 12], context: context, requiresGradient: true)
            )
        }
        let (h1, w1) = try tensors()
        let fused = Tape(context: context)
        let result = try fused.weightedNegativeLogLikelihood(h1, weight: w1, targets: targets, weights: weights)
        try fused.backward()
        let (h2, w2) = try tensors()
        let tape = Tape(context: context)
        let values = try tape.tokenLogProbabilities(h2, weight: w2, targets: targets)
        try tape.seed(values, with: weights.map { -$0 })
        try tape.backward()
        expectClose(try #require(h1.gradient), try #require(h2.gradient), "hidden")
        expectClose(try #require(w1.gradient), try #require(w2.gradient), "weight")
        let expected = zip(values.values, weights).reduce(0.0) { $0 - Double($1.0) * Double($1.1) }
        #expect(abs(result.loss - expected) < 1e-4)
    }
}
