import Foundation
import NumericSupport
import TensorEngine
import Testing

@Suite("Tokens of negative weight")
struct NegativeTokenTests {
    /// A problem, and its loss and gradients computed in Double from their definitions.
    private struct Case {
        var rows: Int
        var vocabulary: Int
        let dimension = 6
        var hidden: [Float] = []
        var weight: [Float] = []
        var targets: [Int32] = []
        var weights: [Float] = []

        init(rows: Int, vocabulary: Int) {
            self.rows = rows
            self.vocabulary = vocabulary
            var generator = SeededGenerator(seed: UInt64(rows))
            hidden = randomValues(rows * dimension, &generator).map { 2 * $0 }
            weight = randomValues(vocabulary * dimension, &generator).map { 2 * $0 }
            targets = (0..<rows).map { _ in Int32(generator.next() % UInt64(vocabulary)) }
            weights = randomValues(rows, &generator)
        }

        func naive(_ negative: NegativeTokens) -> (loss: Double, hidden: [Float], weight: [Float]) {
            var loss = 0.0
            var hiddenGradient = [Double](repeating: 0, count: hidden.count)
            var weightGradient = [Double](repeating: 0, count: weight.count)
            for row in 0..<rows {
                let logits = (0..<vocabulary).map { v in
                    (0..<dimension).reduce(0.0) {
                        $0 + Double(hidden[row * dimension + $1]) * Double(weight[v * dimension + $1])
                    }
                }
                let target = Int(targets[row])
                let total = logits.reduce(0) { $0 + exp($1) }
                let p = exp(logits[target]) / total
                var w = Double(weights[row])
                if w < 0, let threshold = negative.threshold, -log(p) > threshold { continue }
                if w < 0, negative.loss == .unlikelihood {
                    loss += w * log(1 - p)
                    // Cross-entropy's gradient with the weight −|w| p / (1 − p).
                    w = w * p / (1 - p)
                } else {
                    loss -= w * log(p)
                }
                for v in 0..<vocabulary {
                    let slope = w * (exp(logits[v]) / total - (v == target ? 1 : 0))
                    for d in 0..<dimension {
                        hiddenGradient[row * dimension + d] += slope * Double(weight[v * dimension + d])
                        weightGradient[v * dimension + d] += slope * Double(hidden[row * dimension + d])
                    }
                }
            }
            return (loss, hiddenGradient.map { Float($0) }, weightGradient.map { Float($0) })
        }

        /// What the fused operation finds; `weight` nil where the head is frozen.
        func fused(
            _ kernels: KernelTable,
            _ negative: NegativeTokens,
            weights: [Float]? = nil,
            trainsHead: Bool = true,
            precision: MatrixPrecision = .float32
        ) throws -> (loss: Double, logProbabilities: [Float], hidden: [Float], weight: [Float]?) {
            let context = ComputeContext(threads: 2, kernels: kernels)
            context.matrixPrecision = precision
            let h = try Tensor(hidden, shape: [rows, dimension], context: context, requiresGradient: true)
            let w = try Tensor(
                weight,
                shape: [vocabulary, dimension],
                context: context,
                requiresGradient: trainsHead
            )
            let tape = Tape(context: context)
            let result = try tape.weightedNegativeLogLikelihood(
                h,
                weight: w,
                targets: targets,
                weights: weights ?? self.weights,
                negative: negative
            )
            try tape.backward()
            return (result.loss, result.logProbabilities, try #require(h.gradient), w.gradient)
        }
    }

    private static let rules = [
        NegativeTokens(), NegativeTokens(threshold: 2), NegativeTokens(loss: .unlikelihood),
        NegativeTokens(loss: .unlikelihood, threshold: 2),
    ]

