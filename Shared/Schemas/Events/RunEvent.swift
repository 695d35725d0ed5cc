/// A run: which student learns what by which recipe, in which rounds, and what it is scored on.
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
    /// How the student is asked; in the short form when it is not there.
    public var prompt: RunPrompt?
    /// The recipe: the stages, each behind its parent.
    public var stages: [RunStage]
    /// How students attempt the problems held back for it, where a stage learns from attempts.
    public var rollout: RolloutOptions?
    /// What every checkpoint is scored on.
    public var suites: [EvaluationSuite]
    /// How the student decodes when it is scored; greedy when it is not there.
    public var decoding: DecodingOptions?
    /// How the run goes on while problems stream in; one round when it is not there.
    public var rounds: RunRounds?
    /// Which student is the best one now; none is named when it is not there.
    public var gate: RunGate?
    /// What the teacher may cost for the run; there is no bound when it is not there.
    public var teacherBudget: RunTeacherBudget?
    /// How training problems without a reference answer get one; they are not learned from when it is not there.
    public var agreement: RunAgreement?

    /// Makes a run.
    public init(
        id: String,
        name: String,
        dataset: String,
        seed: UInt64,
        student: StudentReference,
        prompt: RunPrompt? = nil,
        stages: [RunStage],
        rollout: RolloutOptions? = nil,
        suites: [EvaluationSuite],
        decoding: DecodingOptions? = nil,
        rounds: RunRounds? = nil,
        gate: RunGate? = nil,
        teacherBudget: RunTeacherBudget? = nil,
        agreement: RunAgreement? = nil
    ) {
        self.id = id
        self.name = name
        self.dataset = dataset
        self.seed = seed
        self.student = student
        self.prompt = prompt
        self.stages = stages
        self.rollout = rollout
        self.suites = suites
        self.decoding = decoding
        self.rounds = rounds
        self.gate = gate
        self.teacherBudget = teacherBudget
        self.agreement = agreement
    }

    /// The run's id.
    public var key: String { id }

    /// Reads the four fixed stages of earlier versions as the recipe that they are.
    public static func upgraded(_ json: JSONValue, ignoresUnknownKeys: Bool) throws -> JSONValue {
        try FixedStages.upgraded(json, ignoresUnknownKeys: ignoresUnknownKeys)
    }

    /// Checks ids, ranges, the graph of parents, that suites have different names and are not learned from, and that each
    /// stage has only options that it reads.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.notBlank(name, "name")
        try check.identifier(dataset, "dataset")
        try check.seed(seed, "seed")
        try check.identifier(student.modelHash, "student.modelHash")
        try check.identifier(student.tokenizerFingerprint, "student.tokenizerFingerprint")
        try prompt?.validate(check, "prompt")
        try check.require(stages.count <= 64, "stages", "are \(stages.count); a run has at most 64")
        try check.require(suites.count <= 64, "suites", "are \(suites.count); a run has at most 64")
        for (index, stage) in stages.enumerated() { try stage.validate(check, "stages[\(index)]") }
        try validateGraph(check)
        try rollout?.validate(check, "rollout")
        for (index, suite) in suites.enumerated() {
            try suite.validate(check, "suites[\(index)]", stages: stages.map(\.name))
        }
        try check.require(Set(suites.map(\.name)).count == suites.count, "suites", "must have different names")
        try checkSplits(check)
        try decoding?.validate(check, "decoding")
        try rounds?.validate(check, "rounds")
        try check.require(
            rounds == nil && gate == nil || !stages.isEmpty,
            "stages",
            "is empty; a run with rounds or a gate needs a stage"
        )
        try gate?.validate(check, "gate", run: self)
        try teacherBudget?.validate(check, "teacherBudget")
        try agreement?.validate(check, "agreement")
        try check.require(
            rounds == nil || gate != nil,
            "gate",
            "is missing; a run in rounds needs a rule that says which student is the best one"
        )
        try validateUnread(check)
    }

    /// What a run learns from must not be what it is scored on.
    private func checkSplits(_ check: Validation) throws {
        try check.require(
            rollout?.split != .test,
            "rollout.split",
            "is 'test', which is only scored; give rollout, development or train"
        )
        let rolledOut = stages.contains(where: \.needsRollout) ? [(rollout ?? RolloutOptions()).split] : []
        let learned = Set(learnedDatasets)
        for (index, suite) in suites.enumerated() where learned.contains(suite.dataset) {
            try check.require(
                !([ProblemSplit.train] + rolledOut).contains(suite.split),
                "suites[\(index)].split",
                "is '\(suite.split.rawValue)' of '\(suite.dataset)', which the run learns from; score on another split"
            )
        }
    }

    /// The form in which the student is asked, as in ``RunPrompt/style``, with the default filled in.
    public var promptStyle: String { prompt?.style ?? "short" }

    /// The datasets that stages learn from.
    public var learnedDatasets: [String] {
        var seen: Set<String> = []
        return ([dataset] + stages.flatMap { $0.data?.datasets ?? [] }).filter { seen.insert($0).inserted }
    }
}

