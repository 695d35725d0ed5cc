/// One stage of a run's recipe: who learns what, by which method, from what, and when it starts.
public struct RunStage: Sendable, Hashable, Codable {
    /// The stage's name, unique in the run.
    public var name: String
    /// What it starts from: `initial` (the default; in later rounds what ``RunRounds/from`` says), another stage's name,
    /// or `champion`, the best student at the round's start.
    public var parent: String?
    /// Training on whole responses.
    public var supervised: SupervisedMethod?
    /// Training on the key steps of dual chains (KRSL).
    public var keySteps: KeyStepMethod?
    /// Training on preference pairs.
    public var preferences: PreferenceMethod?
    /// How the student answers after the stage: `chain` or `template`; what it is trained on when not there.
    public var answers: String?
    /// What it learns from; the run's training problems when it is not there.
    public var data: StageData?
    /// When it has enough to start.
    public var start: StageStart?
    /// The optimiser's options.
    public var training: TrainingBlock?
    /// The stages that it waits for, to train on as many tokens as they did together: a control of equal cost.
    public var tokensOf: [String]?
    /// The engine that trains it, by a name of the trainer's own configuration; Errata's when it is not there.
    public var engine: String?
    /// The last round that trains it, for a control that need not be trained again; every round when it is not there.
    public var lastRound: Int?

    /// Makes a stage.
    public init(
        name: String,
        parent: String? = nil,
        supervised: SupervisedMethod? = nil,
        keySteps: KeyStepMethod? = nil,
        preferences: PreferenceMethod? = nil,
        answers: String? = nil,
        data: StageData? = nil,
        start: StageStart? = nil,
        training: TrainingBlock? = nil,
        tokensOf: [String]? = nil,
        engine: String? = nil,
        lastRound: Int? = nil
    ) {
        self.name = name
        self.parent = parent
        self.supervised = supervised
        self.keySteps = keySteps
        self.preferences = preferences
        self.answers = answers
        self.data = data
        self.start = start
        self.training = training
        self.tokensOf = tokensOf
        self.engine = engine
        self.lastRound = lastRound
    }

    /// The name of the untrained student, in ``parent`` and as a checkpoint's stage.
    public static let initial = "initial"
    /// The name of the best student so far, in ``parent``.
    public static let champion = "champion"
    /// The names that no stage can have.
    static let reservedNames = [initial, champion, "latest"]

    /// What it starts from, with the default filled in.
    public var parentName: String { parent ?? Self.initial }

    /// What the stage is trained by.
    public enum Method: Sendable, Hashable {
        /// On whole responses.
        case supervised(SupervisedMethod)
        /// On key steps.
        case keySteps(KeyStepMethod)
        /// On preference pairs.
        case preferences(PreferenceMethod)
    }

    /// The method; nil where none or several are given, which ``RunEvent/validate()`` refuses.
    public var method: Method? {
        switch (supervised, keySteps, preferences) {
        case (let method?, nil, nil): .supervised(method)
        case (nil, let method?, nil): .keySteps(method)
        case (nil, nil, let method?): .preferences(method)
        default: nil
        }
    }

    /// Whether the stage learns from attempts of its parent, so that its parent is rolled out.
    public var needsRollout: Bool {
        switch method {
        case .supervised(let method): method.sources.contains { ExampleSource.ofRollouts.contains($0.kind) }
        case .keySteps, nil: false
        case .preferences(let method): method.layout != PreferenceMethod.dualChains
        }
    }

    /// Whether the stage learns from the teacher's corrections of wrong attempts, which it has to wait for.
    public var needsCorrections: Bool {
        switch method {
        case .supervised(let method): method.sources.contains { $0.kind == "teacherSteps" }
        case .keySteps, nil: false
        case .preferences: needsRollout
        }
    }

    /// Whether the stage learns from dual pairs, so that ``StageData/pairs`` and ``StageData/mistakes`` mean something.
    var usesDualPairs: Bool {
        switch method {
        case .supervised(let method): method.sources.contains { ExampleSource.ofDualPairs.contains($0.kind) }
        case .keySteps: true
        case .preferences(let method):
            method.layout == PreferenceMethod.dualChains
                || (method.mix ?? []).contains { ExampleSource.ofDualPairs.contains($0.kind) }
        case nil: false
        }
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.identifier(name, "\(field).name")
        try check.require(!name.contains("/"), "\(field).name", "must not hold '/'")
        try check.require(
            !Self.reservedNames.contains(name),
            "\(field).name",
            "is '\(name)', which names \(name == Self.initial ? "the untrained student" : "a model of the run"); choose another"
        )
        let methods = [supervised != nil, keySteps != nil, preferences != nil].count { $0 }
        try check.require(
            methods == 1,
            field,
            methods == 0
                ? "has no method; give one of supervised, keySteps, preferences"
                : "has \(methods) methods; give one of supervised, keySteps, preferences"
        )
        try supervised?.validate(check, "\(field).supervised")
        try keySteps?.validate(check, "\(field).keySteps")
        try preferences?.validate(check, "\(field).preferences")
        try check.word(answers, of: ["chain", "template"], "\(field).answers")
        try data?.validate(check, "\(field).data", usesDualPairs: usesDualPairs)
        try start?.validate(check, "\(field).start")
        try check.require(
            start?.examples != nil || needsRollout || tokensOf != nil,
            "\(field).start.examples",
            "is missing; say with how many examples the stage starts"
        )
        try training?.validate(check, "\(field).training")
        try check.names(tokensOf, "\(field).tokensOf")
        try check.require(
            tokensOf == nil || (training?.maximumTokens == nil && training?.maximumSteps == nil),
            "\(field).tokensOf",
            "says how long it trains; leave out training.maximumTokens and training.maximumSteps"
        )
        try check.atLeast(lastRound, 1, "\(field).lastRound")
        try check.identifier(engine, "\(field).engine")
        try validateUnread(check, field)
        if engine != nil { try validateForEngine(check, field) }
    }
}

