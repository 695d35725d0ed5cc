public import Foundation
public import LanguageModel
import TensorEngine
import Tokenization

/// Trains on weighted log-likelihoods: plain fine-tuning, and KRSL through signed token weights.
public final class SupervisedTrainer {
    private let loop: TrainingLoop
    private let examples: [SupervisedExample]

    /// Prepares a run; nothing is computed yet.
    ///
    /// - Throws: ``TrainingError`` for options or examples that cannot be used.
    public init(model: CausalLanguageModel, examples: [SupervisedExample], options: TrainingOptions) throws {
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
        self.examples = examples
        loop = try TrainingLoop(
            kind: "supervised",
            model: model,
            lengths: examples.map { $0.tokens.count },
            options: options
        )
    }

    /// Updates of the whole run.
    public var totalSteps: Int { loop.plan.updates.count }
    /// Updates made so far.
    public var step: Int { loop.step }

    /// Runs the updates that are left.
    ///
    /// - Parameter onStep: Called after each update; throwing ends the run with that error, the update kept.
    /// - Returns: Steps, tokens, loss and speed of the run.
    /// - Throws: ``TrainingError`` when the loss is no longer finite, or what `onStep` throws.
    public func run(onStep: (TrainingStep) throws -> Void = { _ in }) throws -> TrainingSummary {
        try loop.run(onStep: onStep) { chosen, passes in
            let normalizer: Double =
                switch loop.options.normalization {
                case .responseTokens: Double(chosen.reduce(0) { $0 + examples[$1].countedLength })
                case .perSequence, .none: Double(chosen.count)
                }
            var loss = 0.0
            var logProbability = 0.0
            var positive = 0
            for pass in passes {
                let result = try backward(pass, normalizer: normalizer)
                loss += result.loss
                logProbability += result.logProbability
                positive += result.positive
            }
            return TrainingLoop.Outcome(
                loss: loss,
                metrics: ["mean_token_log_probability": logProbability / Double(max(1, positive))]
            )
        }
    }

    /// Writes weights, optimizer state and data position to one file, atomically.
    public func saveCheckpoint(to url: URL) throws { try loop.save(to: url) }

    /// Goes on where a checkpoint of the same run left off, bit for bit.
    ///
    /// - Throws: ``TrainingError`` when the file belongs to another run.
    public func resume(from url: URL) throws { try loop.resume(from: url) }

    private func backward(
        _ pass: [Int],
        normalizer: Double
    ) throws -> (loss: Double, logProbability: Double, positive: Int) {
        let batch = PackedBatch(pass.map { examples[$0].tokens })
        var rows: [Int32] = []
        var targets: [TokenID] = []
        var weights: [Float] = []
        for (begin, index) in zip(batch.offsets, pass) {
            let example = examples[index]
            var scale = 1 / normalizer
            if loop.options.normalization == .perSequence { scale /= Double(example.countedLength) }
            for position in example.tokens.indices.dropFirst() where example.weights[position] != 0 {
                rows.append(Int32(begin + position - 1))
                targets.append(example.tokens[position])
                weights.append(Float(Double(example.weights[position]) * scale))
            }
        }
        guard !rows.isEmpty else { return (0, 0, 0) }
        let model = loop.model
        let tape = Tape(context: model.context)
        let hidden = try model.hiddenStates(batch, tape: tape, rows: rows)
        let result = try tape.weightedNegativeLogLikelihood(
            hidden,
            weight: model.outputWeight,
            targets: targets,
            weights: weights
        )
        tape.backward()
        var logProbability = 0.0
        var positive = 0
        for (value, weight) in zip(result.logProbabilities, weights) where weight > 0 {
            logProbability += Double(value)
            positive += 1
        }
        return (result.loss, logProbability, positive)
    }
}
