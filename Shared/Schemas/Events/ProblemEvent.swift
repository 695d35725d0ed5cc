/// What a problem is for; the splits of a dataset share no problem.
public enum ProblemSplit: String, Sendable, Hashable, Codable, CaseIterable {
    /// Stage one learns from it.
    case train
    /// Held back from stage one; the student's wrong attempts at it are corrected.
    case rollout
    /// Hyper-parameters are chosen on it.
    case development
    /// Only scored.
    case test
}

/// Where a problem's answer is from.
public enum AnswerSource: String, Sendable, Hashable, Codable, CaseIterable {
    /// The problem came with it.
    case given
    /// So many of a teacher's samples as a run asked for gave it.
    case agreed
}

/// A problem, with its answer where there is one.
///
/// Record key: the problem's id.
public struct ProblemEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.problem

    /// The problem's id, the same for the same question in the same dataset.
    public var id: String
    /// The dataset that it belongs to, for example `gsm8k`.
    public var dataset: String
    /// What it is for.
    public var split: ProblemSplit
    /// The question's text.
    public var question: String
    /// A reference solution, step by step; teacher prompts are grounded in it when it is there.
    public var solution: String?
    /// The gold answer; empty where the problem has none, which only a training problem may do without.
    public var answer: String
    /// Where the answer is from; the producer gave it when it is not there.
    public var answerSource: AnswerSource?
    /// The family of a generated problem.
    public var family: String?
    /// The number of steps that a solution takes.
    public var steps: Int?
    /// How hard the problem is, as its data set says, for example MATH's `Level 5`; scores are also given by it.
    public var difficulty: String?
    /// Anything that the producer wants to find again; handed through, never read.
    ///
    /// May be left out.
    public var metadata: [String: String]

    /// Makes a problem.
    public init(
        id: String,
        dataset: String,
        split: ProblemSplit,
        question: String,
        solution: String? = nil,
        answer: String = "",
        answerSource: AnswerSource? = nil,
        family: String? = nil,
        steps: Int? = nil,
        difficulty: String? = nil,
        metadata: [String: String] = [:]
    ) {
        self.id = id
        self.dataset = dataset
        self.split = split
        self.question = question
        self.solution = solution
        self.answer = answer
        self.answerSource = answerSource
        self.family = family
        self.steps = steps
        self.difficulty = difficulty
        self.metadata = metadata
    }

    /// Reads a problem; `metadata` may be missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(String.self, forKey: .id)
        dataset = try container.decode(String.self, forKey: .dataset)
        split = try container.decode(ProblemSplit.self, forKey: .split)
        question = try container.decode(String.self, forKey: .question)
        solution = try container.decodeIfPresent(String.self, forKey: .solution)
        answer = try container.decodeIfPresent(String.self, forKey: .answer) ?? ""
        answerSource = try container.decodeIfPresent(AnswerSource.self, forKey: .answerSource)
        family = try container.decodeIfPresent(String.self, forKey: .family)
        steps = try container.decodeIfPresent(Int.self, forKey: .steps)
        difficulty = try container.decodeIfPresent(String.self, forKey: .difficulty)
        metadata = try container.decodeIfPresent([String: String].self, forKey: .metadata) ?? [:]
    }

    /// Writes a problem; an answer that it has not is left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(dataset, forKey: .dataset)
        try container.encode(split, forKey: .split)
        try container.encode(question, forKey: .question)
        try container.encodeIfPresent(solution, forKey: .solution)
        if !answer.isEmpty { try container.encode(answer, forKey: .answer) }
        try container.encodeIfPresent(answerSource, forKey: .answerSource)
        try container.encodeIfPresent(family, forKey: .family)
        try container.encodeIfPresent(steps, forKey: .steps)
        try container.encodeIfPresent(difficulty, forKey: .difficulty)
        try container.encode(metadata, forKey: .metadata)
    }

    private enum CodingKeys: String, CodingKey {
        case id, dataset, split, question, solution, answer, answerSource, family, steps, difficulty, metadata
    }

    /// Whether there is an answer to verify by.
    public var isAnswered: Bool { !answer.isEmpty }

    /// The problem's id.
    public var key: String { id }

    /// Checks that the id is well formed and that question and answer say something.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(dataset, "dataset")
        try check.notBlank(question, "question")
        if split == .train {
            try check.notBlank(answer.isEmpty ? nil : answer, "answer")
        } else {
            try check.require(
                isAnswered,
                "answer",
                "is missing; only a problem of the split 'train' may do without, as it is not scored"
            )
            try check.notBlank(answer, "answer")
        }
        try check.require(
            answerSource == nil || isAnswered,
            "answerSource",
            "says where an answer is from that is not there; leave it out"
        )
        try check.notBlank(solution, "solution")
        try check.notBlank(family, "family")
        try check.range(steps, 1...10_000, "steps")
        try check.notBlank(difficulty, "difficulty")
    }
}
