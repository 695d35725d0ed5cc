import LanguageModel
import TensorEngine
import Tokenization

/// The weighted log-likelihood of supervised examples, and its gradient.
enum WeightedLikelihood {
    /// What some examples came to.
    struct Result {
        /// Σ scale · weight · −log p.
        var loss = 0.0
        /// Σ log p over the tokens of positive weight.
        var logProbability = 0.0
        /// The number of these tokens.
        var positive = 0
        /// The distributions of these tokens.
        var figures = TokenFigures()

        /// What a supervised step tells of the tokens of positive weight.
        var metrics: [String: Double] {
            [
                "mean_token_log_probability": logProbability / Double(max(1, positive)),
                "entropy": figures.meanEntropy,
                "mean_token_accuracy": figures.accuracy,
            ]
        }

        /// Adds a token of positive weight.
        mutating func add(_ logProbability: Float, _ statistics: TokenStatistics) {
            self.logProbability += Double(logProbability)
            positive += 1
            figures.add(statistics)
        }

        static func += (left: inout Result, right: Result) {
            left.loss += right.loss
            left.logProbability += right.logProbability
            left.positive += right.positive
            left.figures += right.figures
        }
    }

    /// Examples packed together, and the tokens of theirs that have a weight.
    struct Layout {
        let batch: PackedBatch
        /// The packed row that predicts each of these tokens.
        private(set) var rows: [Int32] = []
        private(set) var targets: [TokenID] = []
        /// The tokens' weights times their examples' scale.
        private(set) var weights: [Double] = []

        /// `scale` multiplies all weights of an example.
        init(_ examples: [SupervisedExample], scale: (SupervisedExample) -> Double) {
            batch = PackedBatch(examples.map(\.tokens))
            for (begin, example) in zip(batch.offsets, examples) {
                let factor = scale(example)
                for position in example.tokens.indices.dropFirst() where example.weights[position] != 0 {
                    rows.append(Int32(begin + position - 1))
                    targets.append(example.tokens[position])
                    weights.append(Double(example.weights[position]) * factor)
                }
            }
        }
    }

    /// Computes the examples packed together and adds the gradients to the model's; `scale` multiplies all weights of an
    /// example.
    static func backward(
        _ examples: [SupervisedExample],
        model: CausalLanguageModel,
        checkpointing: Bool,
        scale: (SupervisedExample) -> Double
    ) throws -> Result {
        let layout = Layout(examples, scale: scale)
        let weights = layout.weights.map { Float($0) }
        guard !weights.isEmpty else { return Result() }
        let tape = Tape(context: model.context)
        let hidden = try model.hiddenStates(
            layout.batch,
            tape: tape,
            rows: layout.rows,
            checkpointing: checkpointing
        )
        let computed = try tape.weightedNegativeLogLikelihood(
            hidden,
            weight: model.outputWeight,
            targets: layout.targets,
            weights: weights
        )
        try tape.backward()
        var result = Result(loss: computed.loss)
        for (row, weight) in weights.enumerated() where weight > 0 {
            result.add(computed.logProbabilities[row], computed.statistics[row])
        }
        return result
    }

    /// Checks that examples can be trained on.
    ///
    /// - Throws: ``TrainingError`` that names the example.
    static func check(_ examples: [SupervisedExample]) throws {
        for (index, example) in examples.enumerated() {
            guard example.tokens.count == example.weights.count, example.tokens.count >= 2 else {
                throw TrainingError.invalidExample(
                    "example \(index) has \(example.tokens.count) tokens and \(example.weights.count) weights; "
                        + "they must be as many, at least 2"
                )
            }
            guard example.weights.allSatisfy({ $0.isFinite }) else {
                throw TrainingError.invalidExample("example \(index) has a weight that is not finite")
            }
        }
    }
}
