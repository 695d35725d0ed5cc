/// A run: which student learns what, when its stages start, and what it is scored on.
///
/// Record key: the run's id.
public struct RunEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.run
    /// An option that nothing reads is a mistake, not a later version's field.
    public static let refusesUnknownKeys = true

    /// The run's id.
    public var id: String
    /// A name for people.
    public var name: String
    /// The dataset whose problems the run learns from.
    public var dataset: String
    /// The seed of everything random in the run, at most 2^53 - 1.
    public var seed: UInt64
    /// The model that the run starts from.
    public var student: StudentReference
    /// The stages; a stage that is not there is not run.
    public var stages: RunStages
    /// When a stage has enough to start.
    public var thresholds: RunThresholds
    /// How the stage-one student attempts the problems held back for it.
    public var rollout: RolloutOptions
    /// What every checkpoint is scored on.
    public var suites: [EvaluationSuite]
    /// How the student decodes when it is scored; greedy when it is not there.
    public var decoding: DecodingOptions?

    /// Makes a run.
    public init(
        id: String,
        name: String,
        dataset: String,
        seed: UInt64,
        student: StudentReference,
        stages: RunStages,
        thresholds: RunThresholds,
        rollout: RolloutOptions,
        suites: [EvaluationSuite],
        decoding: DecodingOptions? = nil
    ) {
        self.id = id
        self.name = name
        self.dataset = dataset
        self.seed = seed
        self.student = student
        self.stages = stages
        self.thresholds = thresholds
        self.rollout = rollout
        self.suites = suites
        self.decoding = decoding
    }

    /// The run's id.
    public var key: String { id }

    /// Checks ids, ranges, that suites have different names, and that each stage has only options that it uses.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.notBlank(name, "name")
        try check.identifier(dataset, "dataset")
        try check.seed(seed, "seed")
        try check.identifier(student.modelHash, "student.modelHash")
        try check.identifier(student.tokenizerFingerprint, "student.tokenizerFingerprint")
        try stages.validate(check)
        try check.atLeast(thresholds.templates, 0, "thresholds.templates")
        try check.atLeast(thresholds.pairs, 0, "thresholds.pairs")
        try check.atLeast(thresholds.corrections, 0, "thresholds.corrections")
        try check.range(thresholds.maximumWaitSeconds, 0...31_536_000, "thresholds.maximumWaitSeconds")
        try check.range(rollout.samples, 1...1024, "rollout.samples")
        try check.range(rollout.temperature, 0...10, "rollout.temperature")
        try check.atLeast(rollout.limit, 1, "rollout.limit")
        for (index, suite) in suites.enumerated() {
            try check.identifier(suite.name, "suites[\(index)].name")
            try check.identifier(suite.dataset, "suites[\(index)].dataset")
            try check.atLeast(suite.expectedProblems, 1, "suites[\(index)].expectedProblems")
        }
        try check.require(Set(suites.map(\.name)).count == suites.count, "suites", "must have different names")
        try checkSplits(check)
        try decoding?.validate(check, "decoding")
    }

    /// What a run learns from must not be what it is scored on.
    private func checkSplits(_ check: Validation) throws {
        try check.require(
            rollout.split != .test,
            "rollout.split",
            "is 'test', which is only scored; give rollout, development or train"
        )
        for (index, suite) in suites.enumerated() where suite.dataset == dataset {
            let learned = [ProblemSplit.train] + (stages.dpo == nil ? [] : [rollout.split])
            try check.require(
                !learned.contains(suite.split),
                "suites[\(index)].split",
                "is '\(suite.split.rawValue)' of '\(dataset)', which the run learns from; score on another split"
            )
        }
    }
}

/// The model that a run starts from, by content.
public struct StudentReference: Sendable, Hashable, Codable {
    /// The hash of the model in the model store.
    public var modelHash: String
    /// The fingerprint of its tokenizer.
    public var tokenizerFingerprint: String

