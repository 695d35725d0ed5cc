import NumericSupport
import TensorEngine
import Testing

@Suite("Low-rank changes of linear layers")
struct LowRankTests {
    @Test(
        "the product equals its naive form",
        arguments: KernelTable.available,
        [(1, 1, 1, 1), (5, 7, 3, 2), (130, 37, 61, 16)]
    )
    func naive(kernels: KernelTable, sizes: (Int, Int, Int, Int)) throws {
        let (rows, inner, outputs, rank) = sizes
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 4)
        let x = randomValues(rows * inner, &generator)
        let w = randomValues(outputs * inner, &generator)
        let a = randomValues(rank * inner, &generator)
        let b = randomValues(outputs * rank, &generator)
        var expected = [Float](repeating: 0, count: rows * outputs)
        for i in 0..<rows {
            for j in 0..<outputs {
                var sum = 0.0
                for k in 0..<inner {
                    var weight = Double(w[j * inner + k])
                    for r in 0..<rank { weight += 0.7 * Double(b[j * rank + r]) * Double(a[r * inner + k]) }
                    sum += Double(x[i * inner + k]) * weight
                }
                expected[i * outputs + j] = Float(sum)
            }
        }
        let tape = Tape(context: context, recording: false)
        let input = try Tensor(x, shape: [rows, inner], context: context)
        let y = try tape.linear(input, weight: Tensor(w, shape: [outputs, inner], context: context))
        let update = LowRankUpdate(
            down: try Tensor(a, shape: [rank, inner], context: context),
            up: try Tensor(b, shape: [outputs, rank], context: context),
            scale: 0.7
        )
        try tape.addLowRank(update, of: input, to: y)
        expectClose(y.values, expected)
    }

    @Test(
        "gradients agree with finite differences, with a residual beside",
        arguments: KernelTable.available,
        [(3, 5, 4, 2), (70, 33, 17, 8)]
    )
    func gradients(kernels: KernelTable, sizes: (Int, Int, Int, Int)) throws {
        let (rows, inner, outputs, rank) = sizes
        let shapes = [[rows, inner], [outputs, inner], [rank, inner], [outputs, rank], [rows, outputs]]
        try checkGradients(kernels, shapes, seed: 5) { tape, inputs in
            let y = try tape.linear(inputs[0], weight: inputs[1], residual: inputs[4])
            try tape.addLowRank(LowRankUpdate(down: inputs[2], up: inputs[3], scale: 1.3), of: inputs[0], to: y)
            return y
        }
    }

    @Test("gradients through dropout are those of the function with the same mask", arguments: KernelTable.available)
    func dropout(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 6)
        let (rows, inner, outputs, rank) = (60, 40, 9, 5)
        func tensor(_ shape: [Int], trains: Bool = true) throws -> Tensor {
            try Tensor(
                randomValues(shape.reduce(1, *), &generator),
                shape: shape,
                context: context,
                requiresGradient: trains
            )
        }
        let x = try tensor([rows, inner])
        let weight = try tensor([outputs, inner], trains: false)
        let down = try tensor([rank, inner])
        let up = try tensor([outputs, rank])
        let mask = DropoutMask(probability: 0.3, seed: 1, stream: 2)
        func forward(_ tape: Tape, _ mask: DropoutMask?) throws -> Tensor {
            let y = try tape.linear(x, weight: weight)
            try tape.addLowRank(LowRankUpdate(down: down, up: up, scale: 2, dropout: mask), of: x, to: y)
            return y
        }
        let tape = Tape(context: context)
        let y = try forward(tape, mask)
        let upstream = randomValues(y.count, &generator)
        try tape.seed(y, with: upstream)
        try tape.backward()
        #expect(weight.gradient == nil)
        // A recording tape draws the same mask again, so that differences can be taken.
        func loss() throws -> Double {
            zip(try forward(Tape(context: context), mask).values, upstream).reduce(0) { $0 + Double($1.0 * $1.1) }
        }
        for tensor in [x, down, up] {
            let gradient = try #require(tensor.gradient)
            for index in stride(from: 0, to: tensor.count, by: max(1, tensor.count / 9)) {
                let original = tensor.values[index]
                tensor.withMutableValues { $0[index] = original + 4e-3 }
                let above = try loss()
                tensor.withMutableValues { $0[index] = original - 4e-3 }
                let below = try loss()
                tensor.withMutableValues { $0[index] = original }
                let numeric = Float((above - below) / 8e-3)
                #expect(abs(numeric - gradient[index]) <= 2e-2 * abs(numeric) + 2e-2)
            }
        }
        let plain = try forward(Tape(context: context), nil).values
        #expect(try forward(Tape(context: context, recording: false), mask).values == plain, "evaluation drops nothing")
        #expect(y.values != plain)
        let other = DropoutMask(probability: 0.3, seed: 1, stream: 3)
        #expect(try forward(Tape(context: context), other).values != y.values)
    }

    @Test("dropout keeps the expected share, scaled so that the mean stays", arguments: KernelTable.available)
    func share(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        let (rows, inner) = (400, 101)
        let x = try Tensor([Float](repeating: 1, count: rows * inner), shape: [rows, inner], context: context)
        let y = Tensor(zeros: [rows, 1], context: context)
        let ones = try Tensor(
            [Float](repeating: 1, count: inner),
            shape: [1, inner],
            context: context,
            requiresGradient: true
        )
        let one = try Tensor([1], shape: [1, 1], context: context)
        let update = LowRankUpdate(
            down: ones,
            up: one,
            scale: 1,
            dropout: DropoutMask(probability: 0.25, seed: 5, stream: 0)
        )
        try Tape(context: context).addLowRank(update, of: x, to: y)
        let mean = Double(y.values.reduce(0, +)) / Double(rows * inner)
        // The standard error of this mean is 0.0029.
        #expect(abs(mean - 1) < 0.015)
    }

    @Test("shapes that do not fit are refused")
    func shapes() throws {
        let context = ComputeContext(threads: 1)
        func zeros(_ shape: [Int]) -> Tensor { Tensor(zeros: shape, context: context) }
        for (down, up) in [([2, 4], [3, 2]), ([2, 5], [3, 1]), ([2, 5], [4, 2])] {
            #expect(throws: TensorError.self) {
                try Tape(context: context).addLowRank(
                    LowRankUpdate(down: zeros(down), up: zeros(up), scale: 1),
                    of: zeros([6, 5]),
                    to: zeros([6, 3])
                )
            }
        }
    }

    @Test("a norm in groups is the norm of each group, forward and backward", arguments: KernelTable.available)
    func groupedNorm(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 9)
        let (rows, groups, width) = (70, 3, 10)
        let x = randomValues(rows * groups * width, &generator)
        let w = randomValues(width, &generator)
        var expected: [Float] = []
        for group in 0..<rows * groups {
            let part = x[group * width..<(group + 1) * width]
            let square = part.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(width)
            for (value, factor) in zip(part, w) {
                expected.append(Float(Double(value) / (square + 1e-5).squareRoot() * Double(factor)))
            }
        }
        let y = try Tape(context: context).rmsNorm(
            Tensor(x, shape: [rows, groups * width], context: context),
            weight: Tensor(w, shape: [width], context: context),
            epsilon: 1e-5,
            groups: groups
        )
        #expect(y.shape == [rows, groups * width])
        expectClose(y.values, expected)
        try checkGradients(kernels, [[rows, groups * width], [width]], seed: 10) { tape, inputs in
            try tape.rmsNorm(inputs[0], weight: inputs[1], epsilon: 1e-5, groups: groups)
        }
        #expect(throws: TensorError.self) {
            try Tape(context: context).rmsNorm(
                Tensor(zeros: [2, 20], context: context),
                weight: Tensor(zeros: [width], context: context),
                epsilon: 1e-5,
                groups: 3
            )
        }
    }
}
