import Foundation
import LanguageModel
import TensorEngine
import Testing
import Tokenization
import Training

@Suite("KRSL's wrong tokens in training")
struct NegativeTokenTrainingTests {
    /// Right chains whose first and last response tokens have no weight, and wrong ones.
    private static let examples: [SupervisedExample] = (0..<6).flatMap { (index: Int) -> [SupervisedExample] in
        let right: [TokenID] = [1, TokenID(index), 2, 3, TokenID(10 + index), 4]
        let wrong: [TokenID] = [1, TokenID(index), 2, 3, TokenID(20 + index), TokenID(30 + index), 4]
        return [
            SupervisedExample(tokens: right, weights: [0, 0, 0, 1, 1, 0], responseLength: 4),
            SupervisedExample(tokens: wrong, weights: [0, 0, 0, 0, -0.5, -0.25, 0], responseLength: 5),
        ]
    }

    private func options(_ loss: NegativeTokenLoss, threshold: Double? = nil) -> TrainingOptions {
        TrainingOptions(
            learningRate: 0,
            maximumSteps: 1,
            batchSequences: 12,
            tokensAtOnce: 30,
            normalization: .perSequence,
            negativeTokens: loss,
            negativeThreshold: threshold
        )
    }

    @Test("step and held-out figures are those of each token's log-probability", arguments: NegativeTokenLoss.allCases)
    func figures(loss: NegativeTokenLoss) throws {
        let model = try SmallStudent.model()
        let values = try model.logProbabilities(Self.examples.map(\.tokens))
        let costs = zip(values, Self.examples).flatMap { values, example in
            zip(values, example.weights.dropFirst()).filter { $0.1 < 0 }.map { -Double($0.0) }
        }.sorted()
        let threshold = (costs[8] + costs[9]) / 2
        var (expected, sums, counts) = (0.0, [0.0, 0, 0], [0.0, 0, 0])
        for (values, example) in zip(values, Self.examples) {
            let isRight = example.weights.contains(1)
            for (position, (value, weight)) in zip(values, example.weights.dropFirst()).enumerated() {
                let value = Double(value)
                let kind = weight > 0 ? 0 : weight < 0 ? 1 : isRight && position >= 1 ? 2 : nil
                guard let kind else { continue }
                sums[kind] += value
                counts[kind] += 1
                if kind == 1, -value > threshold { continue }
                let cost = kind == 1 && loss == .unlikelihood ? log1p(-exp(value)) : -value
                let length = Double(example.responseLength ?? 0)
                expected += Double(weight) * cost / length / Double(Self.examples.count)
            }
        }
        let options = options(loss, threshold: threshold)
        let held = try HeldOut(supervised: Self.examples, options: options).metrics(of: model)
        var step: [String: Double] = [:]
        _ = try SupervisedTrainer(model: model, examples: Self.examples, options: options).run { step = $0.metrics }
        func close(_ found: Double?, _ wanted: Double, _ name: String) {
            #expect(abs((found ?? .nan) - wanted) <= 1e-5 * abs(wanted) + 1e-6, "\(name): \(found ?? .nan), \(wanted)")
        }
        for (found, prefix) in [(step, ""), (held, "eval_")] {
            close(found[prefix + "loss"], expected, prefix + "loss")
            close(found[prefix + "mean_token_log_probability"], sums[0] / counts[0], "positive")
            close(found[prefix + "mean_token_log_probability/negative"], sums[1] / counts[1], "negative")
            close(found[prefix + "ignored_share/negative"], 3 / 12, "ignored")
        }
        close(held["eval_mean_token_log_probability/unweighted"], sums[2] / counts[2], "unweighted")
        #expect(step["mean_token_log_probability/unweighted"] == nil, "it would cost a step more rows")
    }

    @Test("both forms push wrong tokens away; a threshold below what they cost leaves them alone")
    func training() throws {
        let wrong = Self.examples[1]
        func change(_ loss: NegativeTokenLoss, _ threshold: Double?) throws -> Float {
            let model = try SmallStudent.model()
            let before = try model.logProbabilities([wrong.tokens])[0][3]
            var options = options(loss, threshold: threshold)
            options.learningRate = 1e-3
            options.maximumSteps = 6
            _ = try SupervisedTrainer(model: model, examples: [wrong], options: options).run()
            return try model.logProbabilities([wrong.tokens])[0][3] - before
        }
        for loss in NegativeTokenLoss.allCases {
            #expect(try change(loss, nil) < -0.05, "\(loss)")
            #expect(try change(loss, 0.01) == 0, "\(loss)")
        }
    }

    @Test("a threshold that is no number of nats above 0 is refused", arguments: [0, -1, Double.nan, .infinity])
    func refusal(threshold: Double) {
        let error = #expect(throws: TrainingError.self) { try options(.likelihood, threshold: threshold).validate() }
        #expect(error.map { "\($0)".contains("negativeThreshold") } == true)
    }
}
