public import PracticeDomain
import Reasoning
public import Schemas
import Teaching

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
        func events(
            _ generator: ProblemGenerator,
            _ count: Int,
            _ split: ProblemSplit,
            suite: String = SuiteName.test
        ) throws -> [ProblemEvent] {
            let dataset = Self.dataset(seed: seed, suite: suite)
            return try generator.generate(count: count, split: split).map {
                ProblemEvent($0, dataset: dataset, split: split)
            }
        }
        training = try events(inDomain, plan.trainingProblems, .train)
        rollout = try events(inDomain, plan.rolloutProblems, .rollout)
        development = try events(inDomain, plan.developmentProblems, .development)
        suites = [
            SuiteName.test: try events(inDomain, plan.testProblems, .test),
            SuiteName.longer: try events(longer, plan.outOfDomainProblems, .test, suite: SuiteName.longer),
            SuiteName.families: try events(families, plan.outOfDomainProblems, .test, suite: SuiteName.families),
        ]
    }

    /// The dataset of a seed's problems; suites outside the training domain are datasets of their own, so that a run can
    /// name them.
    static func dataset(seed: UInt64, suite: String = SuiteName.test) -> String {
        "reproduction-\(seed)" + (suite == SuiteName.test ? "" : "-\(suite)")
    }

    /// Families that no training problem is of.
    public static let unseenFamilies: [ProblemFamily] = [.garden, .packing, .savings, .farm]
}
