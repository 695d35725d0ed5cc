public import LanguageModel
public import Schemas
import TensorEngine
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
        if let tokensAtOnce { options.tokensAtOnce = tokensAtOnce }
        if let recomputeActivations { options.checkpointsActivations = recomputeActivations }
        if let precision { options.precision = try MatrixPrecision(word: precision, of: "training.precision") }
        if let warmupRatio { options.warmupRatio = warmupRatio }
        if let weightDecay { options.weightDecay = weightDecay }
        if let maximumGradientNorm { options.maxGradientNorm = maximumGradientNorm }
        if let shuffle { options.shuffle = shuffle }
        if let schedule {
            options.schedule = try LearningRateSchedule(word: schedule, of: "training.schedule")
        }
        if let normalization {
            options.normalization = try LossNormalization(word: normalization, of: "training.normalization")
        }
        return options
    }
}

extension TrainingBlock {
    /// What a checkpoint tells of its training: the options that were used, and the adapter where one was trained.
    public func record(of options: TrainingOptions) throws -> [String: JSONValue] {
        var record = try JSONValue.object(of: options)
        if let saveDtype { record["saveDtype"] = .string(saveDtype) }
        if let lora { record["lora"] = .object(try JSONValue.object(of: lora)) }
        return record
    }

    /// How the checkpoint's weights are written.
    ///
    /// - Throws: ``DistillationError`` that names an unknown word.
    public func savedType() throws -> SavedType {
        try saveDtype.map { try SavedType(word: $0, of: "training.saveDtype") } ?? .float32
    }

    /// The adapter that the stage trains; nil where it trains the model's own weights.
    ///
    /// - Throws: ``DistillationError`` that names an unknown layer, or a number that an adapter cannot have.
    public func adapter() throws -> LoRAConfiguration? {
        guard let lora else { return nil }
        let targets = try lora.targets?.map { try LoRAConfiguration.Target(word: $0, of: "training.lora.targets") }
        let configuration = LoRAConfiguration(
            rank: lora.rank,
            alpha: lora.alpha ?? 2 * Double(lora.rank),
            dropout: lora.dropout ?? 0,
            targets: targets ?? LoRAConfiguration.Target.allCases
        )
        do {
            try configuration.validate(place: "training.lora")
        } catch {
            throw DistillationError("\(error)")
        }
        return configuration
    }
}
