import Foundation
public import TensorEngine

/// How the learning rate changes over a run.
public enum LearningRateSchedule: String, Sendable, Codable, CaseIterable {
    /// The same rate after warm-up.
    case constant
    /// Down to 0 in a straight line.
    case linear
    /// Down to 0 along half a cosine.
    case cosine
    /// Down to one hundredth in equal ratios.
    case exponential
    /// Times 0.95 after each whole pass over the examples: what EDIT's authors trained with.
    case stepwise

    /// The factor on the peak rate for an update.
    ///
    /// - Parameters:
    ///   - step: Updates made before this one.
    ///   - totalSteps: Updates of the whole run.
    ///   - warmupSteps: Updates over which the rate rises in a straight line, as `transformers` counts them.
    ///   - epoch: Passes over the examples made before this update.
    /// - Returns: A factor in 0...1.
    public func factor(step: Int, totalSteps: Int, warmupSteps: Int, epoch: Double = 0) -> Double {
        if step < warmupSteps { return Double(step) / Double(max(1, warmupSteps)) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        return switch self {
        case .constant: 1
        case .linear: max(0, 1 - progress)
        case .cosine: max(0, 0.5 * (1 + cos(.pi * progress)))
        case .exponential: pow(0.01, progress)
        case .stepwise: pow(0.95, epoch.rounded(.down))
        }
    }
}

/// What the weighted log-likelihoods of an update are divided by.
public enum LossNormalization: String, Sendable, Codable, CaseIterable {
    /// All response tokens of the update: every token counts the same.
    case responseTokens
    /// Each sequence by its own response length, then the number of sequences (EDIT's code).
    case perSequence
    /// The number of sequences only (EDIT as printed).
    case none
}

/// The settings of a training run.
public struct TrainingOptions: Sendable, Encodable, Hashable {
    /// Peak learning rate.
    public var learningRate: Double
    /// Passes over the examples; may be broken.
    public var epochs: Double
    /// Ends the run after about this many computed tokens, repeating epochs as needed; overrides `epochs`.
    ///
    /// Prompts count, and examples that are mixed in; a prefix that two completions share counts once.
    public var maximumTokens: Int?
    /// Ends the run after this many updates, repeating epochs as needed; overrides `epochs`.
    public var maximumSteps: Int?
    /// Sequences (or pairs) a batch, unless `batchTokens` is given.
    public var batchSequences: Int
    /// Tokens a batch: as many sequences as fit.
    public var batchTokens: Int?
    /// Batches an update.
    public var accumulation: Int
    /// Most tokens computed at once; bounds memory and changes nothing else but rounding.
    public var tokensAtOnce: Int
    /// Whether a layer's activations are computed again on the way back instead of kept: the same gradients bit for bit,
    /// about a third more time, and memory for one layer's activations instead of all.
    public var checkpointsActivations: Bool
    /// How exactly matrix products are computed, those of the frozen reference included; weights, gradients and optimizer
    /// stay float32 either way.
    public var precision: MatrixPrecision
    /// Shape of the learning rate.
    public var schedule: LearningRateSchedule
    /// Share of the updates that warm up.
    public var warmupRatio: Double
    /// Decoupled weight decay of matrices; norms and biases have none.
    public var weightDecay: Double
    /// Decay of the first moment.
    public var beta1: Double
    /// Decay of the second moment.
    public var beta2: Double
    /// Added to the root of the second moment.
    public var epsilon: Double
    /// Largest global gradient norm; 0 does not clip.
    public var maxGradientNorm: Double
    /// How the loss of an update is normalised (supervised training only).
    public var normalization: LossNormalization
    /// What tokens of negative weight cost: KRSL's wrong key tokens.
    public var negativeTokens: NegativeTokenLoss
    /// Tokens of negative weight whose −log p under the present model, in nats, is above this are left out of an update:
    /// they are unlikely enough.
    ///
    /// nil leaves out none.
    ///
    /// EDIT's code has such a threshold, 0.6 in its configuration and 20 (in effect none) in the script of its
    /// experiments, but compares it with the −log p of another position's token (logits and labels are not shifted). Here
    /// each token is compared with its own, under the weights of the update that is being made.
    public var negativeThreshold: Double?
    /// Whether examples are shuffled each epoch.
    public var shuffle: Bool
    /// Seed of the shuffles.
    public var seed: UInt64

