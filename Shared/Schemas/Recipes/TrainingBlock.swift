/// The optimiser's options of a stage.
///
/// What is not there has the stage's default.
public struct TrainingBlock: Sendable, Hashable, Codable {
    /// The peak learning rate.
    public var learningRate: Double?
    /// Passes over the data; not together with `maximumTokens` or `maximumSteps`.
    public var epochs: Double?
    /// The most tokens to train on; not together with `maximumSteps`.
    public var maximumTokens: Int?
    /// The most optimiser steps; not together with `maximumTokens`.
    public var maximumSteps: Int?
    /// Tokens a batch; not together with `batchSequences`.
    public var batchTokens: Int?
    /// Sequences a batch; not together with `batchTokens`.
    public var batchSequences: Int?
    /// Batches whose gradients are summed before a step.
    public var accumulation: Int?
    /// The most tokens of an example, or of the longer side of a pair; longer ones are left out and counted as `too-long`.
    public var maximumLength: Int?
    /// The most tokens that are computed at once, which bounds the memory and changes nothing else but rounding.
    public var tokensAtOnce: Int?
    /// Whether activations are computed again on the way back: less memory, a third more time, the same bits.
    public var recomputeActivations: Bool?
    /// What operands of matrix products are rounded to: `float32` or `bfloat16`.
    public var precision: String?
    /// The schedule: `constant`, `linear`, `cosine`, `exponential` (down to one hundredth), or `stepwise` (times 0.95 after
    /// each pass over the data, as EDIT's authors trained).
    public var schedule: String?
    /// The share of steps over which the rate rises from zero.
    public var warmupRatio: Double?
    /// AdamW's decay.
    public var weightDecay: Double?
    /// The global norm that gradients are cut to; 0 cuts none.
    public var maximumGradientNorm: Double?
    /// What the loss is divided by: `responseTokens`, `perSequence`, `none`.
    public var normalization: String?
    /// Whether the examples' order is drawn anew for each pass, by the run's seed; true when it is not there, otherwise the
    /// order of the data.
    public var shuffle: Bool?
    /// How the checkpoint's weights are written: `float32` (the default), `bfloat16`, `float16`, `auto` (as the parent's are).
    ///
    /// Rounding can undo what was learned: updates are often smaller than half the distance of two numbers.
    public var saveDtype: String?
    /// The adapter that is trained in place of the model's own weights, and merged into the checkpoint.
    public var lora: LoRABlock?

    /// Makes options.
    public init(
        learningRate: Double? = nil,
        epochs: Double? = nil,
        maximumTokens: Int? = nil,
        maximumSteps: Int? = nil,
        batchTokens: Int? = nil,
        batchSequences: Int? = nil,
        accumulation: Int? = nil,
        maximumLength: Int? = nil,
        tokensAtOnce: Int? = nil,
        recomputeActivations: Bool? = nil,
        precision: String? = nil,
        schedule: String? = nil,
        warmupRatio: Double? = nil,
        weightDecay: Double? = nil,
        maximumGradientNorm: Double? = nil,
        normalization: String? = nil,
        shuffle: Bool? = nil,
        saveDtype: String? = nil,
        lora: LoRABlock? = nil
    ) {
        self.learningRate = learningRate
        self.epochs = epochs
        self.maximumTokens = maximumTokens
        self.maximumSteps = maximumSteps
        self.batchTokens = batchTokens
        self.batchSequences = batchSequences
        self.accumulation = accumulation
        self.maximumLength = maximumLength
        self.tokensAtOnce = tokensAtOnce
        self.recomputeActivations = recomputeActivations
        self.precision = precision
        self.schedule = schedule
        self.warmupRatio = warmupRatio
        self.weightDecay = weightDecay
        self.maximumGradientNorm = maximumGradientNorm
        self.normalization = normalization
        self.shuffle = shuffle
        self.saveDtype = saveDtype
        self.lora = lora
    }

    /// The most passes over the data.
    static let mostEpochs = 1e6

    func validate(_ check: Validation, _ field: String) throws {
        try check.positive(learningRate, "\(field).learningRate")
        try check.positive(epochs, "\(field).epochs")
        try check.require(
            epochs ?? 0 <= Self.mostEpochs,
            "\(field).epochs",
            "must be at most \(Self.mostEpochs), is \(epochs ?? 0)"
        )
        try check.atLeast(maximumTokens, 1, "\(field).maximumTokens")
        try check.atLeast(maximumSteps, 1, "\(field).maximumSteps")
        try check.atLeast(batchTokens, 1, "\(field).batchTokens")
        try check.atLeast(batchSequences, 1, "\(field).batchSequences")
        try check.require(
            maximumTokens == nil || maximumSteps == nil,
            "\(field).maximumTokens",
            "cannot be given together with maximumSteps"
        )
        try check.require(
            epochs == nil || maximumTokens == nil && maximumSteps == nil,
            "\(field).epochs",
            "is not read beside \(maximumSteps == nil ? "maximumTokens" : "maximumSteps"), which says how long the stage "
                + "trains; leave it out"
        )
        try check.require(
            batchTokens == nil || batchSequences == nil,
            "\(field).batchTokens",
            "cannot be given together with batchSequences"
        )
        try check.atLeast(accumulation, 1, "\(field).accumulation")
        try check.atLeast(maximumLength, 2, "\(field).maximumLength")
        try check.atLeast(tokensAtOnce, 1, "\(field).tokensAtOnce")
        try check.word(precision, of: ["float32", "bfloat16"], "\(field).precision")
        try check.word(
            schedule,
            of: ["constant", "linear", "cosine", "exponential", "stepwise"],
            "\(field).schedule"
        )
        try check.range(warmupRatio, 0...1, "\(field).warmupRatio")
        try check.range(weightDecay, 0...1000, "\(field).weightDecay")
        try check.range(maximumGradientNorm, 0...1e9, "\(field).maximumGradientNorm")
        try check.word(normalization, of: ["responseTokens", "perSequence", "none"], "\(field).normalization")
        try check.word(saveDtype, of: ["float32", "bfloat16", "float16", "auto"], "\(field).saveDtype")
        try lora?.validate(check, "\(field).lora")
    }
}

/// A LoRA adapter, as PEFT's `LoraConfig` has it.
public struct LoRABlock: Sendable, Hashable, Codable {
    /// Width of the bottleneck.
    public var rank: Int
    /// Numerator of the scaling alpha / rank; twice the rank when it is not there.
    public var alpha: Double?
    /// The chance of an element of the adapter's input to become 0 while training; 0 when it is not there.
    public var dropout: Double?
    /// The layers that are changed, by PEFT's names (`q_proj`, …, `down_proj`); all of these when it is not there.
    public var targets: [String]?

    /// The layers that ``targets`` can hold.
    static let layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

    /// Makes an adapter.
    public init(rank: Int, alpha: Double? = nil, dropout: Double? = nil, targets: [String]? = nil) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.range(rank, 1...65_536, "\(field).rank")
        try check.positive(alpha, "\(field).alpha")
        try check.range(dropout, 0...1, "\(field).dropout")
        try check.require(dropout != 1, "\(field).dropout", "must be below 1")
        try check.require(targets?.isEmpty != true, "\(field).targets", "must name a layer, or not be there")
        for (index, target) in (targets ?? []).enumerated() {
            try check.word(target, of: Self.layers, "\(field).targets[\(index)]")
        }
    }
}