/// How many of a teacher's samples must agree on an answer for it to be taken as a problem's.
public struct RunAgreement: Sendable, Hashable, Codable {
    /// The samples that must agree; more than half of all.
    public var agreeing: Int
    /// The most samples.
    public var of: Int

    /// Makes a rule.
    public init(agreeing: Int, of: Int) {
        self.agreeing = agreeing
        self.of = of
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.range(of, 1...64, "\(field).of")
        try check.range(agreeing, 1...64, "\(field).agreeing")
        try check.require(
            2 * agreeing > of && agreeing <= of,
            "\(field).agreeing",
            "is \(agreeing) of \(of); more than half of the samples must agree, and no more than all"
        )
    }
}

/// What the teacher may cost for a run: for the problems that it needs taught, and for its students' wrong attempts.
///
/// Where it is spent, what is asked for the run waits until the budget is raised by `errata runs budget`, or until another
/// run needs it; what was answered stays. It is passed by no more than what the calls that are under way then cost.
public struct RunTeacherBudget: Sendable, Hashable, Codable {
    /// The most tokens, both ways.
    public var tokens: Int?
    /// The most money, by the prices that the teacher's configuration names.
    public var cost: Double?

    /// Makes a budget.
    public init(tokens: Int? = nil, cost: Double? = nil) {
        self.tokens = tokens
        self.cost = cost
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.atLeast(tokens, 0, "\(field).tokens")
        try check.range(cost, 0...1e12, "\(field).cost")
        try check.require(tokens != nil || cost != nil, field, "bounds nothing; give tokens or cost, or leave it out")
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

/// How students attempt problems that are held back for it, for the stages that learn from attempts.
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

    func validate(_ check: Validation, _ field: String) throws {
        try check.range(samples, 1...1024, "\(field).samples")
        try check.range(temperature, 0...10, "\(field).temperature")
        try check.atLeast(limit, 1, "\(field).limit")
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
    /// The longest that scoring waits for them, in seconds; 3,600 when it is not there.
    ///
    /// Then those that are there are scored; where there is none the suite is left out, which the evaluation's absence and
    /// the log tell.
    public var waitSeconds: Double?
    /// The most problems, the first in order of id; all when it is not there.
    public var limit: Int?
    /// So many solved training problems are shown before the question (few-shot); none when it is not there, and none where
    /// the suite asks training problems itself.
    public var shots: Int?
    /// The stages whose checkpoints are scored on it, `initial` among them; all when it is not there.
    public var stages: [String]?
    /// How strictly answers are compared: `strict`, `standard` or `qwen`; `standard` when it is not there.
    public var policy: String?

    /// Makes a suite.
    public init(
        name: String,
        dataset: String,
        split: ProblemSplit,
        expectedProblems: Int,
        waitSeconds: Double? = nil,
        limit: Int? = nil,
        shots: Int? = nil,
        stages: [String]? = nil,
        policy: String? = nil
    ) {
        self.name = name
        self.dataset = dataset
        self.split = split
        self.expectedProblems = expectedProblems
        self.waitSeconds = waitSeconds
        self.limit = limit
        self.shots = shots
        self.stages = stages
        self.policy = policy
    }

    /// The default of ``waitSeconds``.
    public static let defaultWait = 3_600.0
    /// What ``policy`` may be.
    public static let policies = ["strict", "standard", "qwen"]

    /// Whether the checkpoints of a stage are scored on the suite.
    public func scores(_ stage: String) -> Bool { stages?.contains(stage) ?? true }

    func validate(_ check: Validation, _ field: String, stages known: [String]) throws {
        try check.identifier(name, "\(field).name")
        try check.identifier(dataset, "\(field).dataset")
        try check.atLeast(expectedProblems, 1, "\(field).expectedProblems")
        try check.range(waitSeconds, 0...31_536_000, "\(field).waitSeconds")
        try check.atLeast(limit, 1, "\(field).limit")
        try check.range(shots, 0...32, "\(field).shots")
        // Its own questions would be shown with their solutions.
        try check.require(
            split != .train || shots ?? 0 == 0,
            "\(field).shots",
            "shows solved problems of the split 'train', which the suite asks; score on another split, or leave it out"
        )
        try check.word(policy, of: Self.policies, "\(field).policy")
        try check.names(stages, "\(field).stages")
        for (index, stage) in (stages ?? []).enumerated() {
            try check.require(
                stage == RunStage.initial || known.contains(stage),
                "\(field).stages[\(index)]",
                "is '\(stage)', which is no stage of the run; its stages are \(Validation.list(known))"
            )
        }
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
    /// Only the most likely tokens whose probabilities sum to this are sampled; above 0.
    public var topP: Double?
    /// The factor that makes tokens less likely once they were written; 1 is none.
    public var repetitionPenalty: Double?
    /// The seed of sampling, at most 2^53 - 1.
    public var seed: UInt64?
    /// Whether the student corrects itself in a second pass.
    public var selfCorrection: Bool?
    /// The most tokens of that pass; 128 when it is not there.
    public var maximumCorrectionTokens: Int?
    /// What ends an answer beside the end-of-text token; it is no part of it.
    public var stop: [String]?
    /// The server that writes in place of the evaluator's own engine, by its name in the evaluator's configuration.
    public var endpoint: String?

    /// Makes decoding options; greedy by default.
    public init(
        temperature: Double = 0,
        maximumNewTokens: Int,
        topK: Int? = nil,
        topP: Double? = nil,
        repetitionPenalty: Double? = nil,
        seed: UInt64? = nil,
        selfCorrection: Bool? = nil,
        maximumCorrectionTokens: Int? = nil,
        stop: [String]? = nil,
        endpoint: String? = nil
    ) {
        self.temperature = temperature
        self.maximumNewTokens = maximumNewTokens
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
        self.selfCorrection = selfCorrection
        self.maximumCorrectionTokens = maximumCorrectionTokens
        self.stop = stop
        self.endpoint = endpoint
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.range(temperature, 0...10, "\(field).temperature")
        try check.range(maximumNewTokens, 1...1_048_576, "\(field).maximumNewTokens")
        try check.atLeast(topK, 1, "\(field).topK")
        try check.require(
            topP.map { $0 > 0 && $0 <= 1 } ?? true,
            "\(field).topP",
            "must be above 0.0 and at most 1.0, is \(topP ?? 0)"
        )
        try check.positive(repetitionPenalty, "\(field).repetitionPenalty")
        try check.seed(seed, "\(field).seed")
        try check.range(maximumCorrectionTokens, 1...1_048_576, "\(field).maximumCorrectionTokens")
        try check.require((stop?.count ?? 0) <= 16, "\(field).stop", "has more than 16 texts")
        for (index, text) in (stop ?? []).enumerated() {
            try check.require(!text.isEmpty, "\(field).stop[\(index)]", "must not be empty")
        }
        try check.identifier(endpoint, "\(field).endpoint")
    }
}
