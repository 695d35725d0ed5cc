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

/// A problem with its answer.
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
    /// The gold answer.
    public var answer: String
    /// The family of a generated problem.
    public var family: String?
    /// The number of steps that a solution takes.
    public var steps: Int?
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
        answer: String,
        family: String? = nil,
        steps: Int? = nil,
        metadata: [String: String] = [:]
    ) {
        self.id = id
        self.dataset = dataset
        self.split = split
        self.question = question
        self.solution = solution
        self.answer = answer
        self.family = family
        self.steps = steps
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
        answer = try container.decode(String.self, forKey: .answer)
        family = try container.decodeIfPresent(String.self, forKey: .family)
        steps = try container.decodeIfPresent(Int.self, forKey: .steps)
        metadata = try container.decodeIfPresent([String: String].self, forKey: .metadata) ?? [:]
    }

    /// The problem's id.
    public var key: String { id }

    /// Checks that the id is well formed and that question and answer say something.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(dataset, "dataset")
        try check.notBlank(question, "question")
        try check.notBlank(answer, "answer")
        try check.notBlank(solution, "solution")
        try check.notBlank(family, "family")
        try check.range(steps, 1...10_000, "steps")
    }
}