    @Test(
        "loss and gradients are those of the definitions, in one chunk of rows and in two, head frozen or not",
        arguments: KernelTable.available,
        rules
    )
    func naive(kernels: KernelTable, rule: NegativeTokens) throws {
        for rows in [90, 2100] {
            let problem = Case(rows: rows, vocabulary: 41)
            let expected = problem.naive(rule)
            let found = try problem.fused(kernels, rule)
            #expect(abs(found.loss - expected.loss) <= 1e-5 * abs(expected.loss) + 1e-4)
            expectClose(found.hidden, expected.hidden, "hidden")
            expectClose(try #require(found.weight), expected.weight, "weight")
            let frozen = try problem.fused(kernels, rule, trainsHead: false)
            #expect(frozen.loss == found.loss && frozen.weight == nil)
            #expect(frozen.hidden == found.hidden)
        }
    }

    @Test(
        "in bfloat16 the loss is that of the log-probabilities found, and gradients differ by rounding",
        arguments: KernelTable.available,
        rules
    )
    func bfloat16(kernels: KernelTable, rule: NegativeTokens) throws {
        let problem = Case(rows: 90, vocabulary: 41)
        let found = try problem.fused(kernels, rule, precision: .bfloat16)
        var expected = 0.0
        for (weight, value) in zip(problem.weights, found.logProbabilities) {
            let (weight, value) = (Double(weight), Double(value))
            if weight < 0, -value > rule.threshold ?? .infinity { continue }
            expected += weight < 0 && rule.loss == .unlikelihood ? weight * log1p(-exp(value)) : -weight * value
        }
        #expect(abs(found.loss - expected) <= 1e-5 * abs(expected) + 1e-4)
        // Rounded logits may cross the threshold, and the row's gradient goes with it.
        guard rule.threshold == nil else { return }
        expectClose(found.hidden, problem.naive(rule).hidden, rtol: 0.05, atol: 0.05, "hidden")
    }

    @Test(
        "gradients agree with finite differences",
        arguments: KernelTable.available,
        [NegativeTokenLoss.likelihood, .unlikelihood]
    )
    func differences(kernels: KernelTable, loss: NegativeTokenLoss) throws {
        let rule = NegativeTokens(loss: loss)
        let problem = Case(rows: 12, vocabulary: 9)
        let found = try problem.fused(kernels, rule)
        let scale = found.hidden.map { abs($0) }.max() ?? 0
        let step: Float = 4e-3
        for index in problem.hidden.indices {
            var (more, less) = (problem, problem)
            more.hidden[index] += step
            less.hidden[index] -= step
            let slope = (try more.fused(kernels, rule).loss - less.fused(kernels, rule).loss)
            let difference = Float(slope) / (more.hidden[index] - less.hidden[index])
            #expect(abs(difference - found.hidden[index]) <= 2e-3 * scale, "[\(index)]")
        }
    }

    @Test(
        "unlikelihood is at least 0, and it and its gradient stay finite and exact at both ends of p",
        arguments: KernelTable.available,
        [(0.5, 0.5), (0.999, 1e-3), (1 - 1e-7, 1e-7), (1.0, 1e-30), (1e-7, 1 - 1e-7), (1e-30, 1.0)]
    )
    func ends(kernels: KernelTable, sizes: (Double, Double)) throws {
        let (p, rest) = sizes
        // Hidden state 1 makes the weights the logits; the two other tokens share the rest as 1 to 3.
        let logits = [log(rest / 4), log(p), log(rest * 3 / 4)].map { Float($0) }
        let context = ComputeContext(threads: 1, kernels: kernels)
        let hidden = try Tensor([1], shape: [1, 1], context: context, requiresGradient: true)
        let weight = try Tensor(logits, shape: [3, 1], context: context, requiresGradient: true)
        let tape = Tape(context: context)
        let found = try tape.weightedNegativeLogLikelihood(
            hidden,
            weight: weight,
            targets: [1],
            weights: [-2],
            negative: NegativeTokens(loss: .unlikelihood)
        )
        try tape.backward()
        let expected = -2 * (p < 0.5 ? log1p(-p) : log(rest))
        #expect(found.loss >= 0 && abs(found.loss - expected) <= 1e-5 * expected, "\(found.loss), \(expected)")
        let slopes = [-0.25, 1, -0.75].map { Float(2 * p * $0) }
        for (mine, wanted) in zip(try #require(weight.gradient), slopes) {
            #expect(mine.isFinite && abs(mine - wanted) <= 1e-4 * abs(wanted), "\(mine), \(wanted)")
        }
        #expect(try #require(hidden.gradient).allSatisfy { $0.isFinite })
    }

    @Test(
        "the likelihood with its sign turned is below any bound where unlikelihood is not",
        arguments: KernelTable.available
    )
    func bound(kernels: KernelTable) throws {
        var problem = Case(rows: 30, vocabulary: 11)
        problem.weights = problem.weights.map { -abs($0) }
        problem.hidden = problem.hidden.map { $0 * 100 }
        #expect(try problem.fused(kernels, NegativeTokens(loss: .likelihood)).loss < -1000)
        #expect(try problem.fused(kernels, NegativeTokens(loss: .unlikelihood)).loss >= 0)
    }

    @Test(
        "a threshold leaves out exactly the tokens of negative weight above it",
        arguments: KernelTable.available,
        NegativeTokenLoss.allCases
    )
    func threshold(kernels: KernelTable, loss: NegativeTokenLoss) throws {
        let problem = Case(rows: 60, vocabulary: 23)
        let values = try problem.fused(kernels, NegativeTokens(loss: loss)).logProbabilities
        let costs = zip(values, problem.weights).filter { $0.1 < 0 }.map { -Double($0.0) }.sorted()
        // A token at the threshold is not above it.
        let threshold = costs[costs.count / 2]
        let weights = zip(values, problem.weights).map { $1 < 0 && -Double($0) > threshold ? 0 : $1 }
        #expect(weights.count { $0 < 0 } == costs.count / 2 + 1)
        let cut = try problem.fused(kernels, NegativeTokens(loss: loss, threshold: threshold))
        let expected = try problem.fused(kernels, NegativeTokens(loss: loss), weights: weights)
        #expect(abs(cut.loss - expected.loss) < 1e-12 * abs(expected.loss))
        #expect(cut.hidden == expected.hidden && cut.weight == expected.weight)
        #expect(cut.hidden != (try problem.fused(kernels, NegativeTokens(loss: loss)).hidden))
    }
}
