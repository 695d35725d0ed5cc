import NumericSupport
import Testing

@testable import TensorEngine

/// Matrix products in every precision and storage against a plain sum in double precision.
@Suite("Matrix products")
struct ProductTests {
    private static let shapes = [
        (1, 1, 1), (2, 3, 5), (15, 33, 17), (14, 32, 2), (29, 64, 31), (1, 70, 129), (97, 65, 130), (131, 40, 513),
        (70, 200, 4_100), (230, 1, 40), (300, 290, 47),
    ]

    /// What is multiplied: values that may have been rounded to bfloat16, and how they are stored.
    private struct Operand {
        let values: [Double]
        let tensor: Tensor

        init(
            _ rows: Int,
            _ columns: Int,
            transposed: Bool,
            half: Bool,
            rounded: Bool,
            context: ComputeContext,
            generator: inout SeededGenerator
        ) throws {
            let shape = transposed ? [columns, rows] : [rows, columns]
            let plain = try Tensor(randomValues(rows * columns, &generator), shape: shape, context: context)
            let stored = half ? plain.converted(to: .bfloat16) : plain
            let seen = (rounded ? stored.converted(to: .bfloat16) : stored).values.map { Double($0) }
            values =
                transposed
                ? (0..<rows * columns).map { seen[$0 % columns * rows + $0 / columns] } : seen
            tensor = stored
        }
    }

    @Test(
        "agree with a plain sum, for every transposition, storage and precision",
        arguments: KernelTable.available,
        shapes
    )
    func plainSum(kernels: KernelTable, sizes: (Int, Int, Int)) throws {
        let (m, n, k) = sizes
        var generator = SeededGenerator(seed: UInt64(m * 7 + n * 3 + k))
        for precision in MatrixPrecision.allCases {
            for flags in 0..<16 where m * n * k < 1 << 20 || flags % 5 == 0 {
                let context = ComputeContext(threads: flags % 3 == 0 ? 1 : 2, kernels: kernels)
                let (transposeA, transposeB) = (flags & 1 != 0, flags & 2 != 0)
                let rounds = precision == .bfloat16
                let a = try Operand(
                    m,
                    k,
                    transposed: transposeA,
                    half: flags & 4 != 0,
                    rounded: rounds,
                    context: context,
                    generator: &generator
                )
                let b = try Operand(
                    k,
                    n,
                    transposed: transposeB,
                    half: flags & 8 != 0,
                    rounded: rounds,
                    context: context,
                    generator: &generator
                )
                let start = randomValues(m * n, &generator)
                for accumulate in [false, true] {
                    let c = try Tensor(start, shape: [m, n], context: context)
                    packedProduct(
                        context: context,
                        precision: precision,
                        transposeA: transposeA,
                        transposeB: transposeB,
                        m: m,
                        n: n,
                        k: k,
                        a: a.tensor.matrix,
                        b: b.tensor.matrix,
                        c: c.pointer,
                        accumulate: accumulate
                    )
                    var worst = 0.0
                    for row in 0..<m {
                        for column in 0..<n {
                            var sum = accumulate ? Double(start[row * n + column]) : 0
                            for inner in 0..<k { sum += a.values[row * k + inner] * b.values[inner * n + column] }
                            worst = max(worst, abs(sum - Double(c.pointer[row * n + column])))
                        }
                    }
                    // Normal values: the sum of k products is about √k large, its error a few ulp of the partial sums.
                    #expect(worst < 4e-6 * Double(k).squareRoot() + 2e-6, "\(precision) \(flags) \(accumulate)")
                }
            }
        }
    }

    @Test(
        "a packed product is the same bits on one thread and on three, in every precision",
        arguments: KernelTable.available
    )
    func threads(kernels: KernelTable) throws {
        for precision in MatrixPrecision.allCases {
            let results = try [1, 3].map { threads in
                var generator = SeededGenerator(seed: 4)
                let context = ComputeContext(threads: threads, kernels: kernels)
                let x = try Tensor(randomValues(190 * 300, &generator), shape: [190, 300], context: context)
                let weight = try Tensor(randomValues(97 * 300, &generator), shape: [97, 300], context: context)
                let result = Tensor(zeros: [190, 97], context: context)
                packedProduct(
                    context: context,
                    precision: precision,
                    transposeA: false,
                    transposeB: true,
                    m: 190,
                    n: 97,
                    k: 300,
                    a: x.matrix,
                    b: weight.matrix,
                    c: result.pointer,
                    accumulate: false
                )
                return result.values
            }
            #expect(results[0] == results[1], "\(precision)")
        }
    }

