/// Training on whole responses.
public struct SupervisedMethod: Sendable, Hashable, Codable {
    /// What is learned from; the examples of all sources are mixed.
    public var sources: [ExampleSource]

    /// Makes a method.
    public init(_ sources: [ExampleSource]) { self.sources = sources }

    func validate(_ check: Validation, _ field: String) throws {
        try check.require(!sources.isEmpty, "\(field).sources", "must name at least one source")
        for (index, source) in sources.enumerated() { try source.validate(check, "\(field).sources[\(index)]") }
        try ExampleSource.requireDifferent(sources, check, "\(field).sources")
    }
}

/// Whole responses of one kind.
public struct ExampleSource: Sendable, Hashable, Codable {
    /// What the responses are.
    ///
    /// - `rightChains`: the teacher's own right chains (D+ of EDIT), one a problem.
    /// - `repeatedChains`: its further right chains of the same problems.
    /// - `rectifiedChains`: right chains in place of its wrong ones, which knew the answer (D-+).
    /// - `wrongChains`: the wrong chains of dual pairs, behind the mark that says so: with right ones "dual chains".
    /// - `solutions`: the problems' own worked solutions.
    /// - `templates`: thought templates.
    /// - `corrections`: corrections made from dual pairs, after the prompt that asks for one.
    /// - `attempts`: the parent's own attempts that are right (self-training).
    /// - `teacherSteps`: the teacher's step in place of the first wrong one of the parent's attempts.
    public var kind: String
    /// The weight of each response's tokens; 1 when it is not there.
    public var weight: Double?
    /// How a template is written: `template` (the default), `template-text`, `chain`, `chain-with-notes`,
    /// `chain-with-method` (SuperCorrect, Table 8).
    public var style: String?

    /// The kinds.
    public static let kinds = [
        "rightChains", "repeatedChains", "rectifiedChains", "wrongChains", "solutions", "templates", "corrections",
        "attempts", "teacherSteps",
    ]
    /// The kinds that are made of a roll-out of the parent.
    static let ofRollouts: Set<String> = ["attempts", "teacherSteps"]
    /// The kinds that are made of dual pairs.
    static let ofDualPairs: Set<String> = ["rectifiedChains", "wrongChains", "corrections"]

    /// Makes a source.
    public init(_ kind: String, weight: Double? = nil, style: String? = nil) {
        self.kind = kind
        self.weight = weight
        self.style = style
    }

    /// The same responses twice are a slip: how much they count is said by their weight.
    static func requireDifferent(_ sources: [ExampleSource], _ check: Validation, _ field: String) throws {
        var seen: Set<[String]> = []
        for (index, source) in sources.enumerated() {
            let style = source.kind == "templates" ? source.style ?? "template" : ""
            try check.require(
                seen.insert([source.kind, style]).inserted,
                "\(field)[\(index)]",
                "is '\(source.kind)' a second time; give it once, with a weight"
            )
        }
    }

    func validate(_ check: Validation, _ field: String, inMix: Bool = false) throws {
        let kinds = inMix ? Self.kinds.filter { !Self.ofRollouts.contains($0) } : Self.kinds
        try check.word(kind, of: kinds, "\(field).kind")
        try check.range(weight, 0...1000, "\(field).weight")
        try check.require(weight != 0, "\(field).weight", "is 0; leave the source out")
        try check.require(
            style == nil || kind == "templates",
            "\(field).style",
            "says how templates are written; '\(kind)' has no choice of style, leave it out"
        )
        try check.word(
            style,
            of: ["template", "template-text", "chain", "chain-with-notes", "chain-with-method"],
            "\(field).style"
        )
    }
}

