import Reasoning
public import Schemas
import TensorEngine
public import Training

extension KeyStepMethod {
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
        if let tieRule { options.tieRule = try KeyStepAlignment.TieRule(word: tieRule, of: "keySteps.tieRule") }
        switch keyTokens {
        case nil, "edit": options.keyTokens = .edit
        case "random": options.keyTokens = .random(seed: seed)
        case let word?: throw DistillationError("keySteps.keyTokens is '\(word)'; known are edit, random")
        }
        return options
    }
}

extension PreferenceMethod {
    /// The preference loss of a stage; defaults are the paper's form (sigmoid) with beta 0.1.
    ///
    /// - Throws: ``DistillationError`` that names a loss the trainer does not know.
    public func preferenceOptions() throws -> PreferenceOptions {
        var options = PreferenceOptions()
        if let loss { options.loss = try PreferenceLoss(word: loss, of: "preferences.loss") }
        if let beta { options.beta = beta }
        if let labelSmoothing { options.labelSmoothing = labelSmoothing }
        if let simpoMargin { options.simpoMargin = simpoMargin }
        if let nllWeight { options.nllWeight = nllWeight }
        options.supervisedWeight = mix?.isEmpty == false ? mixWeight ?? 1 : 0
        return options
    }

    /// How pairs of attempts are made.
    ///
    /// - Throws: ``DistillationError`` that names an unknown word.
    public func pairOptions() throws -> PreferencePairs.Options {
        let rule = { (word: String?, name: String) in
            try word.map { try PreferencePairs.SelfCorrectionRule(word: $0, of: "preferences.\(name)") }
        }
        return PreferencePairs.Options(
            layout: try PreferencePairs.Layout(word: layout, of: "preferences.layout"),
            wrongStepInContext: wrongStepInContext,
            tokenWeighted: tokenWeighted ?? false,
            whenSelfCorrectionIsRight: try rule(whenSelfCorrectionIsRight, "whenSelfCorrectionIsRight"),
            whenSelfCorrectionNamesAnotherStep: try rule(
                whenSelfCorrectionNamesAnotherStep,
                "whenSelfCorrectionNamesAnotherStep"
            )
        )
    }
}

extension RunStage {
    /// The trainer's options of the stage: what the recipe says, and the papers' schedule and rate for the rest.
    ///
    /// Arguments:
    ///   - tokens: the tokens to train on where the stage is to take as many as others took.
    /// - Throws: ``DistillationError`` that names a word the trainer does not know.
    public func trainingOptions(seed: UInt64, tokens: Int? = nil) throws -> TrainingOptions {
        let block = training ?? TrainingBlock()
        var options: TrainingOptions
        switch method {
        case .keySteps(let method):
            // EDIT, Table 16; each chain's sum over its length, as in the authors' code.
            options = try block.options(
                defaults: TrainingOptions(
                    learningRate: 5e-6,
                    epochs: 10,
                    schedule: .stepwise,
                    normalization: .perSequence
                ),
                seed: seed
            )
            if let word = method.wrongTokens {
                options.negativeTokens = try NegativeTokenLoss(word: word, of: "keySteps.wrongTokens")
            }
            if let threshold = method.nllThreshold { options.negativeThreshold = threshold }
        case .preferences:
            // SuperCorrect, section 5.1.
            options = try block.options(
                defaults: TrainingOptions(learningRate: 1e-6, epochs: 8, schedule: .cosine, warmupRatio: 0.05),
                seed: seed
            )
        case .supervised, nil:
            // SuperCorrect, section 5.1.
            options = try block.options(
                defaults: TrainingOptions(learningRate: 2e-5, epochs: 4, schedule: .cosine, warmupRatio: 0.02),
                seed: seed
            )
        }
        if let tokens { options.maximumTokens = tokens }
        return options
    }
}
