public import Foundation
public import LanguageModel
import ModelFiles

/// Trains on weighted log-likelihoods: plain fine-tuning, and KRSL through signed token weights.
public final class SupervisedTrainer {
    private let loop: TrainingLoop
    private let examples: [SupervisedExample]

    /// Prepares a run; nothing is computed yet.
    ///
    /// - Throws: ``TrainingError`` for options or examples that cannot be used.
    public init(model: CausalLanguageModel, examples: [SupervisedExample], options: TrainingOptions) throws {
        try WeightedLikelihood.check(examples)
        self.examples = examples
        loop = try TrainingLoop(
            kind: [RunFingerprint.Field("trainer", "supervised")],
            model: model,
            lengths: examples.map { $0.tokens.count },
            content: ContentDigest.hex(of: examples),
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
        try loop.run(onStep: onStep) { update, passes in
            let chosen = update.examples
            let normalizer: Double =
                switch loop.options.normalization {
                case .responseTokens: Double(chosen.reduce(0) { $0 + examples[$1].countedLength })
                case .perSequence, .none: Double(chosen.count)
                }
            var result = WeightedLikelihood.Result()
            for pass in passes {
                result += try WeightedLikelihood.backward(
                    pass.map { examples[$0] },
                    model: loop.model,
                    options: loop.options
                ) { example in
                    loop.options.normalization == .perSequence
                        ? 1 / normalizer / Double(example.countedLength) : 1 / normalizer
                }
            }
            return TrainingLoop.Outcome(loss: result.loss, metrics: result.metrics)
        }
    }

    /// Writes weights, optimizer state and data position to one file, atomically.
    public func saveCheckpoint(to url: URL) throws { try loop.save(to: url) }

    /// Goes on where a checkpoint of the same run left off, bit for bit.
    ///
    /// - Throws: ``TrainingError`` when the file belongs to another run or is damaged.
    public func resume(from url: URL) throws { try loop.resume(from: url) }
}