/// Key-step learning (KRSL).
///
/// What is not there has the default, which is the authors' form.
public struct KeyStepMethod: Sendable, Hashable, Codable {
    /// What the pairs are written as: `chains` (EDIT as published, the default) or `templates`.
    public var form: String?
    /// The weight of key tokens on the right chain; 1 by default.
    public var alpha: Double?
    /// The weight of key tokens on the wrong chain, which are made less likely; 0.025 by default.
    public var beta: Double?
    /// The weight of the right chain's other tokens; 0 by default.
    public var gamma: Double?
    /// How ties between alignments are decided, `edit` or `canonical`.
    public var tieRule: String?
    /// What the wrong chain's key tokens cost: `likelihood`, the authors' form, or `unlikelihood`, which is bounded.
    public var wrongTokens: String?
    /// Key tokens of the wrong chain that cost more than this, in nats, are left out of an update; none when not there.
    public var nllThreshold: Double?
    /// Which tokens are key: `edit`, or `random`, as many at places drawn by the run's seed.
    public var keyTokens: String?
    /// Whole responses that are mixed in.
    public var mix: [ExampleSource]?

    /// Makes a method.
    public init(
        form: String? = nil,
        alpha: Double? = nil,
        beta: Double? = nil,
        gamma: Double? = nil,
        tieRule: String? = nil,
        wrongTokens: String? = nil,
        nllThreshold: Double? = nil,
        keyTokens: String? = nil,
        mix: [ExampleSource]? = nil
    ) {
        self.form = form
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tieRule = tieRule
        self.wrongTokens = wrongTokens
        self.nllThreshold = nllThreshold
        self.keyTokens = keyTokens
        self.mix = mix
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.word(form, of: ["chains", "templates"], "\(field).form")
        try check.range(alpha, 0...1000, "\(field).alpha")
        try check.range(beta, 0...1000, "\(field).beta")
        try check.range(gamma, 0...1000, "\(field).gamma")
        try check.word(tieRule, of: ["edit", "canonical"], "\(field).tieRule")
        try check.word(wrongTokens, of: ["likelihood", "unlikelihood"], "\(field).wrongTokens")
        try check.positive(nllThreshold, "\(field).nllThreshold")
        try check.word(keyTokens, of: ["edit", "random"], "\(field).keyTokens")
        try check.require(
            alpha != 0 || beta != 0 || gamma ?? 0 != 0,
            "\(field).alpha",
            "is 0, and so are beta and gamma: nothing would be learned of the pairs; weigh one of them"
        )
        for (index, source) in (mix ?? []).enumerated() {
            try source.validate(check, "\(field).mix[\(index)]", inMix: true)
        }
        try ExampleSource.requireDifferent(mix ?? [], check, "\(field).mix")
    }
}

/// Preference optimisation.
///
/// What is not there has the default.
public struct PreferenceMethod: Sendable, Hashable, Codable {
    /// The loss: `sigmoid` (the default), `hinge`, `ipo`, `robust`, or `simpo`, which takes no reference.
    public var loss: String?
    /// The strength of the pull to the reference, of `simpo` the scale of the margin; 0.1 by default.
    public var beta: Double?
    /// The share of pairs that is taken to be labelled the wrong way round, below one half.
    public var labelSmoothing: Double?
    /// The margin γ that `simpo` aims at; 0 by default.
    public var simpoMargin: Double?
    /// The weight of a supervised term on the chosen side.
    public var nllWeight: Double?
    /// The weight of a supervised term on whole responses that are mixed in; 1 when there are any.
    public var mixWeight: Double?
    /// Whole responses that are mixed in.
    public var mix: [ExampleSource]?
    /// How a pair is laid out: `prefix` (equations 7 and 8 of SuperCorrect), `trace`, `step`, `instance`, or `duals`, the
    /// whole chains of dual pairs (EDIT, Table 9).
    public var layout: String
    /// Whether the text of the wrong step stands in the context.
    public var wrongStepInContext: Bool?
    /// Whether only the tokens in which the two sides differ carry the preference.
    public var tokenWeighted: Bool?
    /// What to do when the student's own correction is right: `keep` (reject it all the same), `drop` (no pair) or `step`
    /// (reject the wrong step instead).
    public var whenSelfCorrectionIsRight: String?
    /// What to do when the student's own correction names another step or none: `keep`, `drop` or `step`.
    public var whenSelfCorrectionNamesAnotherStep: String?

    /// The layout whose pairs are the whole chains of dual pairs.
    public static let dualChains = "duals"

