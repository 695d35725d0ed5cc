/// The stages of a run, in the order in which they build on each other.
public struct RunStages: Sendable, Hashable, Codable {
    /// The control arm: plain chain-of-thought training from the initial student.
    public var plain: SupervisedStage?
    /// Training on hierarchical thought templates.
    public var hsft: SupervisedStage?
    /// Key-step learning on dual chains.
    public var krsl: KeyStepStage?
    /// Cross-model preference optimisation on correction traces.
    public var dpo: PreferenceStage?

    /// Makes a choice of stages.
    public init(
        plain: SupervisedStage? = nil,
        hsft: SupervisedStage? = nil,
        krsl: KeyStepStage? = nil,
        dpo: PreferenceStage? = nil
    ) {
        self.plain = plain
        self.hsft = hsft
        self.krsl = krsl
        self.dpo = dpo
    }

    /// The optimiser's options of a stage; nil where the run gives none.
    public func training(of stage: TrainingStage) -> TrainingBlock? {
        switch stage {
        case .initial: nil
        case .plain: plain?.training
        case .hsft: hsft?.training
        case .krsl: krsl?.training
        case .dpo: dpo?.training
        }
    }

    func validate(_ check: Validation) throws {
        try plain?.training?.validate(check, "stages.plain.training")
        try hsft?.training?.validate(check, "stages.hsft.training")
        try krsl?.validate(check, "stages.krsl")
        try dpo?.validate(check, "stages.dpo")
    }
}

/// A stage of supervised training.
///
/// What is not there has the stage's default.
public struct SupervisedStage: Sendable, Hashable, Codable {
    /// The optimiser's options.
    public var training: TrainingBlock?

    /// Makes a stage.
    public init(training: TrainingBlock? = nil) {
        self.training = training
    }
}

/// A stage of key-step learning.
///
/// What is not there has the stage's default.
public struct KeyStepStage: Sendable, Hashable, Codable {
    /// The optimiser's options.
    public var training: TrainingBlock?
    /// The weight of key tokens on the right chain.
    public var alpha: Double?
    /// The weight of key tokens on the wrong chain, which are made less likely.
    public var beta: Double?
    /// The weight of the tokens that are not key.
    public var gamma: Double?
    /// How ties between alignments are decided, `edit` or `canonical`.
    public var tieRule: String?
    /// The weight of the run's thought templates, which are mixed in as supervised examples.
    public var supervisedWeight: Double?
    /// What the wrong chain's key tokens cost: `likelihood`, the authors' form, or `unlikelihood`, which is bounded.
    public var wrongTokens: String?
    /// Key tokens of the wrong chain that cost more than this, in nats, are left out of an update; none when not there.
    public var nllThreshold: Double?
    /// Which tokens are key: `edit`, or `random`, as many at places drawn by the run's seed.
    public var keyTokens: String?
    /// The pairs to learn from: `all`, or only those that were `corrupted` or `rectified` (D_dual, D+_dual and D-_dual
    /// of EDIT).
    public var pairs: String?
    /// The patterns of mistakes whose pairs are learned from, as in ``DualBody/mistake``; all when empty or not there.
    public var mistakes: [String]?

    /// The patterns of mistakes that ``mistakes`` can hold.
    static let mistakePatterns = [
        "logical", "knowledge", "calculation", "logical+knowledge", "logical+calculation", "knowledge+calculation",
        "logical+knowledge+calculation", "other",
    ]

    /// Makes a stage.
    public init(
        training: TrainingBlock? = nil,
        alpha: Double? = nil,
        beta: Double? = nil,
        gamma: Double? = nil,
        tieRule: String? = nil,
        supervisedWeight: Double? = nil,
        wrongTokens: String? = nil,
        nllThreshold: Double? = nil,
        keyTokens: String? = nil,
        pairs: String? = nil,
        mistakes: [String]? = nil
    ) {
        self.training = training
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tieRule = tieRule
        self.supervisedWeight = supervisedWeight
        self.wrongTokens = wrongTokens
        self.nllThreshold = nllThreshold
        self.keyTokens = keyTokens
        self.pairs = pairs
        self.mistakes = mistakes
    }

