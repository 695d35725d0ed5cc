/// A decision on a round's candidate: whether it is the best student now.
///
/// Record key: the run's id.
public struct VerdictEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.verdict

    /// The verdict's id.
    public var id: String
    /// The run.
    public var runId: String
    /// The round, from 1.
    public var round: Int
    /// What was decided.
    public var decision: Decision
    /// Who decided: the recipe's rule, or a person who overrode it.
    public var by: Decider
    /// Why, a sentence each.
    public var reasons: [String]
    /// The candidate; not there where the round gave none.
    public var candidateCheckpointId: String?
    /// The candidate's model in the model store.
    public var candidateModelHash: String?
    /// The champion before the verdict.
    public var championCheckpointId: String
    /// Which of the run's looks at the gate's suite this was, from 1; not there where nothing was compared.
    public var look: Int?
    /// The p value that a difference may have at most to count at this look.
    public var level: Double?
    /// The comparison on the gate's suite.
    public var comparison: GateComparison?
    /// The comparisons on the suites that must not fall.
    public var guards: [GateComparison]

    /// What was decided.
    public enum Decision: String, Sendable, Hashable, Codable, CaseIterable {
        /// The candidate is the champion now.
        case promote
        /// The champion stays: the candidate is not shown to be better.
        case hold
        /// The champion stays: the candidate is worse, or was refused.
        case reject
    }

    /// Who decided.
    public enum Decider: String, Sendable, Hashable, Codable, CaseIterable {
        /// The rule of the run's recipe.
        case gate
        /// A person.
        case `operator`
    }

    /// Makes a verdict.
    public init(
        id: String,
        runId: String,
        round: Int,
        decision: Decision,
        by: Decider,
        reasons: [String],
        candidateCheckpointId: String? = nil,
        candidateModelHash: String? = nil,
        championCheckpointId: String,
        look: Int? = nil,
        level: Double? = nil,
        comparison: GateComparison? = nil,
        guards: [GateComparison] = []
    ) {
        self.id = id
        self.runId = runId
        self.round = round
        self.decision = decision
        self.by = by
        self.reasons = reasons
        self.candidateCheckpointId = candidateCheckpointId
        self.candidateModelHash = candidateModelHash
        self.championCheckpointId = championCheckpointId
        self.look = look
        self.level = level
        self.comparison = comparison
        self.guards = guards
    }

    /// The run's id.
    public var key: String { runId }

    /// Checks ids, ranges and that a promotion has a candidate.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(runId, "runId")
        try check.atLeast(round, 1, "round")
        try check.identifier(candidateCheckpointId, "candidateCheckpointId")
        try check.identifier(candidateModelHash, "candidateModelHash")
        try check.identifier(championCheckpointId, "championCheckpointId")
        try check.require(
            decision != .promote || candidateCheckpointId != nil,
            "candidateCheckpointId",
            "must be there for a promotion"
        )
        try check.require(!reasons.isEmpty, "reasons", "must say why")
        for (index, reason) in reasons.enumerated() { try check.notBlank(reason, "reasons[\(index)]") }
        try check.atLeast(look, 1, "look")
        try check.range(level, 0...1, "level")
        try comparison?.validate(check, "comparison")
        for (index, comparison) in guards.enumerated() { try comparison.validate(check, "guards[\(index)]") }
    }
}

/// A candidate against the champion on the problems of a suite that both were scored on.
public struct GateComparison: Sendable, Hashable, Codable {
    /// The suite.
    public var suite: String
    /// The problems that both were scored on.
    public var problems: Int
    /// Those that the candidate solves.
    public var candidateCorrect: Int
    /// Those that the champion solves.
    public var championCorrect: Int
    /// Those that only the candidate solves.
    public var onlyCandidate: Int
    /// Those that only the champion solves.
    public var onlyChampion: Int
    /// The two-sided p value of the exact McNemar test.
    public var pValue: Double

    /// Makes a comparison.
    public init(
        suite: String,
        problems: Int,
        candidateCorrect: Int,
        championCorrect: Int,
        onlyCandidate: Int,
        onlyChampion: Int,
        pValue: Double
    ) {
        self.suite = suite
        self.problems = problems
        self.candidateCorrect = candidateCorrect
        self.championCorrect = championCorrect
        self.onlyCandidate = onlyCandidate
        self.onlyChampion = onlyChampion
        self.pValue = pValue
    }

    /// The candidate's gain as a share of the problems.
    public var gain: Double { Double(candidateCorrect - championCorrect) / Double(max(1, problems)) }

    func validate(_ check: Validation, _ field: String) throws {
        try check.identifier(suite, "\(field).suite")
        try check.atLeast(problems, 0, "\(field).problems")
        try check.range(candidateCorrect, 0...problems, "\(field).candidateCorrect")
        try check.range(championCorrect, 0...problems, "\(field).championCorrect")
        try check.range(onlyCandidate, 0...candidateCorrect, "\(field).onlyCandidate")
        try check.range(onlyChampion, 0...championCorrect, "\(field).onlyChampion")
        try check.require(
            candidateCorrect - championCorrect == onlyCandidate - onlyChampion,
            "\(field).onlyCandidate",
            "does not fit the numbers that each solves"
        )
        try check.range(pValue, 0...1, "\(field).pValue")
    }
}