    /// Makes a reference.
    public init(modelHash: String, tokenizerFingerprint: String) {
        self.modelHash = modelHash
        self.tokenizerFingerprint = tokenizerFingerprint
    }
}

/// When a stage has enough to start: the counts are reached, or the time has passed since the run was seen.
public struct RunThresholds: Sendable, Hashable, Codable {
    /// Verified templates that stage one waits for.
    public var templates: Int
    /// Verified dual pairs that stage one waits for.
    public var pairs: Int
    /// Correction pairs that stage two waits for; all that the roll-out yields when it is not there.
    public var corrections: Int?
    /// The longest that a stage waits, in seconds; then it starts with what there is.
    public var maximumWaitSeconds: Double

    /// Makes thresholds.
    public init(templates: Int, pairs: Int, corrections: Int? = nil, maximumWaitSeconds: Double) {
        self.templates = templates
        self.pairs = pairs
        self.corrections = corrections
        self.maximumWaitSeconds = maximumWaitSeconds
    }
}

/// How the stage-one student attempts problems held back from stage one.
public struct RolloutOptions: Sendable, Hashable, Codable {
    /// The split that it attempts.
    public var split: ProblemSplit
    /// Attempts a problem.
    public var samples: Int
    /// The sampling temperature; 0 is greedy.
    public var temperature: Double
    /// The most problems to attempt; all when it is not there.
    public var limit: Int?

    /// Makes roll-out options.
    public init(
        split: ProblemSplit = .rollout,
        samples: Int = 1,
        temperature: Double = 0.7,
        limit: Int? = nil
    ) {
        self.split = split
        self.samples = samples
        self.temperature = temperature
        self.limit = limit
    }
}

/// A set of problems that checkpoints are scored on.
public struct EvaluationSuite: Sendable, Hashable, Codable {
    /// The suite's name, unique in the run.
    public var name: String
    /// The dataset that it takes its problems from.
    public var dataset: String
    /// The split that it takes.
    public var split: ProblemSplit
    /// The number of problems that must have arrived before scoring starts.
    public var expectedProblems: Int

    /// Makes a suite.
    public init(name: String, dataset: String, split: ProblemSplit, expectedProblems: Int) {
        self.name = name
        self.dataset = dataset
        self.split = split
        self.expectedProblems = expectedProblems
    }
}

/// How a student writes its answers.
public struct DecodingOptions: Sendable, Hashable, Codable {
    /// The sampling temperature; 0 is greedy.
    public var temperature: Double
    /// The most tokens to write.
    public var maximumNewTokens: Int
    /// Only the most likely tokens are sampled, this many.
    public var topK: Int?
    /// Only the most likely tokens whose probabilities sum to this are sampled.
    public var topP: Double?
    /// The factor that makes tokens less likely once they were written; 1 is none.
    public var repetitionPenalty: Double?
    /// The seed of sampling, at most 2^53 - 1.
    public var seed: UInt64?
    /// Whether the student corrects itself in a second pass.
    public var selfCorrection: Bool?

    /// Makes decoding options; greedy by default.
    public init(
        temperature: Double = 0,
        maximumNewTokens: Int,
        topK: Int? = nil,
        topP: Double? = nil,
        repetitionPenalty: Double? = nil,
        seed: UInt64? = nil,
        selfCorrection: Bool? = nil
    ) {
        self.temperature = temperature
        self.maximumNewTokens = maximumNewTokens
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
        self.selfCorrection = selfCorrection
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.range(temperature, 0...10, "\(field).temperature")
        try check.range(maximumNewTokens, 1...1_048_576, "\(field).maximumNewTokens")
        try check.atLeast(topK, 1, "\(field).topK")
        try check.range(topP, 0...1, "\(field).topP")
        try check.positive(repetitionPenalty, "\(field).repetitionPenalty")
        try check.seed(seed, "\(field).seed")
    }
}