/// What a stage learns from.
///
/// What is not there has the default.
public struct StageData: Sendable, Hashable, Codable {
    /// The datasets of its problems; the run's when it is not there.
    public var datasets: [String]?
    /// The families of problems, as in ``ProblemEvent/family``; all when it is not there.
    public var families: [String]?
    /// The most problems, the first in order of id; all when it is not there.
    public var limit: Int?
    /// The dual pairs to learn from: `all`, or only those that were `corrupted` or `rectified` (D_dual, D+_dual and D-_dual
    /// of EDIT).
    public var pairs: String?
    /// The patterns of mistakes whose dual pairs are learned from, as in ``DualBody/mistake``; all when not there.
    public var mistakes: [String]?
    /// Whether no more pairs are taken than the rarest of `logical`, `knowledge` and `calculation` has, so that runs on
    /// different ``mistakes`` learn from equally many (EDIT, Table 7).
    public var equalMistakes: Bool?

    /// The patterns that ``mistakes`` can hold.
    static let mistakePatterns = [
        "logical", "knowledge", "calculation", "logical+knowledge", "logical+calculation", "knowledge+calculation",
        "logical+knowledge+calculation", "other",
    ]

    /// Makes a choice of data.
    public init(
        datasets: [String]? = nil,
        families: [String]? = nil,
        limit: Int? = nil,
        pairs: String? = nil,
        mistakes: [String]? = nil,
        equalMistakes: Bool? = nil
    ) {
        self.datasets = datasets
        self.families = families
        self.limit = limit
        self.pairs = pairs
        self.mistakes = mistakes
        self.equalMistakes = equalMistakes
    }

    /// How the pairs came to be; nil for either way.
    public var pairMethod: DualBody.Method? { pairs.flatMap { DualBody.Method(rawValue: $0) } }

    func validate(_ check: Validation, _ field: String, usesDualPairs: Bool) throws {
        try check.names(datasets, "\(field).datasets")
        for (index, dataset) in (datasets ?? []).enumerated() {
            try check.identifier(dataset, "\(field).datasets[\(index)]")
        }
        try check.names(families, "\(field).families")
        try check.atLeast(limit, 1, "\(field).limit")
        for (name, isThere) in [
            ("pairs", pairs != nil), ("mistakes", mistakes != nil), ("equalMistakes", equalMistakes != nil),
        ] {
            try check.require(
                !isThere || usesDualPairs,
                "\(field).\(name)",
                "chooses among dual pairs, which the stage does not learn from; leave it out"
            )
        }
        try check.word(pairs, of: ["all"] + DualBody.Method.allCases.map(\.rawValue).sorted(), "\(field).pairs")
        try check.names(mistakes, "\(field).mistakes")
        for (index, mistake) in (mistakes ?? []).enumerated() {
            try check.word(mistake, of: Self.mistakePatterns, "\(field).mistakes[\(index)]")
        }
    }
}

/// When a stage has enough to start.
public struct StageStart: Sendable, Hashable, Codable {
    /// The examples that it waits for: verified templates, chains, pairs, attempts or corrections, whatever it learns from.
    ///
    /// A stage on roll-outs waits for all that they yield when it is not there. In later rounds what started the round is
    /// enough.
    public var examples: Int?
    /// The longest that it waits for them once its parent is there, in seconds; 3,600 when it is not there.
    ///
    /// Then it starts with what there is, and fails where there is nothing.
    public var waitSeconds: Double?

    /// Makes thresholds.
    public init(examples: Int? = nil, waitSeconds: Double? = nil) {
        self.examples = examples
        self.waitSeconds = waitSeconds
    }

    /// The default of ``waitSeconds``.
    public static let defaultWait = 3_600.0

    func validate(_ check: Validation, _ field: String) throws {
        try check.atLeast(examples, 1, "\(field).examples")
        try check.range(waitSeconds, 0...31_536_000, "\(field).waitSeconds")
    }
}
