import Reasoning
public import Schemas

/// A table of a paper: its arms, and what the paper says of them.
public struct ReproductionTable: Sendable, Hashable, Codable {
    /// `edit` or `supercorrect`.
    public var id: String
    /// The heading.
    public var title: String
    /// The rows; a row stands after its parent.
    public var arms: [Arm]
    /// What the paper claims, as directions between rows.
    public var claims: [Claim]
    /// What is traced over the course of KRSL, to see why it hurts.
    public var probes: [Probe]
    /// The arm whose wrong attempts the teacher corrects, for preference pairs and to measure skill at corrections.
    public var rolloutArm: String?

    /// Creates a table.
    public init(
        id: String,
        title: String,
        arms: [Arm],
        claims: [Claim],
        probes: [Probe] = [],
        rolloutArm: String? = nil
    ) {
        self.id = id
        self.title = title
        self.arms = arms
        self.claims = claims
        self.probes = probes
        self.rolloutArm = rolloutArm
    }

    /// The arm of a name.
    public func arm(_ id: String) -> Arm? { arms.first { $0.id == id } }
}

/// A claim of a paper: that one arm beats another, or does not.
public struct Claim: Sendable, Hashable, Codable {
    /// What is claimed of the first arm's accuracy against the second's.
    public enum Direction: String, Sendable, Hashable, Codable {
        /// The first is better.
        case above
        /// The first is worse.
        case below
    }

    /// What is compared.
    public enum Measure: String, Sendable, Hashable, Codable {
        /// Accuracy on the suite.
        case accuracy
        /// The share of first wrong steps that the student names.
        case locate
        /// The share of wrong steps that the student corrects.
        case correct
        /// Accuracy after the second pass less accuracy before it, of the first arm alone.
        case selfCorrectionGain
    }

    /// The claim in a sentence.
    public var text: String
    /// Where the paper has it, with its figures.
    public var source: String
    /// The arm that is said to differ.
    public var arm: String
    /// The arm that it is compared with; the arm itself where a measure compares it with itself.
    public var against: String
    /// The direction.
    public var direction: Direction
    /// What is compared.
    public var measure: Measure
    /// The suite; the in-domain test when not given.
    public var suite: String

    /// Creates a claim.
    public init(
        _ text: String,
        source: String,
        arm: String,
        _ direction: Direction,
        _ against: String,
        measure: Measure = .accuracy,
        suite: String = SuiteName.test
    ) {
        self.text = text
        self.source = source
        self.arm = arm
        self.against = against
        self.direction = direction
        self.measure = measure
        self.suite = suite
    }
}

/// A KRSL training whose effect on key and other tokens is traced.
public struct Probe: Sendable, Hashable, Codable {
    /// The name in results.
    public var id: String
    /// The name for people.
    public var title: String
    /// The arm that it starts from.
    public var parent: String
    /// The training.
    public var method: KeyStepMethod
    /// The learning rate as a share of the parent's.
    public var rateShare: Double

    /// Creates a probe.
    public init(_ id: String, _ title: String, parent: String, method: KeyStepMethod, rateShare: Double) {
        self.id = id
        self.title = title
        self.parent = parent
        self.method = method
        self.rateShare = rateShare
    }

    /// The training as an arm: a second stage after its parent.
    var arm: Arm { Arm(id, title, group: "Probes", parent: parent, method: .keySteps(method), style: .chain) }
}

/// The suites that students are scored on.
public enum SuiteName {
    /// Held-out problems of the training domain.
    public static let test = "test"
    /// Families of problems that were never trained on.
    public static let families = "unseen-families"
    /// Problems of the training families with more steps than any that was trained on.
    public static let longer = "longer-chains"
    /// The development split, which choices are made on.
    public static let development = "development"

    /// Those of the tables, in order.
    public static let reported = [test, longer, families]
}
