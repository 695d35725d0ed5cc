import Foundation
import NumericSupport
import Testing

@testable import TensorEngine

/// Operations at the widths of published models.
///
/// Rows of multiples of 512 values share sets of the caches, for which the
/// packed product has a branch of its own, and products of this size are OpenBLAS's where our kernels are not faster.
@Suite("Operations at the widths of real models")
struct RealWidthTests {
    /// SmolLM2-135M, Qwen2.5-0.5B, Qwen3-0.6B, Qwen2.5-1.5B and SmolLM2-360M's feed-forward layer, Llama-3.2-1B and 8B.
    private static let widths = [576, 896, 1024, 1536, 2048, 2560, 4096]

    /// a · b where both are rows along the sum, [m, k] and [n, k], in double precision.
    private func naive(_ a: [Float], _ b: [Float], m: Int, n: Int, k: Int) -> [Double] {
        var c = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
            for j in 0..<n {
                var sum = 0.0
                for inner in 0..<k { sum += Double(a[i * k + inner]) * Double(b[j * k + inner]) }
                c[i * n + j] = sum
            }
        }
        return c
    }

    private func transposed(_ values: [Float], rows: Int, columns: Int) -> [Float] {
        (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
    }

    @Test(
        "products agree with a plain sum whichever way their operands lie, by the packed kernels and by OpenBLAS",
        arguments: KernelTable.available,
        widths
    )
    func products(kernels: KernelTable, width: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: UInt64(width))
        // Large enough for sgemm in one piece; the width is the leading dimension of a, of b, or of c.
        for (m, n, k) in [(72, 104, width), (width, 72, 104), (72, width, 104)] {
            let a = randomValues(m * k, &generator)
            let b = randomValues(n * k, &generator)
            let expected = naive(a, b, m: m, n: n, k: k)
            // Normal partial sums grow as √k, and each addition is off by an ulp of them.
            let limit = 4e-6 * Double(k).squareRoot() + 2e-6
            for flags in 0..<4 {
                let (transposeA, transposeB) = (flags & 1 != 0, flags & 2 != 0)
                let left = transposeA ? transposed(a, rows: m, columns: k) : a
                let right = transposeB ? b : transposed(b, rows: n, columns: k)
                let x = try Tensor(left, shape: transposeA ? [k, m] : [m, k], context: context)
                let y = try Tensor(right, shape: transposeB ? [n, k] : [k, n], context: context)
                func check(_ name: String, _ tolerance: Double, _ multiply: (UnsafeMutablePointer<Float>) -> Void) {
                    let c = Tensor(zeros: [m, n], context: context)
                    multiply(c.pointer)
                    let worst = zip(c.values, expected).map { abs(Double($0) - $1) }.max() ?? 0
                    #expect(worst <= tolerance, "\(name), \(m)x\(k)x\(n), transposed \(transposeA) \(transposeB)")
                }
                check("packed", limit) {
                    packedProduct(
                        context: context,
                        precision: .float32,
                        transposeA: transposeA,
                        transposeB: transposeB,
                        m: m,
                        n: n,
                        k: k,
                        a: x.matrix,
                        b: y.matrix,
                        c: $0,
                        accumulate: false
                    )
                }
                // Operands rounded to bfloat16 are off by up to 2⁻⁹ each, in either direction.
                check("bfloat16", 6e-3 * Double(k).squareRoot()) {
                    packedProduct(
                        context: context,
                        precision: .bfloat16,
                        transposeA: transposeA,
                        transposeB: transposeB,
                        m: m,
                        n: n,
                        k: k,
                        a: x.matrix,
                        b: y.matrix,
                        c: $0,
                        accumulate: false
                    )
                }
                for own in [true, false] {
                    check(own ? "small" : "OpenBLAS", limit) {
                        smallProduct(
                            context: context,
                            byOpenBLAS: !own,
                            transposeA: transposeA,
                            transposeB: transposeB,
                            m: m,
                            n: n,
                            k: k,
                            a: x.pointer,
                            lda: transposeA ? m : k,
                            b: y.pointer,
                            ldb: transposeB ? k : n,
                            c: $0,
                            ldc: n,
                            accumulate: false
                        )
                    }
                }
            }
        }
    }

    @Test("rows of inference agree with a plain sum, in either storage", arguments: KernelTable.available, widths)
    func inference(kernels: KernelTable, width: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 5)
        let plain = try Tensor(randomValues(200 * width, &generator), shape: [200, width], context: context)
        let x = try Tensor(randomValues(7 * width, &generator), shape: [7, width], context: context)
        for weight in [plain, plain.converted(to: .bfloat16)] {
            let expected = naive(x.values, weight.values, m: 7, n: 200, k: width).map { Float($0) }
            let y = Tensor(zeros: [7, 200], context: context)
            InferenceKernels.products(of: x.pointer, rows: 7, by: [.init(weight, into: y.pointer)])
            expectClose(y.values, expected, "\(weight.elementType)")
        }
    }

    @Test("norms and SwiGLU equal their definitions", arguments: KernelTable.available, widths)
    func elementwise(kernels: KernelTable, width: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 6)
        let x = randomValues(3 * width, &generator)
        let w = randomValues(width, &generator)
        let tape = Tape(context: context, recording: false)
        let input = try Tensor(x, shape: [3, width], context: context)
        let norm = try tape.rmsNorm(input, weight: Tensor(w, shape: [width], context: context), epsilon: 1e-6)
        let expected = (0..<3).flatMap { row in
            let values = x[row * width..<(row + 1) * width]
            let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(width)
            return zip(values, w).map { Float(Double($0) / (square + 1e-6).squareRoot() * Double($1)) }
        }
        expectClose(norm.values, expected, "norm")
        let gates = x.map { $0 * 10 }
        let activated = try tape.swiglu(gate: Tensor(gates, shape: [3, width], context: context), up: input)
        expectClose(
            activated.values,
            zip(gates, x).map { Float(Double($0) / (1 + exp(-Double($0))) * Double($1)) },
            "SwiGLU"
        )
    }

    @Test(
        "log-probabilities and gradients over a whole vocabulary equal their definitions",
        arguments: KernelTable.available,
        [49_152, 151_936]
    )
    func vocabulary(kernels: KernelTable, size: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 7)
        let (rows, width) = (3, 16)
        let hidden = randomValues(rows * width, &generator)
        let weight = randomValues(size * width, &generator)
        let targets: [Int32] = [0, Int32(size / 2), Int32(size - 1)]
        let h = try Tensor(hidden, shape: [rows, width], context: context, requiresGradient: true)
        let w = try Tensor(weight, shape: [size, width], context: context, requiresGradient: true)
        let tape = Tape(context: context)
        let found = try tape.tokenStatistics(h, weight: w, targets: targets)
        try tape.seed(found.logProbabilities, with: [1, 1, 1])
        try tape.backward()
        let logits = naive(hidden, weight, m: rows, n: size, k: width)
        var expected: [Float] = []
        var slopes: [Float] = []
        for (row, target) in targets.enumerated() {
            let own = logits[row * size..<(row + 1) * size]
            let total = own.reduce(0) { $0 + exp($1) }
            expected.append(Float(own[row * size + Int(target)] - log(total)))
            for column in 0..<width {
                var slope = Double(weight[Int(target) * width + column])
                for (token, logit) in own.enumerated() {
                    slope -= exp(logit) / total * Double(weight[token * width + column])
                }
                slopes.append(Float(slope))
            }
        }
        expectClose(found.logProbabilities.values, expected, "log-probabilities")
        expectClose(try #require(h.gradient), slopes, "gradient")
    }

    @Test(
        "a new token's attention to its cache equals its definition",
        arguments: KernelTable.available,
        [(64, 3, 1), (64, 3, 200), (128, 7, 65), (80, 1, 64), (6, 2, 31)]
    )
    func cachedAttention(kernels: KernelTable, sizes: (Int, Int, Int)) throws {
        let (dimension, group, length) = sizes
        let context = ComputeContext(threads: 1, kernels: kernels)
        var generator = SeededGenerator(seed: 8)
        let capacity = (length + 15) / 16 * 16 + 16
        let queries = randomValues(group * dimension, &generator).map { $0 * 3 }
        let keys = randomValues(dimension * capacity, &generator)
        let values = randomValues(capacity * dimension, &generator)
        let y = Tensor(zeros: [group, dimension], context: context)
        let scratch = Tensor(zeros: [capacity], context: context)
        InferenceKernels.cachedAttention(
            context: context,
            queries: queries,
            keys: keys,
            values: values,
            into: y.pointer,
            scratch: scratch.pointer,
            length: length,
            capacity: capacity,
            headDimension: dimension,
            group: group
        )
        var expected: [Float] = []
        for head in 0..<group {
            let weights = (0..<length).map { t in
                exp(
                    (0..<dimension).reduce(0.0) {
                        $0 + Double(queries[head * dimension + $1]) * Double(keys[$1 * capacity + t])
                    } / Double(dimension).squareRoot()
                )
            }
            let total = weights.reduce(0, +)
            for d in 0..<dimension {
                expected.append(
                    Float(weights.enumerated().reduce(0) { $0 + $1.1 * Double(values[$1.0 * dimension + d]) } / total)
                )
            }
        }
        expectClose(y.values, expected)
    }
}
