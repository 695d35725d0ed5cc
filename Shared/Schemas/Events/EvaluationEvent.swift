/// A checkpoint's score on a suite.
///
/// Record key: the run's id.
public struct EvaluationEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.evaluation

    /// The evaluation's id.
    public var id: String
    /// The run that it belongs to.
    public var runId: String
    /// The model that was scored.
    public var checkpointId: String
    /// The stage that made it.
    public var stage: String
    /// The run's round that made it, from 1; not there for the untrained student.
    public var round: Int?
    /// The suite's name.
    public var suite: String
    /// The number of problems.
    public var problems: Int
    /// The number solved.
    public var correct: Int
    /// The share solved, `correct / problems`.
    public var accuracy: Double
    /// The confidence interval of the accuracy.
    public var interval: ConfidenceInterval
    /// The number of problems for which an answer could be read.
    public var answered: Int
    /// The number of outputs that were cut off by `decoding.maximumNewTokens`.
    ///
    /// Such an output counts as answered only where it names its answer (a mark, a tag, a sentence that says so); its last
    /// number is not taken for one.
    public var truncated: Int?
    /// How the students were asked: `chain` or `template`.
    public var answers: String?
    /// The solved problems that were shown before the question; none when it is not there.
    public var shots: Int?
    /// The score by group of problems.
    public var groups: [ScoreGroup]?
    /// The time that it took, in seconds.
    public var seconds: Double
    /// Paired tests against other checkpoints of the run on the same problems.
    public var comparisons: [PairedComparison]
    /// How the student wrote its answers.
    public var decoding: DecodingOptions
    /// The version of the rules that read and compare answers.
    public var graderVersion: String
    /// What graded the answers, as policy and version, such as `standard/2`; not there where that was not told, or where
    /// the answers were graded by several.
    public var grader: String?
    /// The score after the student corrected itself in a second pass, where `decoding.selfCorrection` asks for it; all
    /// other numbers are the first pass's.
    public var selfCorrection: SelfCorrectionScore?

    /// Makes an evaluation.
    public init(
        id: String,
        runId: String,
        checkpointId: String,
        stage: String,
        round: Int? = nil,
        suite: String,
        problems: Int,
        correct: Int,
        accuracy: Double,
        interval: ConfidenceInterval,
        answered: Int,
        truncated: Int? = nil,
        answers: String? = nil,
        shots: Int? = nil,
        groups: [ScoreGroup]? = nil,
        seconds: Double,
        comparisons: [PairedComparison] = [],
        decoding: DecodingOptions,
        graderVersion: String,
        grader: String? = nil,
        selfCorrection: SelfCorrectionScore? = nil
    ) {
        self.id = id
        self.runId = runId
        self.checkpointId = checkpointId
        self.stage = stage
        self.round = round
        self.suite = suite
        self.problems = problems
        self.correct = correct
        self.accuracy = accuracy
        self.interval = interval
        self.answered = answered
        self.truncated = truncated
        self.answers = answers
        self.shots = shots
        self.groups = groups
        self.seconds = seconds
        self.comparisons = comparisons
        self.decoding = decoding
        self.graderVersion = graderVersion
        self.grader = grader
        self.selfCorrection = selfCorrection
    }

    /// The run's id.
    public var key: String { runId }

    /// Checks ids and ranges, and that the counts, the accuracy and the interval fit together.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(runId, "runId")
        try check.identifier(checkpointId, "checkpointId")
        try check.identifier(suite, "suite")
        try check.atLeast(problems, 1, "problems")
        try check.range(answered, 0...problems, "answered")
        try check.range(correct, 0...answered, "correct")
        try check.range(truncated, 0...problems, "truncated")
        try check.word(answers, of: ["chain", "template"], "answers")
        try check.atLeast(shots, 0, "shots")
        try check.identifier(stage, "stage")
        try check.atLeast(round, 1, "round")
        for (index, group) in (groups ?? []).enumerated() {
            try group.validate(check, "groups[\(index)]", problems: problems)
        }
        try interval.validate(check, "", accuracy: accuracy, correct: correct, of: problems)
        try check.finite(seconds, "seconds")
        try check.atLeast(seconds, 0, "seconds")
        for (index, comparison) in comparisons.enumerated() {
            let place = "comparisons[\(index)]"
            try check.identifier(comparison.againstCheckpointId, "\(place).againstCheckpointId")
            try check.identifier(comparison.againstStage, "\(place).againstStage")
            try check.atLeast(comparison.againstRound, 1, "\(place).againstRound")
            try check.range(comparison.problems, 0...problems, "\(place).problems")
            try check.range(comparison.onlyThis, 0...correct, "\(place).onlyThis")
            try check.range(comparison.onlyOther, 0...problems - correct, "\(place).onlyOther")
            try check.range(comparison.pValue, 0...1, "\(place).pValue")
            try check.notBlank(comparison.test, "\(place).test")
        }
        try decoding.validate(check, "decoding")
        try check.notBlank(graderVersion, "graderVersion")
        try check.identifier(grader, "grader")
        try selfCorrection?.validate(check, "selfCorrection", first: self)
    }
}

/// The score on some of a suite's problems.
public struct ScoreGroup: Sendable, Hashable, Codable {
    /// What the problems have in common: `family`, `difficulty` (as the data set says), `steps` (of the
    /// solution), or `length` (of the output, in tokens).
    public var by: String
    /// Which of them these are, for example a family's name or `65-128`.
    public var value: String
    /// The number of problems.
    public var problems: Int
    /// The number solved.
    public var correct: Int
    /// The confidence interval of the share.
    public var interval: ConfidenceInterval