    /// Makes a method.
    public init(
        layout: String,
        loss: String? = nil,
        beta: Double? = nil,
        labelSmoothing: Double? = nil,
        simpoMargin: Double? = nil,
        nllWeight: Double? = nil,
        mixWeight: Double? = nil,
        mix: [ExampleSource]? = nil,
        wrongStepInContext: Bool? = nil,
        tokenWeighted: Bool? = nil,
        whenSelfCorrectionIsRight: String? = nil,
        whenSelfCorrectionNamesAnotherStep: String? = nil
    ) {
        self.loss = loss
        self.beta = beta
        self.labelSmoothing = labelSmoothing
        self.simpoMargin = simpoMargin
        self.nllWeight = nllWeight
        self.mixWeight = mixWeight
        self.mix = mix
        self.layout = layout
        self.wrongStepInContext = wrongStepInContext
        self.tokenWeighted = tokenWeighted
        self.whenSelfCorrectionIsRight = whenSelfCorrectionIsRight
        self.whenSelfCorrectionNamesAnotherStep = whenSelfCorrectionNamesAnotherStep
    }

    /// The options that say what pairs of attempts are made of, with the layouts that read them.
    private var pairOptions: [(name: String, isThere: Bool, layouts: [String])] {
        [
            ("wrongStepInContext", wrongStepInContext != nil, ["prefix"]),
            ("tokenWeighted", tokenWeighted != nil, ["prefix", "trace", "step", "instance", Self.dualChains]),
            ("whenSelfCorrectionIsRight", whenSelfCorrectionIsRight != nil, ["prefix", "trace", "step"]),
            (
                "whenSelfCorrectionNamesAnotherStep", whenSelfCorrectionNamesAnotherStep != nil,
                ["prefix", "trace", "step"]
            ),
        ]
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.word(layout, of: ["prefix", "trace", "step", "instance", Self.dualChains], "\(field).layout")
        try check.word(loss, of: ["sigmoid", "hinge", "ipo", "robust", "simpo"], "\(field).loss")
        try check.positive(beta, "\(field).beta")
        try check.require(
            (0..<0.5).contains(labelSmoothing ?? 0),
            "\(field).labelSmoothing",
            "must be 0.0 or more and below 0.5, is \(labelSmoothing ?? 0)"
        )
        try check.require(
            labelSmoothing ?? 0 == 0 || loss != "hinge" && loss != "ipo",
            "\(field).labelSmoothing",
            "is not read by the loss '\(loss ?? "")'; leave it out"
        )
        try check.range(simpoMargin, -1000...1000, "\(field).simpoMargin")
        try check.require(
            simpoMargin == nil || loss == "simpo",
            "\(field).simpoMargin",
            "is not read by the loss '\(loss ?? "sigmoid")'; leave it out"
        )
        try check.range(nllWeight, 0...1000, "\(field).nllWeight")
        try check.range(mixWeight, 0...1000, "\(field).mixWeight")
        try check.require(
            mixWeight == nil || mix?.isEmpty == false,
            "\(field).mixWeight",
            "weighs what is mixed in; give mix, or leave it out"
        )
        for (index, source) in (mix ?? []).enumerated() {
            try source.validate(check, "\(field).mix[\(index)]", inMix: true)
        }
        try ExampleSource.requireDifferent(mix ?? [], check, "\(field).mix")
        for option in pairOptions where option.isThere {
            try check.require(
                option.layouts.contains(layout),
                "\(field).\(option.name)",
                "is not read in the layout '\(layout)'; leave it out"
            )
        }
        for (name, rule) in [
            ("whenSelfCorrectionIsRight", whenSelfCorrectionIsRight),
            ("whenSelfCorrectionNamesAnotherStep", whenSelfCorrectionNamesAnotherStep),
        ] {
            try check.word(rule, of: ["keep", "drop", "step"], "\(field).\(name)")
        }
        try check.require(
            layout != "step" || whenSelfCorrectionNamesAnotherStep != "keep",
            "\(field).whenSelfCorrectionNamesAnotherStep",
            "is 'keep', but pairs of the layout 'step' have no place for another step; choose 'step' or 'drop'"
        )
    }
}