    /// Settings; the defaults are those of a plain supervised run.
    public init(
        learningRate: Double,
        epochs: Double = 1,
        maximumTokens: Int? = nil,
        maximumSteps: Int? = nil,
        batchSequences: Int = 32,
        batchTokens: Int? = nil,
        accumulation: Int = 1,
        tokensAtOnce: Int = 8192,
        checkpointsActivations: Bool = false,
        precision: MatrixPrecision = .float32,
        schedule: LearningRateSchedule = .cosine,
        warmupRatio: Double = 0,
        weightDecay: Double = 0,
        beta1: Double = 0.9,
        beta2: Double = 0.999,
        epsilon: Double = 1e-8,
        maxGradientNorm: Double = 1,
        normalization: LossNormalization = .responseTokens,
        negativeTokens: NegativeTokenLoss = .likelihood,
        negativeThreshold: Double? = nil,
        shuffle: Bool = true,
        seed: UInt64 = 0
    ) {
        self.learningRate = learningRate
        self.epochs = epochs
        self.maximumTokens = maximumTokens
        self.maximumSteps = maximumSteps
        self.batchSequences = batchSequences
        self.batchTokens = batchTokens
        self.accumulation = accumulation
        self.tokensAtOnce = tokensAtOnce
        self.checkpointsActivations = checkpointsActivations
        self.schedule = schedule
        self.warmupRatio = warmupRatio
        self.weightDecay = weightDecay
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.maxGradientNorm = maxGradientNorm
        self.normalization = normalization
        self.shuffle = shuffle
        self.seed = seed
        self.precision = precision
        self.negativeTokens = negativeTokens
        self.negativeThreshold = negativeThreshold
    }

    /// How tokens of negative weight enter the loss.
    var negative: NegativeTokens { NegativeTokens(loss: negativeTokens, threshold: negativeThreshold) }

    /// Checks every range.
    ///
    /// - Throws: ``TrainingError`` that names the option.
    public func validate() throws {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws {
            if !holds { throw TrainingError.invalidOption(message()) }
        }
        try check(learningRate.isFinite && learningRate >= 0, "learningRate is \(learningRate)")
        try check(epochs.isFinite && epochs > 0 && epochs <= 1e6, "epochs is \(epochs); it must lie in (0, 1e6]")
        try check((maximumTokens ?? 1) > 0, "maximumTokens must be positive")
        try check((maximumSteps ?? 1) > 0, "maximumSteps must be positive")
        try check(maximumTokens == nil || maximumSteps == nil, "give maximumTokens or maximumSteps, not both")
        try check(batchSequences > 0, "batchSequences is \(batchSequences); it must be positive")
        try check((batchTokens ?? 1) > 0, "batchTokens must be positive")
        try check(accumulation > 0, "accumulation is \(accumulation); it must be positive")
        try check(tokensAtOnce > 0, "tokensAtOnce is \(tokensAtOnce); it must be positive")
        try check((0...1).contains(warmupRatio), "warmupRatio is \(warmupRatio); it must lie in 0...1")
        try check(weightDecay.isFinite && weightDecay >= 0, "weightDecay is \(weightDecay)")
        try check((0..<1).contains(beta1) && (0..<1).contains(beta2), "beta1 and beta2 must lie in 0..<1")
        try check(epsilon.isFinite && epsilon > 0, "epsilon is \(epsilon); it must be positive")
        try check(maxGradientNorm.isFinite && maxGradientNorm >= 0, "maxGradientNorm is \(maxGradientNorm)")
        let threshold = negativeThreshold ?? 1
        try check(
            threshold.isFinite && threshold > 0,
            "negativeThreshold is \(threshold); it must be a number of nats above 0"
        )
    }
}

/// What is told after each update.
public struct TrainingStep: Sendable, Codable {
    /// Updates made, this one included.
    public var step: Int
    /// Updates of the whole run.
    public var totalSteps: Int
    /// Passes over the examples so far.
    public var epoch: Double
    /// The loss of this update.
    public var loss: Double
    /// The learning rate of this update.
    public var learningRate: Double
    /// The global gradient norm before clipping.
    public var gradientNorm: Double
    /// Tokens computed so far, prompts included; a prefix that both sides of a pair share counts once.
    public var tokensSeen: Int
    /// Tokens a second of this update.
    public var tokensPerSecond: Double
    /// More figures under TRL's names.
    public var metrics: [String: Double]
}

/// What a finished run amounts to.
public struct TrainingSummary: Sendable, Codable {
    /// Updates made.
    public var steps: Int
    /// Tokens computed, prompts included.
    public var tokensSeen: Int
    /// Mean loss of the last tenth of the updates that this call made.
    public var finalLoss: Double
    /// Wall-clock seconds of this call.
    public var seconds: Double
    /// Tokens a second of this call.
    public var tokensPerSecond: Double
}
