public import Schemas

/// What a reproduction found: everything that the report shows.
public struct TableResults: Sendable, Codable {
    /// The table.
    public var table: ReproductionTable
    /// Sizes, seeds and budgets.
    public var plan: ReproductionPlan
    /// The rows in the table's order.
    public var rows: [RowResult]
    /// The claims with what was measured.
    public var claims: [ClaimResult]
    /// The probes in the table's order.
    public var probes: [ProbeResult]
    /// How many of the teacher's answers could be used, by seed.
    public var yields: [SeedYields]
    /// A few things to look at.
    public var examples: Examples
    /// Seconds of computing, summed over all students, each on one thread; whenever it was done.
    public var seconds: Double

    /// The learning rates that were chosen, by arm; arms that are not trained have none.
    public var rates: [String: Double] {
        Dictionary(rows.compactMap { row in row.rate.map { (row.arm, $0) } }) { first, _ in first }
    }
}

/// The yields of a seed's teacher.
public struct SeedYields: Sendable, Codable {
    /// The seed.
    public var seed: UInt64
    /// Name of a stage and how many of how many were verified.
    public var stages: [Yield]

    /// One stage's yield.
    public struct Yield: Sendable, Codable {
        /// The stage's name.
        public var name: String
        /// What could be used.
        public var verified: Int
        /// What was asked for.
        public var asked: Int
        /// The teacher's answers beyond the first that it took.
        public var retries: Int
    }
}

/// A row of a table: an arm over all seeds.
public struct RowResult: Sendable, Codable {
    /// The arm's id.
    public var arm: String
    /// The learning rate that was chosen on the development split; `nil` where none is needed.
    public var rate: Double?
    /// The accuracy on the development split by candidate rate.
    public var search: [SearchPoint]
    /// The figures by seed.
    public var seeds: [SeedResult]
    /// Mean and standard deviation over the seeds, by suite.
    public var accuracy: [String: Spread]
    /// The same for the second pass, where there is one.
    public var selfCorrected: [String: Spread]
    /// Locate and correct rates over the seeds, where they were measured.
    public var locate: Spread?
    /// The share of corrections that are right.
    public var correct: Spread?
    /// Paired tests against other arms.
    public var comparisons: [Comparison]
}

/// A candidate rate and its accuracy on the development split.
public struct SearchPoint: Sendable, Codable, Hashable {
    /// The learning rate.
    public var rate: Double
    /// The accuracy on the development split.
    public var accuracy: Double
}

/// Mean and standard deviation over seeds.
public struct Spread: Sendable, Codable, Hashable {
    /// The mean.
    public var mean: Double
    /// The sample standard deviation; 0 for one seed.
    public var deviation: Double
    /// The values by seed, in the plan's order.
    public var values: [Double]
}

/// An arm's figures for one seed.
public struct SeedResult: Sendable, Codable {
    /// The seed.
    public var seed: UInt64
    /// The scores by suite.
    public var suites: [String: SuiteResult]
    /// Tokens trained on in this arm's own stage.
    public var tokens: Int
    /// The number of distinct examples.
    public var examples: Int
    /// The mean loss of the last updates.
    public var loss: Double?
    /// Wall-clock seconds of training.
    public var trainSeconds: Double
    /// The share of first wrong steps named, with its number of attempts.
    public var correction: CorrectionResult?
}

/// How well a student finds and mends the first wrong step of wrong attempts (SuperCorrect, Table 6).
public struct CorrectionResult: Sendable, Codable, Hashable {
    /// The number of attempts.
    public var attempts: Int
    /// One character an attempt, `1` where the student names the teacher's step.
    public var located: String
    /// One character an attempt, `1` where its correction is right.
    public var corrected: String
}

/// A suite's score.
public struct SuiteResult: Sendable, Codable, Hashable {
    /// One character a problem, `1` where the answer is right.
    public var outcomes: String
    /// The same after the second pass, where there is one.
    public var selfCorrected: String?