    /// Makes a score.
    public init(by: String, value: String, problems: Int, correct: Int, interval: ConfidenceInterval) {
        self.by = by
        self.value = value
        self.problems = problems
        self.correct = correct
        self.interval = interval
    }

    func validate(_ check: Validation, _ field: String, problems all: Int) throws {
        try check.word(by, of: ["family", "difficulty", "steps", "length"], "\(field).by")
        try check.notBlank(value, "\(field).value")
        try check.range(problems, 1...all, "\(field).problems")
        try check.range(correct, 0...problems, "\(field).correct")
        try interval.validate(
            check,
            "\(field).",
            accuracy: Double(correct) / Double(problems),
            correct: correct,
            of: problems
        )
    }
}

/// A confidence interval of a share.
public struct ConfidenceInterval: Sendable, Hashable, Codable {
    /// The lower end.
    public var low: Double
    /// The upper end.
    public var high: Double
    /// The level, for example 0.95.
    public var level: Double
    /// The method, for example `wilson`.
    public var method: String

    /// Makes an interval.
    public init(low: Double, high: Double, level: Double = 0.95, method: String = "wilson") {
        self.low = low
        self.high = high
        self.level = level
        self.method = method
    }

    /// Checks that an accuracy is the share of its counts and lies in its interval; `prefix` is the place of both.
    func validate(_ check: Validation, _ prefix: String, accuracy: Double, correct: Int, of problems: Int) throws {
        let share = Double(correct) / Double(problems)
        try check.require(
            abs(accuracy - share) < 1e-9,
            "\(prefix)accuracy",
            "is \(accuracy) but \(correct) of \(problems) is \(share)"
        )
        try check.range(low, 0...1, "\(prefix)interval.low")
        try check.range(high, max(0, low)...1, "\(prefix)interval.high")
        try check.require(
            (low - 1e-9...high + 1e-9).contains(accuracy),
            "\(prefix)interval",
            "does not hold the accuracy"
        )
        try check.require(level > 0 && level < 1, "\(prefix)interval.level", "must lie between 0 and 1")
        try check.notBlank(method, "\(prefix)interval.method")
    }
}

/// A score after a second pass, in which the student corrects each of its outputs without any reference.
///
/// The answer that counts is the correction's where one can be read, else the first one.
public struct SelfCorrectionScore: Sendable, Hashable, Codable {
    /// The number solved after the second pass.
    public var correct: Int
    /// The share solved, `correct / problems`.
    public var accuracy: Double
    /// The confidence interval of the accuracy.
    public var interval: ConfidenceInterval
    /// Problems that only the second pass solves.
    public var changedToRight: Int
    /// Problems that only the first pass solves.
    public var changedToWrong: Int
    /// The corrections that could be read: those with an answer.
    public var readable: Int
    /// The corrections that name a step of the attempt.
    public var named: Int
    /// The corrections that were cut off, of which only an answer that they name to the end counts; not there where an
    /// earlier version wrote some.
    public var truncated: Int?

    /// Makes a score.
    public init(
        correct: Int,
        accuracy: Double,
        interval: ConfidenceInterval,
        changedToRight: Int,
        changedToWrong: Int,
        readable: Int,
        named: Int,
        truncated: Int? = nil
    ) {
        self.correct = correct
        self.accuracy = accuracy
        self.interval = interval
        self.changedToRight = changedToRight
        self.changedToWrong = changedToWrong
        self.readable = readable
        self.named = named
        self.truncated = truncated
    }

    func validate(_ check: Validation, _ field: String, first: EvaluationEvent) throws {
        try check.range(changedToRight, 0...(first.problems - first.correct), "\(field).changedToRight")
        try check.range(changedToWrong, 0...first.correct, "\(field).changedToWrong")
        let sum = first.correct + changedToRight - changedToWrong
        try check.require(correct == sum, "\(field).correct", "is \(correct) but the changes give \(sum)")
        try interval.validate(check, "\(field).", accuracy: accuracy, correct: correct, of: first.problems)
        try check.range(readable, 0...first.problems, "\(field).readable")
        try check.range(named, 0...readable, "\(field).named")
        if let truncated { try check.range(truncated, 0...first.problems, "\(field).truncated") }
    }
}

/// A paired test between two checkpoints on the same problems.
public struct PairedComparison: Sendable, Hashable, Codable {
    /// The other checkpoint.
    public var againstCheckpointId: String
    /// The stage that made it.
    public var againstStage: String
    /// The round that made it; not there for the untrained student.
    public var againstRound: Int?
    /// The problems that both were scored on.
    public var problems: Int?
    /// Problems that only this checkpoint solves.
    public var onlyThis: Int
    /// Problems that only the other one solves.
    public var onlyOther: Int
    /// The two-sided p value.
    public var pValue: Double
    /// The test, for example `mcnemar-exact`.
    public var test: String

    /// Makes a comparison.
    public init(
        againstCheckpointId: String,
        againstStage: String,
        againstRound: Int? = nil,
        problems: Int? = nil,
        onlyThis: Int,
        onlyOther: Int,
        pValue: Double,
        test: String = "mcnemar-exact"
    ) {
        self.againstCheckpointId = againstCheckpointId
        self.againstStage = againstStage
        self.againstRound = againstRound
        self.problems = problems
        self.onlyThis = onlyThis
        self.onlyOther = onlyOther
        self.pValue = pValue
        self.test = test
    }
}
