import LanguageModel
import TensorEngine
import Tokenization

/// The weighted log-likelihood of supervised examples, and its gradient.
enum WeightedLikelihood {
    /// What some examples came to.
    struct Result {
        /// Σ scale · weight · −log p, or what the options put in its place for tokens of negative weight.
        var loss = 0.0
        /// The tokens of positive weight.
        private var positive = Tokens()
        /// The distributions of these tokens.
        private var figures = TokenFigures()
        /// The tokens of negative weight.
        private var negative = Tokens()
        /// How many of these are left out because they are unlikely enough.
        private var ignored = 0
        /// Tokens of right chains that have no weight.
        private var unweighted = Tokens()

        init(loss: Double = 0) { self.loss = loss }

        /// What a supervised step tells: of the tokens of positive weight, and of the others where there are some.
        var metrics: [String: Double] {
            var found = [
                "mean_token_log_probability": positive.mean,
                "entropy": figures.meanEntropy,
                "mean_token_accuracy": figures.accuracy,
            ]
            if negative.count > 0 {
                found["mean_token_log_probability/negative"] = negative.mean
                found["ignored_share/negative"] = Double(ignored) / Double(negative.count)
            }
            if unweighted.count > 0 { found["mean_token_log_probability/unweighted"] = unweighted.mean }
            return found
        }

        /// Adds a token.
        mutating func add(
            _ logProbability: Float,
            _ statistics: TokenStatistics,
            weight: Float,
            rule: NegativeTokens
        ) {
            if weight > 0 {
                positive.add(logProbability)
                figures.add(statistics)
            } else if weight < 0 {
                negative.add(logProbability)
                ignored += rule.isIgnored(weight: weight, logProbability: logProbability) ? 1 : 0
            } else {
                unweighted.add(logProbability)
            }
        }

        static func += (left: inout Result, right: Result) {
            left.loss += right.loss
            left.positive += right.positive
            left.figures += right.figures
            left.negative += right.negative
            left.ignored += right.ignored
            left.unweighted += right.unweighted
        }
    }

    /// Log-probabilities of some tokens.
    private struct Tokens {
        private var sum = 0.0
        private(set) var count = 0

        /// In nats.
        var mean: Double { sum / Double(max(1, count)) }

        mutating func add(_ logProbability: Float) {
            sum += Double(logProbability)
            count += 1
        }

        static func += (left: inout Tokens, right: Tokens) {
            left.sum += right.sum
            left.count += right.count
        }
    }

    /// Examples packed together, and the tokens of theirs that have a weight.
    struct Layout {
        let batch: PackedBatch
        /// The packed row that predicts each of these tokens.
        private(set) var rows: [Int32] = []
        private(set) var targets: [TokenID] = []
        /// The tokens' weights times their examples' scale.
        private(set) var weights: [Float] = []

        /// `scale` multiplies all weights of an example; `includingUnweighted` takes in the tokens of right chains that
        /// have no weight: responses whose length is said and that have tokens of positive weight and none of negative.
        init(
            _ examples: [SupervisedExample],
            includingUnweighted: Bool = false,
            scale: (SupervisedExample) -> Double
        ) {
            batch = PackedBatch(examples.map(\.tokens))
            for (begin, example) in zip(batch.offsets, examples) {
                let factor = scale(example)
                let isRight = example.weights.contains { $0 > 0 } && !example.weights.contains { $0 < 0 }
                let unweighted = includingUnweighted && isRight ? example.responseLength ?? 0 : 0
                let response = max(1, example.tokens.count - unweighted)
                for position in example.tokens.indices.dropFirst()
                where example.weights[position] != 0 || position >= response {
                    rows.append(Int32(begin + position - 1))
                    targets.append(example.tokens[position])
                    weights.append(Float(Double(example.weights[position]) * factor))
                }
            }
        }
    }

    /// Computes the examples packed together and adds the gradients to the model's; `scale` multiplies all weights of an
    /// example.
    static func backward(
        _ examples: [SupervisedExample],
        model: CausalLanguageModel,
        options: TrainingOptions,
        scale: (SupervisedExample) -> Double
    ) throws -> Result {
        let layout = Layout(examples, scale: scale)
        let tape = Tape(context: model.context)
        let checkpointing = options.checkpointsActivations
        let result = try compute(layout, model, tape, checkpointing: checkpointing, negative: options.negative)
        if !layout.weights.isEmpty { try tape.backward() }
        return result
    }

    /// Computes a layout, with its gradients down to the hidden states where the tape records.
    static func compute(
        _ layout: Layout,
        _ model: CausalLanguageModel,
        _ tape: Tape,
        checkpointing: Bool = false,
        negative: NegativeTokens
    ) throws -> Result {
        guard !layout.weights.isEmpty else { return Result() }
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
            weights: layout.weights,
            negative: negative
        )
        var result = Result(loss: computed.loss)
        for (row, weight) in layout.weights.enumerated() {
            result.add(computed.logProbabilities[row], computed.statistics[row], weight: weight, rule: negative)
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
