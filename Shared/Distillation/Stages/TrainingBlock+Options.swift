public import Schemas
public import Training

extension TrainingBlock {
    /// The trainer's options of a stage: what the run says, and the given defaults for the rest.
    ///
    /// - Throws: ``DistillationError`` that names a word the trainer does not know.
    public func options(defaults: TrainingOptions, seed: UInt64) throws -> TrainingOptions {
        var options = defaults
        options.seed = seed
        if let learningRate { options.learningRate = learningRate }
        if let epochs { options.epochs = epochs }
        if let maximumTokens { options.maximumTokens = maximumTokens }
        if let maximumSteps { options.maximumSteps = maximumSteps }
        if let batchSequences { options.batchSequences = batchSequences }
        if let batchTokens { options.batchTokens = batchTokens }
        if let accumulation { options.accumulation = accumulation }
        if let warmupRatio { options.warmupRatio = warmupRatio }
        if let weightDecay { options.weightDecay = weightDecay }
        if let maximumGradientNorm { options.maxGradientNorm = maximumGradientNorm }
        if let schedule {
            guard let known = LearningRateSchedule(rawValue: schedule) else {
                throw DistillationError(Self.unknown("schedule", schedule, LearningRateSchedule.self))
            }
            options.schedule = known
        }
        if let normalization {
            guard let known = LossNormalization(rawValue: normalization) else {
                throw DistillationError(Self.unknown("normalization", normalization, LossNormalization.self))
            }
            options.normalization = known
        }
        return options
    }

    private static func unknown<Word: RawRepresentable & CaseIterable>(
        _ key: String,
        _ value: String,
        _ type: Word.Type
    ) -> String where Word.RawValue == String {
        "training.\(key) is '\(value)'; known are \(type.allCases.map(\.rawValue).joined(separator: ", "))"
    }
}

extension PreferenceStage {
    /// The preference loss of a stage; defaults are the paper's form (sigmoid) with beta 0.1.
    ///
    /// - Throws: ``DistillationError`` that names a loss the trainer does not know.
    public func preferenceOptions() throws -> PreferenceOptions {
        var options = PreferenceOptions()
        if let loss {
            guard let known = PreferenceLoss(rawValue: loss) else {
                let names = PreferenceLoss.allCases.map(\.rawValue).joined(separator: ", ")
                throw DistillationError("dpo.loss is '\(loss)'; known are \(names)")
            }
            options.loss = known
        }
        if let beta { options.beta = beta }
        if let labelSmoothing { options.labelSmoothing = labelSmoothing }
        if let nllWeight { options.nllWeight = nllWeight }
        if let supervisedWeight { options.supervisedWeight = supervisedWeight }
        return options
    }
}
