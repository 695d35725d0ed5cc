import Reasoning
public import Schemas
import TensorEngine
public import Training

extension KeyStepStage {
    /// The token weights of the stage; the defaults are the paper's.
    ///
    /// Random key tokens are drawn by the run's `seed`.
    ///
    /// - Throws: ``DistillationError`` that names the field, its word and the words that are known.
    public func keyStepOptions(seed: UInt64) throws -> KeyStepOptions {
        var options = KeyStepOptions()
        if let alpha { options.alpha = alpha }
        if let beta { options.beta = beta }
        if let gamma { options.gamma = gamma }
        if let tieRule {
            options.tieRule = try KeyStepAlignment.TieRule(word: tieRule, of: "stages.krsl.tieRule")
        }
        switch keyTokens {
        case nil, "edit": options.keyTokens = .edit
        case "random": options.keyTokens = .random(seed: seed)
        case let word?: throw DistillationError("stages.krsl.keyTokens is '\(word)'; known are edit, random")
        }
        return options
    }

    /// The trainer's options of the stage.
    ///
    /// - Throws: ``DistillationError`` that names a word the trainer does not know.
    public func trainingOptions(defaults: TrainingOptions, seed: UInt64) throws -> TrainingOptions {
        var options = try (training ?? TrainingBlock()).options(defaults: defaults, seed: seed)
        if let wrongTokens {
            options.negativeTokens = try NegativeTokenLoss(word: wrongTokens, of: "stages.krsl.wrongTokens")
        }
        if let nllThreshold { options.negativeThreshold = nllThreshold }
        return options
    }
}
