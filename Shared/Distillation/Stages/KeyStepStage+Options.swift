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
            options.tieRule = try Self.word(tieRule, "tieRule", KeyStepAlignment.TieRule.self)
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
            options.negativeTokens = try Self.word(wrongTokens, "wrongTokens", NegativeTokenLoss.self)
        }
        if let nllThreshold { options.negativeThreshold = nllThreshold }
        return options
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ value: String,
        _ field: String,
        _ type: Word.Type
    ) throws -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: value) else {
            let known = type.allCases.map(\.rawValue).joined(separator: ", ")
            throw DistillationError("stages.krsl.\(field) is '\(value)'; known are \(known)")
        }
        return word
    }
}
