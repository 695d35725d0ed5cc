public import Reasoning

/// One row of a table: a student and how it came to be.
public struct Arm: Sendable, Hashable, Codable {
    /// The arm's name in files and results.
    public var id: String
    /// The arm's name for people.
    public var title: String
    /// The part of the table that it stands in.
    public var group: String
    /// Where the papers have it, for example `EDIT, Table 1`.
    public var source: String?
    /// The arm whose student it starts from; `nil` for the untrained student.
    public var parent: String?
    /// How it is trained.
    public var recipe: Recipe
    /// How the student writes its answers when it is scored.
    public var style: ResponseStyle
    /// The arms that it is compared with, by paired tests.
    public var against: [String]

    /// Creates an arm.
    public init(
        _ id: String,
        _ title: String,
        group: String,
        source: String? = nil,
        parent: String? = nil,
        recipe: Recipe,
        style: ResponseStyle,
        against: [String] = []
    ) {
        self.id = id
        self.title = title
        self.group = group
        self.source = source
        self.parent = parent
        self.recipe = recipe
        self.style = style
        self.against = against
    }
}

/// How a student is trained.
public enum Recipe: Sendable, Hashable, Codable {
    /// Not at all.
    case untrained
    /// On whole responses.
    case supervised(SupervisedRecipe)
    /// On key steps of dual chains.
    case keySteps(KeyStepRecipe)
    /// On preference pairs.
    case preference(PreferenceRecipe)
    /// The parent's student with a second pass at inference.
    case selfCorrection

    /// Whether a learning rate has to be chosen.
    public var isTrained: Bool {
        switch self {
        case .untrained, .selfCorrection: false
        case .supervised, .keySteps, .preference: true
        }
    }
}

/// Training on whole responses.
public struct SupervisedRecipe: Sendable, Hashable, Codable {
    /// What is learnt from.
    public enum Source: String, Sendable, Hashable, Codable, CaseIterable {
        /// The teacher's own right chains: D+.
        case right
        /// Its wrong chains, rectified: D-+.
        case rectified
        /// As many further samples of right chains as there are wrong chains in the dual pairs.
        case repeated
        /// The wrong chains of the dual pairs behind the mark that says so.
        case counterfactual
        /// Thought templates, in the arm's style.
        case templates
        /// Corrections of the dual pairs' wrong chains: what lets a student that was trained from nothing correct at all.
        case corrections
        /// The teacher's steps in place of the student's first wrong ones, in the roll-out: what preferences on steps choose.
        case steps
    }

    /// What is learnt from.
    public var sources: [Source]
    /// How long it goes on.
    public enum Length: String, Sendable, Hashable, Codable {
        /// As many tokens as every such arm.
        case tokens
        /// As many passes over its examples as every such arm.
        case passes
        /// A second stage: as many tokens as every second stage, at one of its rates.
        case secondStage = "second-stage"
    }

    /// How long it goes on.
    public var length: Length

    /// Creates a recipe.
    public init(_ sources: [Source], _ length: Length) {
        self.sources = sources
        self.length = length
    }
}

/// KRSL.
public struct KeyStepRecipe: Sendable, Hashable, Codable {
    /// Which dual pairs.
    public enum Pairs: String, Sendable, Hashable, Codable, CaseIterable {
        /// All.
        case all
        /// Those whose wrong chain is a corrupted right one: D+_dual.
        case corrupted
        /// Those whose right chain is a rectified wrong one: D-_dual.
        case rectified
    }

    /// Which pairs.
    public var pairs = Pairs.all
    /// Only pairs of this mistake pattern, and of each pattern as many as of the rarest.
    public var mistake: String?
    /// Weight of the right chain's key tokens.
    public var alpha: Double = 1
    /// Weight of the wrong chain's key tokens, as a magnitude.
    public var beta: Double = 0.025
    /// Weight of the right chain's other tokens.
    public var gamma: Double = 0
    /// Whether the key tokens are drawn at random instead: the control.
    public var isRandom = false
    /// Whether wrong tokens are pushed down by −log(1 − p), which has a bound, instead of by log p.
    public var isBounded = false
    /// The weight of a supervised term on the first stage's examples.
    public var supervisedWeight: Double = 0
    /// Whether each chain is divided by its length, as in the authors' code, or not, as in print.
    public var isNormalized = true

    /// The authors' form.
    public init() {}

    /// The authors' form with changes.
    public init(_ change: (inout KeyStepRecipe) -> Void) { change(&self) }
}

/// Preference optimisation.
public struct PreferenceRecipe: Sendable, Hashable, Codable {
    /// What a pair is made of.
    public enum Pairs: String, Sendable, Hashable, Codable, CaseIterable {
        /// Whole chains of a dual pair (EDIT, Table 9).
        case duals
        /// The gold solution against the student's whole wrong attempt.
        case instance
        /// The teacher's cause and correction of the first wrong step against the student's, after problem and verified
        /// prefix (SuperCorrect, equation 8).
        case prefix
        /// The teacher's step against the student's, within the student's own solution; our layout.
        case step
    }

    /// What a pair is made of.
    public var pairs: Pairs
    /// The strength of the tie to the reference.
    public var beta = 0.1
    /// The weight of a supervised term on the chosen side.
    public var nllWeight = 0.0
    /// The weight of a supervised term on the first stage's examples.
    public var supervisedWeight = 0.0
    /// Whether only the tokens in which both sides differ carry the preference.
    public var isTokenWeighted = false

    /// A recipe without supervised terms.
    public init(_ pairs: Pairs, _ change: (inout PreferenceRecipe) -> Void = { _ in }) {
        self.pairs = pairs
        change(&self)
    }
}
