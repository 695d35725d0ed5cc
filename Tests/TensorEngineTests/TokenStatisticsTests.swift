import Foundation
import NumericSupport
import TensorEngine
import Testing

@Suite("What a row's distribution looks like")
struct TokenStatisticsTests {
    @Test(
        "entropy, likeliest and mean logit agree with their definitions",
        arguments: KernelTable.available,
        [1, 3, 16, 17, 600]
    )
    func statistics(kernels: KernelTable, vocabulary: Int) throws {
        let context = ComputeContext(threads: 2, kernels: kernels)
        var generator = SeededGenerator(seed: 9)
        let (rows, dimension) = (40, 5)
        let hidden = randomValues(rows * dimension, &generator)
        let weight = randomValues(vocabulary * dimension, &generator)
        var targets = (0..<rows).map { _ in Int32(generator.next() % UInt64(vocabulary)) }
        let logits = (0..<rows).map { row in
            (0..<vocabulary).map { v in
                (0..<dimension).reduce(0.0) {
                    $0 + Double(hidden[row * dimension + $1]) * Double(weight[v * dimension + $1])
                }
            }
        }
        // Every other target is the likeliest, wherever in the row that lies.
        for row in stride(from: 0, to: rows, by: 2) {
            targets[row] = Int32(logits[row].indices.max { logits[row][$0] < logits[row][$1] } ?? 0)
        }
        func tensors() throws -> (Tensor, Tensor) {
            (
                try Tensor(hidden, shape: [rows, dimension], context: context, requiresGradient: true),
                try Tensor(weight, shape: [vocabulary, dimension], context: context, requiresGradient: true)
            )
        }
        let (h, w) = try tensors()
        let found = try Tape(context: context).tokenStatistics(h, weight: w, targets: targets)
        let plain = try Tape(context: context).tokenLogProbabilities(h, weight: w, targets: targets)
        #expect(found.logProbabilities.values == plain.values, "the figures change no bit")
        let fused = try Tape(context: context, recording: false).weightedNegativeLogLikelihood(
            h,
            weight: w,
            targets: targets,
            weights: targets.map { _ in 1 }
        )
        #expect(fused.logProbabilities == plain.values)
        for statistics in [found.statistics, fused.statistics] {
            expectClose(
                statistics.map(\.entropy),
                logits.map { row in
                    let logSumExp = log(row.reduce(0) { $0 + exp($1) })
                    return Float(-row.reduce(0) { $0 + exp($1 - logSumExp) * ($1 - logSumExp) })
                },
                "entropy"
            )
            expectClose(
                statistics.map(\.meanLogit),
                logits.map { Float($0.reduce(0, +) / Double(vocabulary)) },
                "mean logit"
            )
            #expect(
                statistics.map(\.isLikeliest) == zip(logits, targets).map { $0[Int($1)] >= ($0.max() ?? 0) }
            )
        }
    }

    @Test("of tokens that are equally likely the first is the likeliest", arguments: KernelTable.available)
    func ties(kernels: KernelTable) throws {
        let context = ComputeContext(threads: 1, kernels: kernels)
        let hidden = try Tensor([1, 1, 1], shape: [3, 1], context: context)
        var weight = [Float](repeating: 0, count: 40)
        for index in [7, 20, 39] { weight[index] = 2 }
        let found = try Tape(context: context).tokenStatistics(
            hidden,
            weight: Tensor(weight, shape: [40, 1], context: context),
            targets: [7, 20, 39]
        )
        #expect(found.statistics.map(\.isLikeliest) == [true, false, false])
    }
}