    @Test(
        "rows of inference agree with a plain sum and do not depend on the rows beside them",
        arguments: KernelTable.available,
        [false, true]
    )
    func rows(kernels: KernelTable, half: Bool) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 2)
        for (inner, outputs) in [(1, 1), (5, 3), (16, 16), (53, 77), (64, 130), (576, 45)] {
            let plain = try Tensor(
                randomValues(outputs * inner, &generator),
                shape: [outputs, inner],
                context: context
            )
            let weight = half ? plain.converted(to: .bfloat16) : plain
            let bias = try Tensor(randomValues(outputs, &generator), shape: [outputs], context: context)
            let x = randomValues(137 * inner, &generator)
            let start = randomValues(137 * outputs, &generator)
            func product(_ rows: Int, from first: Int, _ weight: Tensor) -> [Float] {
                var y = Array(start[first * outputs..<(first + rows) * outputs])
                x.withUnsafeBufferPointer { source in
                    y.withUnsafeMutableBufferPointer { target in
                        guard let from = source.baseAddress, let to = target.baseAddress else { return }
                        InferenceKernels.products(
                            of: from + first * inner,
                            rows: rows,
                            by: [.init(weight, bias: bias, into: to)],
                            accumulate: true
                        )
                    }
                }
                return y
            }
            let all = product(137, from: 0, weight)
            let w = weight.values
            let b = bias.values
            for row in 0..<137 {
                for output in 0..<outputs {
                    var sum = Double(start[row * outputs + output]) + Double(b[output])
                    for k in 0..<inner { sum += Double(x[row * inner + k]) * Double(w[output * inner + k]) }
                    #expect(abs(sum - Double(all[row * outputs + output])) < 2e-5, "\(inner)x\(outputs) row \(row)")
                }
            }
            for (row, count) in [(0, 1), (5, 2), (48, 3), (64, 7), (130, 7), (136, 1)] {
                let expected = Array(all[row * outputs..<(row + count) * outputs])
                #expect(product(count, from: row, weight) == expected, "\(inner)x\(outputs): \(count) rows from \(row)")
            }
            #expect(product(137, from: 0, weight.converted(to: .float32)) == all, "widened weights give the same bits")
        }
    }

    @Test("several layers on the same rows give what each gives alone", arguments: KernelTable.available)
    func severalLayers(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 3, kernels: kernels)
        var generator = SeededGenerator(seed: 9)
        let weights = try [40, 7, 129].map {
            try Tensor(randomValues($0 * 24, &generator), shape: [$0, 24], context: context)
        }
        let x = try Tensor(randomValues(5 * 24, &generator), shape: [5, 24], context: context)
        let together = weights.map { Tensor(zeros: [5, $0.rows], context: context) }
        InferenceKernels.products(
            of: x.pointer,
            rows: 5,
            by: zip(weights, together).map { .init($0, into: $1.pointer) }
        )
        for (weight, result) in zip(weights, together) {
            let alone = Tensor(zeros: [5, weight.rows], context: context)
            InferenceKernels.products(of: x.pointer, rows: 5, by: [.init(weight, into: alone.pointer)])
            #expect(alone.values == result.values)
        }
    }

    @Test(
        "rounding to bfloat16 is to nearest, ties to even, and keeps what is not a number",
        arguments: KernelTable.available
    )
    func rounding(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        let cases: [(UInt32, UInt32)] = [
            (0x3F80_0000, 0x3F80_0000), (0x3F80_8000, 0x3F80_0000), (0x3F80_8001, 0x3F81_0000),
            (0x3F81_8000, 0x3F82_0000),
            (0xBF81_7FFF, 0xBF81_0000), (0x7F7F_FFFF, 0x7F80_0000), (0x7F80_0000, 0x7F80_0000), (0x0000_0001, 0),
            (0x7F80_0001, 0x7FC0_0000), (0xFF80_1234, 0xFFC0_0000), (0x8000_0000, 0x8000_0000),
        ]
        for offset in [0, 9] {
            let values = [Float](repeating: 1, count: offset) + cases.map { Float(bitPattern: $0.0) }
            let narrow = try Tensor(values, shape: [1, values.count], context: context).converted(to: .bfloat16)
            let found = narrow.values.dropFirst(offset).map(\.bitPattern)
            #expect(Array(found) == cases.map(\.1))
        }
    }

    @Test(
        "a frozen weight, float32 or bfloat16, gives its input the gradient that a trained one does",
        arguments: KernelTable.available
    )
    func frozenWeights(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 12)
        let rounded = try Tensor(randomValues(90 * 40, &generator), shape: [90, 40], context: context)
            .converted(to: .bfloat16)
        let values = randomValues(33 * 40, &generator)
        let targets = (0..<33).map { Int32($0 * 2) }
        let upstream = randomValues(33, &generator)
        func gradients(_ weight: Tensor) throws -> [[Float]] {
            let x = try Tensor(values, shape: [33, 40], context: context, requiresGradient: true)
            let tape = Tape(context: context)
            let output = try tape.tokenLogProbabilities(x, weight: weight, targets: targets)
            try tape.seed(output, with: upstream)
            try tape.backward()
            let other = try Tensor(values, shape: [33, 40], context: context, requiresGradient: true)
            let y = try tape.linear(other, weight: weight)
            try tape.seed(y, with: y.values)
            try tape.backward()
            return [output.values, try #require(x.gradient), y.values, try #require(other.gradient)]
        }
        let trained = rounded.converted(to: .float32)
        trained.requiresGradient = true
        let expected = try gradients(trained)
        #expect(trained.gradient != nil)
        for weight in [rounded, rounded.converted(to: .float32)] {
            for (mine, theirs) in zip(try gradients(weight), expected) { expectClose(mine, theirs, "frozen") }
            #expect(weight.gradient == nil)
        }
        let tokens: [Int32] = [3, 89, 0, 3]
        #expect(
            try Tape(context: context).embedding(rounded, tokens: tokens).values
                == Tape(context: context).embedding(trained, tokens: tokens).values
        )
    }
}
