/// What the teacher gave for a problem or an attempt.
///
/// Record key: the problem's id.
public struct TraceEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.trace

    /// The trace's id.
    public var id: String
    /// The problem that it is about.
    public var problemId: String
    /// Whether the trace passed every check, its answer compared with the gold answer first.
    public var verified: Bool
    /// Why it did not, when it did not.
    public var failure: String?
    /// The kind of that reason, to count by, such as `wrong-answer`; traces of before it was told have none.
    public var failureKind: String?
    /// The trace itself.
    public var body: TraceBody
    /// Where it comes from.
    public var teacher: TeacherCall
    /// The attempt that a correction is about.
    public var attemptId: String?
    /// The run that a correction belongs to.
    public var runId: String?
    /// What graded its answer, as policy and version, such as `standard/2`; traces of before it was told, and an
    /// inspector's, have none.
    public var grader: String?

    /// Makes a trace.
    public init(
        id: String,
        problemId: String,
        verified: Bool,
        failure: String? = nil,
        failureKind: String? = nil,
        body: TraceBody,
        teacher: TeacherCall,
        attemptId: String? = nil,
        runId: String? = nil,
        grader: String? = nil
    ) {
        self.id = id
        self.problemId = problemId
        self.verified = verified
        self.failure = failure
        self.failureKind = failureKind
        self.body = body
        self.teacher = teacher
        self.attemptId = attemptId
        self.runId = runId
        self.grader = grader
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case problemId
        case kind
        case verified
        case failure
        case failureKind
        case body
        case teacher
        case attemptId
        case runId
        case grader
    }

    /// Reads a trace; the form of `body` follows from `kind`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        problemId = try container.decode(String.self, forKey: .problemId)
        verified = try container.decode(Bool.self, forKey: .verified)
        failure = try container.decodeIfPresent(String.self, forKey: .failure)
        failureKind = try container.decodeIfPresent(String.self, forKey: .failureKind)
        switch try container.decode(TraceKind.self, forKey: .kind) {
        case .chainOfThought: body = .chainOfThought(try container.decode(ChainOfThoughtBody.self, forKey: .body))
        case .dual: body = .dual(try container.decode(DualBody.self, forKey: .body))
        case .template: body = .template(try container.decode(TemplateBody.self, forKey: .body))
        case .inspectorVerdict: body = .inspectorVerdict(try container.decode(VerdictBody.self, forKey: .body))
        case .correction: body = .correction(try container.decode(CorrectionBody.self, forKey: .body))
        }
        teacher = try container.decode(TeacherCall.self, forKey: .teacher)
        attemptId = try container.decodeIfPresent(String.self, forKey: .attemptId)
        runId = try container.decodeIfPresent(String.self, forKey: .runId)
        grader = try container.decodeIfPresent(String.self, forKey: .grader)
    }

    /// Writes a trace with its kind beside the body.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(problemId, forKey: .problemId)
        try container.encode(kind, forKey: .kind)
        try container.encode(verified, forKey: .verified)
        try container.encodeIfPresent(failure, forKey: .failure)
        try container.encodeIfPresent(failureKind, forKey: .failureKind)
        switch body {
        case .chainOfThought(let value): try container.encode(value, forKey: .body)
        case .dual(let value): try container.encode(value, forKey: .body)
        case .template(let value): try container.encode(value, forKey: .body)
        case .inspectorVerdict(let value): try container.encode(value, forKey: .body)
        case .correction(let value): try container.encode(value, forKey: .body)
        }
        try container.encode(teacher, forKey: .teacher)
        try container.encodeIfPresent(attemptId, forKey: .attemptId)
        try container.encodeIfPresent(runId, forKey: .runId)
        try container.encodeIfPresent(grader, forKey: .grader)
    }

    /// The kind of trace.
    public var kind: TraceKind { body.kind }

    /// The problem's id.
    public var key: String { problemId }

    /// Checks ids and numbers, that a trace which is not verified says why, and what a verified body must hold.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(problemId, "problemId")
        try check.identifier(attemptId, "attemptId")
        try check.identifier(runId, "runId")
        try check.identifier(grader, "grader")
        try check.notBlank(failure, "failure")
        try check.identifier(failureKind, "failureKind")
        if verified {
            try check.require(failure == nil, "failure", "must not be there when verified is true")
            try check.require(failureKind == nil, "failureKind", "must not be there when verified is true")
        } else {
            try check.require(failure != nil, "failure", "must say why verified is false")
        }
        try body.validate(check, verified: verified)
        try teacher.validate(check)
    }
}

/// What a trace is.
public enum TraceKind: String, Sendable, Hashable, Codable, CaseIterable {
    /// A solution in free steps.
    case chainOfThought = "chain-of-thought"
    /// A right and a wrong solution that differ in few places.
    case dual
    /// A hierarchical thought template.
    case template
    /// An inspector's judgement of another trace.
    case inspectorVerdict = "inspector-verdict"
    /// The correction of the first wrong step of an attempt.
    case correction
}

/// Where a trace comes from: the model, the prompt, and what the calls cost.
public struct TeacherCall: Sendable, Hashable, Codable {
    /// The teacher's model, as the endpoint names it.
    public var model: String
    /// The prompt's id.
    public var promptId: String
    /// The prompt's version.
    public var promptVersion: String
    /// The sampling temperature of the call that gave the trace.
    public var temperature: Double
    /// The seed that was sent, at most 2^53 - 1.
    public var seed: UInt64?
    /// The calls made for this trace, retries included; 1 when it is not there.
    ///
    /// Tokens, cost and time are their sums.
    public var calls: Int?
    /// Tokens sent.
    public var promptTokens: Int
    /// Tokens received.
    public var completionTokens: Int
    /// The cost, in the currency of the configured prices.
    public var cost: Double?
    /// The time that the calls took, in milliseconds.
    public var latencyMs: Double
    /// Why the teacher stopped, as the endpoint says it: `stop`, `length`.
    public var finishReason: String

    /// Makes a record of the calls.
    public init(
        model: String,
        promptId: String,
        promptVersion: String,
        temperature: Double,
        seed: UInt64? = nil,
        calls: Int? = nil,
        promptTokens: Int,
        completionTokens: Int,
        cost: Double? = nil,
        latencyMs: Double,
        finishReason: String
    ) {
        self.model = model
        self.promptId = promptId
        self.promptVersion = promptVersion
        self.temperature = temperature
        self.seed = seed
        self.calls = calls
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
        self.latencyMs = latencyMs
        self.finishReason = finishReason
    }

    func validate(_ check: Validation) throws {
        try check.notBlank(model, "teacher.model")
        try check.identifier(promptId, "teacher.promptId")
        try check.notBlank(promptVersion, "teacher.promptVersion")
        try check.range(temperature, 0...10, "teacher.temperature")
        try check.seed(seed, "teacher.seed")
        try check.atLeast(calls, 1, "teacher.calls")
        try check.atLeast(promptTokens, 0, "teacher.promptTokens")
        try check.atLeast(completionTokens, 0, "teacher.completionTokens")
        try check.finite(cost, "teacher.cost")
        try check.atLeast(cost, 0, "teacher.cost")
        try check.finite(latencyMs, "teacher.latencyMs")
        try check.atLeast(latencyMs, 0, "teacher.latencyMs")
    }
}
