/// A student's attempt at a problem.
///
/// Record key: the problem's id.
public struct AttemptEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.attempt

    /// The attempt's id.
    public var id: String
    /// The run that it belongs to.
    public var runId: String
    /// The model that made it.
    public var checkpointId: String
    /// The run's round whose stages learn from it, from 1.
    public var round: Int?
    /// The problem.
    public var problemId: String
    /// Which of several samples this is, from 0.
    public var sample: Int
    /// What the student wrote.
    public var output: String
    /// The answer that was read from it.
    public var answer: String?
    /// Whether that is the gold answer.
    public var correct: Bool
    /// Whether the output was cut off by the most tokens that the student may write.
    public var truncated: Bool?
    /// The student's own correction, made without the reference, when it was asked for.
    public var selfCorrection: SelfCorrection?
    /// The form of prompt and answer: `chain-of-thought`, `hierarchical-thought`.
    public var promptFormat: String
    /// What graded the answers, as policy and version, such as `standard/2`; attempts of before it was told have none.
    public var grader: String?

    /// Makes an attempt.
    public init(
        id: String,
        runId: String,
        checkpointId: String,
        round: Int? = nil,
        problemId: String,
        sample: Int,
        output: String,
        answer: String? = nil,
        correct: Bool,
        truncated: Bool? = nil,
        selfCorrection: SelfCorrection? = nil,
        promptFormat: String,
        grader: String? = nil
    ) {
        self.id = id
        self.runId = runId
        self.checkpointId = checkpointId
        self.round = round
        self.problemId = problemId
        self.sample = sample
        self.output = output
        self.answer = answer
        self.correct = correct
        self.truncated = truncated
        self.selfCorrection = selfCorrection
        self.promptFormat = promptFormat
        self.grader = grader
    }

    /// The problem's id.
    public var key: String { problemId }

    /// Checks ids and ranges; an empty output is a fact about the student and allowed.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(runId, "runId")
        try check.identifier(checkpointId, "checkpointId")
        try check.identifier(problemId, "problemId")
        try check.atLeast(round, 1, "round")
        try check.atLeast(sample, 0, "sample")
        try check.atLeast(selfCorrection?.firstWrongStep, 0, "selfCorrection.firstWrongStep")
        try check.notBlank(promptFormat, "promptFormat")
        try check.identifier(grader, "grader")
    }
}

/// A student's correction of its own attempt.
public struct SelfCorrection: Sendable, Hashable, Codable {
    /// What the student wrote.
    public var output: String
    /// The step that it called wrong, from 0.
    public var firstWrongStep: Int?
    /// The cause that it gave.
    public var cause: String?
    /// The correction that it gave.
    public var correction: String?
    /// The answer that was read from it.
    public var answer: String?
    /// Whether that is the gold answer.
    public var correct: Bool
    /// Whether the text was cut off; then only an answer that it names to the end counts.
    ///
    /// Not there where it is whole, or an earlier version wrote it.
    public var truncated: Bool?

    /// Makes a self-correction.
    public init(
        output: String,
        firstWrongStep: Int? = nil,
        cause: String? = nil,
        correction: String? = nil,
        answer: String? = nil,
        correct: Bool,
        truncated: Bool? = nil
    ) {
        self.output = output
        self.firstWrongStep = firstWrongStep
        self.cause = cause
        self.correction = correction
        self.answer = answer
        self.correct = correct
        self.truncated = truncated
    }
}
