public import Distillation
import Reasoning

/// Sizes, seeds and budgets of a reproduction: what all arms of a table have in common.
///
/// The regime is the papers' in small: few distinct problems seen many times, students short of saturation, and a second
/// stage whose rate is far below the first's.
public struct ReproductionPlan: Sendable, Hashable, Codable {
    /// The seeds that figures are reported for; each has problems, a teacher, a tokenizer and initial weights of its own.
    public var seeds: [UInt64]
    /// The seed whose development split hyper-parameters are chosen on; it is in no figure.
    public var searchSeed: UInt64
    /// Distinct training problems.
    public var trainingProblems: Int
    /// Problems held back from stage one, which its student attempts.
    public var rolloutProblems: Int
    /// Problems that hyper-parameters are chosen on.
    public var developmentProblems: Int
    /// Held-out problems of the training domain.
    public var testProblems: Int
    /// Problems of each out-of-domain suite.
    public var outOfDomainProblems: Int
    /// The student's size.
    public var student: StudentFactory.Size
    /// Tokens of stage one where arms are compared at equal cost: EDIT's, whose data sets differ in size.
    public var supervisedTokens: Int
    /// Passes of stage one where arms are compared on the same problems, seen as often: SuperCorrect's, as in the paper.
    public var supervisedPasses: Double
    /// Tokens of the second stage, the same for every arm that has one.
    public var secondStageTokens: Int
    /// Candidate rates of stage one.
    public var supervisedRates: [Double]
    /// Candidate rates of the second stage.
    public var secondStageRates: [Double]
    /// Sequences (or pairs) an update.
    public var batchSequences: Int
    /// The share of the teacher's first chains that are wrong; the paper's was 1,402 of 5,207.
    public var teacherErrorShare: Double
    /// The most tokens that a student writes.
    public var maximumNewTokens: Int

    /// Three seeds, within 90 minutes on two cores.
    public static let full = ReproductionPlan(
        seeds: [1, 2, 3],
        searchSeed: 101,
        trainingProblems: 1_000,
        rolloutProblems: 1_000,
        developmentProblems: 400,
        testProblems: 500,
        outOfDomainProblems: 200,
        student: .demo,
        supervisedTokens: 2_000_000,
        supervisedPasses: 16,
        secondStageTokens: 400_000,
        supervisedRates: [5e-4, 1e-3],
        secondStageRates: [2e-6, 1e-5, 5e-5, 2.5e-4],
        batchSequences: 8,
        teacherErrorShare: 0.27,
        maximumNewTokens: 260
    )

    /// Everything once over in a few minutes, to see that it runs; the figures mean nothing.
    public static let quick = ReproductionPlan(
        seeds: [1, 2, 3],
        searchSeed: 101,
        trainingProblems: 60,
        rolloutProblems: 40,
        developmentProblems: 20,
        testProblems: 30,
        outOfDomainProblems: 10,
        student: StudentFactory.Size(hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 400),
        supervisedTokens: 40_000,
        supervisedPasses: 2,
        secondStageTokens: 10_000,
        supervisedRates: [5e-3],
        secondStageRates: [1e-3],
        batchSequences: 16,
        teacherErrorShare: 0.27,
        maximumNewTokens: 160
    )

    /// What decides a single training beside its arm, seed and rate: the plan without the lists of these, so that a seed or
    /// a rate that is added later leaves what is done as it is.
    var withoutChoices: ReproductionPlan {
        var plan = self
        plan.seeds = []
        plan.supervisedRates = []
        plan.secondStageRates = []
        return plan
    }

    /// Checks that there is something of everything, and that no seed is used twice.
    ///
    /// - Throws: ``ReproductionError`` that names the field.
    public func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            if !holds { throw ReproductionError(message) }
        }
        let sizes = [
            ("trainingProblems", trainingProblems), ("rolloutProblems", rolloutProblems),
            ("developmentProblems", developmentProblems), ("testProblems", testProblems),
            ("outOfDomainProblems", outOfDomainProblems), ("supervisedTokens", supervisedTokens),
            ("secondStageTokens", secondStageTokens), ("batchSequences", batchSequences),
            ("maximumNewTokens", maximumNewTokens), ("student.hidden", student.hidden),
            ("student.layers", student.layers), ("student.heads", student.heads),
            ("student.intermediate", student.intermediate), ("student.vocabulary", student.vocabulary),
        ]
        for (name, value) in sizes { try check(value > 0, "\(name) is \(value); it must be at least 1") }
        try check(supervisedPasses.isFinite && supervisedPasses > 0, "supervisedPasses must be a number above 0")
        try check(!seeds.isEmpty, "seeds is empty; give at least one, three for a table")
        try check(Set(seeds).count == seeds.count, "seeds holds a seed twice")
        try check(
            !seeds.contains(searchSeed),
            "searchSeed is one of seeds; rates are chosen on a seed that is not reported"
        )
        // What runs keep: the largest whole number that every reader of JSON has.
        try check(
            ([searchSeed] + seeds).allSatisfy { $0 < 1 << 53 },
            "seeds and searchSeed must be below 2^53"
        )
        for (name, rates) in [("supervisedRates", supervisedRates), ("secondStageRates", secondStageRates)] {
            try check(!rates.isEmpty, "\(name) is empty")
            try check(rates.allSatisfy { $0.isFinite && $0 > 0 }, "\(name) must be numbers above 0")
            try check(Set(rates).count == rates.count, "\(name) holds a rate twice")
        }
        try check((0...0.3).contains(teacherErrorShare), "teacherErrorShare must lie in 0...0.3")
    }
}