    func validate(_ check: Validation, _ field: String) throws {
        try training?.validate(check, "\(field).training")
        try check.range(alpha, 0...1000, "\(field).alpha")
        try check.range(beta, 0...1000, "\(field).beta")
        try check.range(gamma, 0...1000, "\(field).gamma")
        try check.range(supervisedWeight, 0...1000, "\(field).supervisedWeight")
        try check.notBlank(tieRule, "\(field).tieRule")
        try check.word(wrongTokens, of: ["likelihood", "unlikelihood"], "\(field).wrongTokens")
        try check.positive(nllThreshold, "\(field).nllThreshold")
        try check.word(keyTokens, of: ["edit", "random"], "\(field).keyTokens")
        try check.word(pairs, of: ["all"] + DualBody.Method.allCases.map(\.rawValue).sorted(), "\(field).pairs")
        for (index, mistake) in (mistakes ?? []).enumerated() {
            try check.word(mistake, of: Self.mistakePatterns, "\(field).mistakes[\(index)]")
        }
    }
}

/// A stage of preference optimisation.
///
/// What is not there has the stage's default.
public struct PreferenceStage: Sendable, Hashable, Codable {
    /// The optimiser's options.
    public var training: TrainingBlock?
    /// The loss: `sigmoid`, `hinge`, `ipo`, `robust`.
    public var loss: String?
    /// The strength of the pull to the reference.
    public var beta: Double?
    /// The share of pairs that is taken to be labelled the wrong way round, below one half.
    public var labelSmoothing: Double?
    /// The weight of a supervised term on the chosen side.
    public var nllWeight: Double?
    /// The weight of a supervised term on the run's thought templates that is mixed in.
    public var supervisedWeight: Double?
    /// How a pair is laid out: `step` (the default), `trace`, `prefix` (equations 7 and 8 of the paper) or `instance`.
    public var layout: String?
    /// Whether the text of the wrong step stands in the context.
    public var wrongStepInContext: Bool?
    /// Whether only the tokens in which the two sides differ carry the preference.
    public var tokenWeighted: Bool?
    /// What to do when the student's own correction is right: `keep` (reject it all the same), `drop` (no pair) or `step`
    /// (reject the wrong step instead).
    public var whenSelfCorrectionIsRight: String?
    /// What to do when the student's own correction names another step or none: `keep`, `drop` or `step`.
    public var whenSelfCorrectionNamesAnotherStep: String?

    /// Makes a stage.
    public init(
        training: TrainingBlock? = nil,
        loss: String? = nil,
        beta: Double? = nil,
        labelSmoothing: Double? = nil,
        nllWeight: Double? = nil,
        supervisedWeight: Double? = nil,
        layout: String? = nil,
        wrongStepInContext: Bool? = nil,
        tokenWeighted: Bool? = nil,
        whenSelfCorrectionIsRight: String? = nil,
        whenSelfCorrectionNamesAnotherStep: String? = nil
    ) {
        self.training = training
        self.loss = loss
        self.beta = beta
        self.labelSmoothing = labelSmoothing
        self.nllWeight = nllWeight
        self.supervisedWeight = supervisedWeight
        self.layout = layout
        self.wrongStepInContext = wrongStepInContext
        self.tokenWeighted = tokenWeighted
        self.whenSelfCorrectionIsRight = whenSelfCorrectionIsRight
        self.whenSelfCorrectionNamesAnotherStep = whenSelfCorrectionNamesAnotherStep
    }

    func validate(_ check: Validation, _ field: String) throws {
        try training?.validate(check, "\(field).training")
        try check.notBlank(loss, "\(field).loss")
        try check.positive(beta, "\(field).beta")
        try check.range(labelSmoothing, 0...0.5, "\(field).labelSmoothing")
        try check.range(nllWeight, 0...1000, "\(field).nllWeight")
        try check.range(supervisedWeight, 0...1000, "\(field).supervisedWeight")
        try check.word(layout, of: ["step", "trace", "prefix", "instance"], "\(field).layout")
        for (name, rule) in [
            ("whenSelfCorrectionIsRight", whenSelfCorrectionIsRight),
            ("whenSelfCorrectionNamesAnotherStep", whenSelfCorrectionNamesAnotherStep),
        ] {
            guard let rule else { continue }
            try check.require(
                ["keep", "drop", "step"].contains(rule),
                "\(field).\(name)",
                "is '\(rule)'; known are keep, drop, step"
            )
        }
    }
}

