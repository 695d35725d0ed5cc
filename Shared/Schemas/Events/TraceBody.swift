/// The content of a trace, by kind.
public enum TraceBody: Sendable, Hashable {
    /// A solution in free steps.
    case chainOfThought(ChainOfThoughtBody)
    /// A right and a wrong solution that differ in few places.
    case dual(DualBody)
    /// A hierarchical thought template.
    case template(TemplateBody)
    /// An inspector's judgement of another trace.
    case inspectorVerdict(VerdictBody)
    /// The correction of the first wrong step of an attempt.
    case correction(CorrectionBody)

    /// The kind of trace that this is the content of.
    public var kind: TraceKind {
        switch self {
        case .chainOfThought: .chainOfThought
        case .dual: .dual
        case .template: .template
        case .inspectorVerdict: .inspectorVerdict
        case .correction: .correction
        }
    }

    /// Shape rules hold always; texts may be empty only in a trace that was not verified.
    func validate(_ check: Validation, verified: Bool) throws {
        switch self {
        case .chainOfThought(let body):
            if verified { try check.notBlank(body.text, "body.text") }
        case .dual(let body):
            try check.atLeast(body.attempts, 1, "body.attempts")
            if verified {
                try check.notBlank(body.right, "body.right")
                try check.notBlank(body.wrong, "body.wrong")
                try check.require(body.right != body.wrong, "body.wrong", "must differ from body.right")
            }
        case .template(let body):
            try check.atLeast(body.inspectorRounds, 0, "body.inspectorRounds")
            if verified {
                try check.require(!body.steps.isEmpty, "body.steps", "must not be empty")
                for (index, step) in body.steps.enumerated() {
                    try check.notBlank(step.text, "body.steps[\(index)].text")
                }
                try check.notBlank(body.answer, "body.answer")
            }
        case .inspectorVerdict(let body):
            try check.identifier(body.inspectedTraceId, "body.inspectedTraceId")
            try check.atLeast(body.round, 1, "body.round")
            for (index, fault) in body.faults.enumerated() {
                try check.atLeast(fault.step, 0, "body.faults[\(index)].step")
            }
        case .correction(let body):
            try check.atLeast(body.inspectorRounds, 0, "body.inspectorRounds")
            if let step = body.firstWrongStep {
                let steps = body.steps.count
                try check.require(
                    (0..<steps).contains(step),
                    "body.firstWrongStep",
                    "must be an index into the \(steps) steps, is \(step)"
                )
            }
            if verified {
                // A verified correction without a step says that the steps may stand.
                try check.require(
                    body.firstWrongStep != nil || body.cause.isEmpty && body.correction.isEmpty,
                    "body.firstWrongStep",
                    "must be there when verified, unless there is neither cause nor correction"
                )
                if body.firstWrongStep != nil { try check.notBlank(body.correction, "body.correction") }
                try check.notBlank(body.answer, "body.answer")
            }
        }
    }
}

/// A solution in free steps.
public struct ChainOfThoughtBody: Sendable, Hashable, Codable {
    /// The solution.
    public var text: String
    /// The answer that was read from it.
    public var answer: String?
    /// Whether that is the gold answer; right and wrong chains are both kept.
    public var correct: Bool

    /// Makes a chain.
    public init(text: String, answer: String? = nil, correct: Bool) {
        self.text = text
        self.answer = answer
        self.correct = correct
    }
}

/// A right and a wrong solution of one problem that differ in few places.
public struct DualBody: Sendable, Hashable, Codable {
    /// How the pair came to be.
    public enum Method: String, Sendable, Hashable, Codable, CaseIterable {
        /// The right one was made from a wrong one, with the answer as a hint.
        case rectified
        /// The wrong one was made from a right one, by contrast with examples.
        case corrupted
    }

    /// Who found the pattern of a mistake.
    public enum MistakeSource: String, Sendable, Hashable, Codable, CaseIterable {
        /// The teacher, asked for it.
        case teacher
        /// The numbers of both solutions: `calculation` or `logical`, as far as they show it.
        case numbers
    }