    /// The share of ones.
    public static func share(_ outcomes: String) -> Double {
        outcomes.isEmpty ? 0 : Double(outcomes.utf8.count { $0 == UInt8(ascii: "1") }) / Double(outcomes.utf8.count)
    }
}

/// A paired comparison of two arms over all seeds.
public struct Comparison: Sendable, Codable, Hashable {
    /// The other arm.
    public var against: String
    /// The suite.
    public var suite: String
    /// This arm's mean accuracy less the other's.
    public var difference: Double
    /// The 95 % interval of the difference over problems, see `PairedDifference`.
    public var low: Double
    /// Its upper end.
    public var high: Double
    /// The p value of the exact McNemar test over the problems of all seeds.
    public var pValue: Double
    /// The differences by seed.
    public var bySeed: [Double]
}

/// A claim of the paper beside what was measured.
public struct ClaimResult: Sendable, Codable {
    /// What came of a claim.
    public enum Verdict: String, Sendable, Codable {
        /// The direction is the paper's in every seed, and the 95 % interval leaves out 0.
        case shown
        /// The direction is the paper's, but not clearly so.
        case inDirection = "in-direction"
        /// The direction is not the paper's, but not clearly the other one.
        case notShown = "not-shown"
        /// The direction is the other one in every seed, and the interval leaves out 0.
        case reversed
    }

    /// The claim.
    public var claim: Claim
    /// What was measured.
    public var measured: Comparison
    /// What came of it.
    public var verdict: Verdict
}

/// A probe's course.
public struct ProbeResult: Sendable, Codable {
    /// The probe's id.
    public var probe: String
    /// The learning rate.
    public var rate: Double
    /// The course, from before the first update.
    public var points: [Point]

    /// The state after some updates, on dual pairs that nothing was trained on.
    public struct Point: Sendable, Codable {
        /// Updates so far.
        public var step: Int
        /// Mean log p of the right chains' key tokens, in nats.
        public var rightKey: Double
        /// Of the right chains' other tokens.
        public var rightOther: Double
        /// Of the wrong chains' key tokens.
        public var wrongKey: Double
        /// Of the wrong chains' other tokens.
        public var wrongOther: Double
        /// Accuracy on the development split; only at some points.
        public var accuracy: Double?
    }
}

/// Things to look at.
public struct Examples: Sendable, Codable {
    /// A dual pair with its key tokens.
    public struct Dual: Sendable, Codable {
        /// The question.
        public var question: String
        /// How the pair came to be, and its mistake pattern.
        public var origin: String
        /// The right chain, piece by piece.
        public var right: [Piece]
        /// The wrong chain, piece by piece.
        public var wrong: [Piece]
    }

    /// A stretch of a chain.
    public struct Piece: Sendable, Codable {
        /// The text.
        public var text: String
        /// Whether its tokens are key.
        public var isKey: Bool
    }

    /// A thought template.
    public struct Template: Sendable, Codable {
        /// The question.
        public var question: String
        /// The template.
        public var body: TemplateBody
    }

    /// A correction beside the student's own.
    public struct Correction: Sendable, Codable {
        /// The question.
        public var question: String
        /// The attempt's steps.
        public var steps: [String]
        /// The teacher's correction.
        public var teacher: CorrectionBody
        /// The student's own: the step, from 0, with cause and correction.
        public var student: SelfCorrection?
    }

    /// A student's solution of a held-out problem.
    public struct Solution: Sendable, Codable {
        /// The arm.
        public var arm: String
        /// The question.
        public var question: String
        /// The gold answer.
        public var gold: String
        /// What the student wrote.
        public var output: String
        /// Whether its answer is right.
        public var isCorrect: Bool
    }

    /// Dual pairs.
    public var duals: [Dual] = []
    /// Templates.
    public var templates: [Template] = []
    /// Corrections.
    public var corrections: [Correction] = []
    /// Solutions.
    public var solutions: [Solution] = []
}
