public import PracticeDomain
import Reasoning
public import Schemas

/// The problems of one seed: disjoint splits of the built-in domain, and two suites outside it.
public struct SeedProblems: Sendable, Encodable {
    /// Stage one learns from these.
    public let training: [ProblemEvent]
    /// Held back from stage one; its student attempts them.
    public let rollout: [ProblemEvent]
    /// Choices are made on these.
    public let development: [ProblemEvent]
    /// The suites that figures are reported for.
    public let suites: [String: [ProblemEvent]]

    /// Generates the problems of a seed.
    ///
    /// - Throws: `ReasoningError` when the domain has not so many.
    public init(seed: UInt64, plan: ReproductionPlan) throws {
        let inDomain = ProblemGenerator(seed: seed, stepRange: 2...3, difficulty: .gentle)
        let longer = ProblemGenerator(seed: seed, stepRange: 4...4, difficulty: .gentle)
        let families = ProblemGenerator(
            seed: seed,
            families: Self.unseenFamilies,
            stepRange: 2...3,
            difficulty: .gentle
        )
        func events(_ generator: ProblemGenerator, _ count: Int, _ split: ProblemSplit) throws -> [ProblemEvent] {
            try generator.generate(count: count, split: split).map { Self.event(of: $0, seed: seed, split: split) }
        }
        training = try events(inDomain, plan.trainingProblems, .train)
        rollout = try events(inDomain, plan.rolloutProblems, .rollout)
        development = try events(inDomain, plan.developmentProblems, .development)
        suites = [
            SuiteName.test: try events(inDomain, plan.testProblems, .test),
            SuiteName.longer: try events(longer, plan.outOfDomainProblems, .test),
            SuiteName.families: try events(families, plan.outOfDomainProblems, .test),
        ]
    }

    /// Families that no training problem is of.
    public static let unseenFamilies: [ProblemFamily] = [.garden, .packing, .savings, .farm]

    private static func event(of problem: Problem, seed: UInt64, split: ProblemSplit) -> ProblemEvent {
        let dataset = "reproduction-\(seed)"
        return ProblemEvent(
            id: DeterministicID.make(cause: dataset, parts: problem.id),
            dataset: dataset,
            split: split,
            question: problem.question,
            solution: problem.solution,
            answer: problem.answer,
            family: problem.family,
            steps: problem.steps
        )
    }
}