    /// The right solution.
    public var right: String
    /// The wrong solution.
    public var wrong: String
    /// The answer that was read from the right solution.
    public var rightAnswer: String?
    /// The answer that was read from the wrong solution.
    public var wrongAnswer: String?
    /// How the pair came to be.
    public var method: Method
    /// The pattern of the mistake: `logical`, `knowledge`, `calculation`, mixes joined by `+` in this order, or `other`.
    public var mistake: String?
    /// Who found the pattern.
    public var mistakeSource: MistakeSource?
    /// How often the chain was asked for that makes the pair, the last time included.
    public var attempts: Int?

    /// Makes a pair.
    public init(
        right: String,
        wrong: String,
        rightAnswer: String? = nil,
        wrongAnswer: String? = nil,
        method: Method,
        mistake: String? = nil,
        mistakeSource: MistakeSource? = nil,
        attempts: Int? = nil
    ) {
        self.right = right
        self.wrong = wrong
        self.rightAnswer = rightAnswer
        self.wrongAnswer = wrongAnswer
        self.method = method
        self.mistake = mistake
        self.mistakeSource = mistakeSource
        self.attempts = attempts
    }
}

/// A hierarchical thought template: steps with key notes, a generalisation and the answer.
public struct TemplateBody: Sendable, Hashable, Codable {
    /// A step of a template.
    public struct Step: Sendable, Hashable, Codable {
        /// What is done.
        public var text: String
        /// Notes on what is hard about it; most steps have none.
        public var keyNotes: [String]

        /// Makes a step.
        public init(text: String, keyNotes: [String] = []) {
            self.text = text
            self.keyNotes = keyNotes
        }
    }

    /// The steps.
    public var steps: [Step]
    /// How similar problems are solved.
    public var generalization: String
    /// The answer.
    public var answer: String
    /// The rounds that the inspector took.
    public var inspectorRounds: Int?

    /// Makes a template.
    public init(steps: [Step], generalization: String, answer: String, inspectorRounds: Int? = nil) {
        self.steps = steps
        self.generalization = generalization
        self.answer = answer
        self.inspectorRounds = inspectorRounds
    }
}

/// An inspector's judgement of another trace.
public struct VerdictBody: Sendable, Hashable, Codable {
    /// A fault that the inspector found.
    public struct Fault: Sendable, Hashable, Codable {
        /// The step that it is in, from 0; the whole trace when it is not there.
        public var step: Int?
        /// What is wrong.
        public var message: String

        /// Makes a fault.
        public init(step: Int? = nil, message: String) {
            self.step = step
            self.message = message
        }
    }

    /// The trace that was inspected.
    public var inspectedTraceId: String
    /// The round, from 1.
    public var round: Int
    /// Whether it was accepted.
    public var accepted: Bool
    /// What was found; empty when it was accepted.
    public var faults: [Fault]

    /// Makes a verdict.
    public init(inspectedTraceId: String, round: Int, accepted: Bool, faults: [Fault] = []) {
        self.inspectedTraceId = inspectedTraceId
        self.round = round
        self.accepted = accepted
        self.faults = faults
    }
}

/// The correction of the first wrong step of a student's attempt.
public struct CorrectionBody: Sendable, Hashable, Codable {
    /// The steps of the attempt as they were checked.
    public var steps: [String]
    /// The first wrong one, from 0; none was found when it is not there.
    public var firstWrongStep: Int?
    /// Why it is wrong.
    public var cause: String
    /// What it should have been.
    public var correction: String
    /// The answer that follows.
    public var answer: String
    /// The rounds that the inspector took.
    public var inspectorRounds: Int?

    /// Makes a correction.
    public init(
        steps: [String],
        firstWrongStep: Int?,
        cause: String,
        correction: String,
        answer: String,
        inspectorRounds: Int? = nil
    ) {
        self.steps = steps
        self.firstWrongStep = firstWrongStep
        self.cause = cause
        self.correction = correction
        self.answer = answer
        self.inspectorRounds = inspectorRounds
    }
}