/// The optimiser's options of a stage.
///
/// What is not there has the stage's default.
public struct TrainingBlock: Sendable, Hashable, Codable {
    /// The peak learning rate.
    public var learningRate: Double?
    /// Passes over the data.
    public var epochs: Double?
    /// The most tokens to train on.
    public var maximumTokens: Int?
    /// The most optimiser steps.
    public var maximumSteps: Int?
    /// Tokens a batch; not together with `batchSequences`.
    public var batchTokens: Int?
    /// Sequences a batch; not together with `batchTokens`.
    public var batchSequences: Int?
    /// Batches whose gradients are summed before a step.
    public var accumulation: Int?
    /// The most tokens that are computed at once, which bounds the memory and changes nothing else but rounding.
    public var tokensAtOnce: Int?
    /// Whether activations are computed again on the way back: less memory, a third more time, the same bits.
    public var recomputeActivations: Bool?
    /// What operands of matrix products are rounded to: `float32` or `bfloat16`.
    public var precision: String?
    /// The schedule: `constant`, `linear`, `cosine`, `exponential`.
    public var schedule: String?
    /// The share of steps over which the rate rises from zero.
    public var warmupRatio: Double?
    /// AdamW's decay.
    public var weightDecay: Double?
    /// The global norm that gradients are cut to.
    public var maximumGradientNorm: Double?
    /// What the loss is divided by: `responseTokens`, `perSequence`, `none`.
    public var normalization: String?
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
        tokensAtOnce: Int? = nil,
        recomputeActivations: Bool? = nil,
        precision: String? = nil,
        schedule: String? = nil,
        warmupRatio: Double? = nil,
        weightDecay: Double? = nil,
        maximumGradientNorm: Double? = nil,
        normalization: String? = nil,
        lora: LoRABlock? = nil
    ) {
        self.learningRate = learningRate
        self.epochs = epochs
        self.maximumTokens = maximumTokens
        self.maximumSteps = maximumSteps
        self.batchTokens = batchTokens
        self.batchSequences = batchSequences
        self.accumulation = accumulation
        self.tokensAtOnce = tokensAtOnce
        self.recomputeActivations = recomputeActivations
        self.precision = precision
        self.schedule = schedule
        self.warmupRatio = warmupRatio
        self.weightDecay = weightDecay
        self.maximumGradientNorm = maximumGradientNorm
        self.normalization = normalization
        self.lora = lora
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.positive(learningRate, "\(field).learningRate")
        try check.positive(epochs, "\(field).epochs")
        try check.atLeast(maximumTokens, 1, "\(field).maximumTokens")
        try check.atLeast(maximumSteps, 1, "\(field).maximumSteps")
        try check.atLeast(batchTokens, 1, "\(field).batchTokens")
        try check.atLeast(batchSequences, 1, "\(field).batchSequences")
        try check.require(
            batchTokens == nil || batchSequences == nil,
            "\(field).batchTokens",
            "cannot be given together with batchSequences"
        )
        try check.atLeast(accumulation, 1, "\(field).accumulation")
        try check.atLeast(tokensAtOnce, 1, "\(field).tokensAtOnce")
        try check.word(precision, of: ["float32", "bfloat16"], "\(field).precision")
        try check.notBlank(schedule, "\(field).schedule")
        try check.range(warmupRatio, 0...1, "\(field).warmupRatio")
        try check.range(weightDecay, 0...1000, "\(field).weightDecay")
        try check.positive(maximumGradientNorm, "\(field).maximumGradientNorm")
        try check.notBlank(normalization, "\(field).normalization")
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
