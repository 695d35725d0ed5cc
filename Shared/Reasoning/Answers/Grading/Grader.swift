/// Compares answers under one policy and says how it came to its verdicts.
public struct Grader: Sendable, Hashable {
    /// The version of the rules; another one where any verdict may be another.
    public static let version = "4"

    /// The policy of all verdicts.
    public let policy: GradingPolicy

    /// Makes a grader.
    public init(policy: GradingPolicy = .standard) { self.policy = policy }

    /// What verdicts are marked with: the policy and the version, such as `standard/4`.
    public var stamp: String { "\(policy.rawValue)/\(Self.version)" }

    /// Whether a gold answer and a predicted one are the same; see ``verdict(gold:predicted:)``.
    public func isCorrect(gold: String, predicted: String) -> Bool {
        verdict(gold: gold, predicted: predicted).isCorrect
    }

    /// Compares a gold answer and a predicted one, both of them answers rather than texts that hold one.
    ///
    /// Always ends, within the bounds that ``AnswerEquivalence`` states, and never fails.
    public func verdict(gold: String, predicted: String) -> GradingVerdict {
        let rule = AnswerEquivalence.rule(gold: gold, predicted: predicted, policy: policy)
        return GradingVerdict(
            isCorrect: rule.isEqual,
            rule: rule.rule,
            policy: policy,
            graderVersion: Self.version
        )
    }

    /// Finds the answer in a text and compares it; a text without one is not correct, by ``GradingRule/missing``.
    ///
    /// Arguments:
    ///   - isTruncated: whether the text was cut off; see ``AnswerExtraction/found(in:isTruncated:)``.
    public func verdict(gold: String, text: String, isTruncated: Bool = false) -> GradingVerdict {
        let found = AnswerExtraction.found(in: text, isTruncated: isTruncated)
        var verdict = verdict(gold: gold, predicted: found?.text ?? "")
        if found == nil {
            verdict.isCorrect = false
            verdict.rule = .missing
        }
        verdict.extraction = found
        return verdict
    }
}

/// What a grader says of an answer.
public struct GradingVerdict: Sendable, Hashable, Codable {
    /// Whether the answers are the same.
    public var isCorrect: Bool
    /// By what the grader decided.
    public var rule: GradingRule
    /// The policy.
    public var policy: GradingPolicy
    /// ``Grader/version``.
    public var graderVersion: String
    /// The answer that was found in a text, and by which rule; nil where there is none, or where it came as an answer.
    public var extraction: ExtractedAnswer?

    /// Makes a verdict.
    public init(
        isCorrect: Bool,
        rule: GradingRule,
        policy: GradingPolicy,
        graderVersion: String,
        extraction: ExtractedAnswer? = nil
    ) {
        self.isCorrect = isCorrect
        self.rule = rule
        self.policy = policy
        self.graderVersion = graderVersion
        self.extraction = extraction
    }
}

/// By what two answers were found to be the same, or to differ.
public enum GradingRule: String, Sendable, CaseIterable, Codable {
    /// One of them is empty.
    case missing
    /// The same text, byte for byte but for blanks around it.
    case identical
    /// Numbers by exact value.
    case number
    /// Numbers of which one is a rounding of the other.
    case rounding
    /// Numbers of which one is a hundredth of the other, and percent was meant.
    case percent
    /// Expressions by value.
    case expression
    /// The letters of options.
    case option
    /// Lists, member by member.
    case list
    /// Tuples, member by member.
    case tuple
    /// Sets, whatever their order.
    case set
    /// Intervals and unions of them.
    case interval
    /// Equations.
    case equation
    /// Inequalities.
    case inequality
    /// Matrices and vectors.
    case matrix
    /// Ratios.
    case ratio
    /// Times of the day and dates.
    case time
    /// Words.
    case text
    /// The two are of different kinds, such as a number and a list.
    case kind
    /// Too long for anything but a comparison of bytes.
    case length
}
