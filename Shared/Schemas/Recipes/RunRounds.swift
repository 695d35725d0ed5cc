/// How a run goes on while problems stream in.
///
/// A round trains all stages once; it ends with the gate's verdict on its candidate. The next one starts when one of the
/// conditions holds; without any it is started by hand (`errata runs round`).
public struct RunRounds: Sendable, Hashable, Codable {
    /// The next round starts when so many training problems have been taught that the last round did not learn from, and
    /// something came of them.
    public var newProblems: Int?
    /// The next round starts so many seconds after the last one's verdict, if there is a new problem.
    public var afterSeconds: Double?
    /// The round after which the run ends; it goes on until it is cancelled when it is not there.
    public var maximum: Int?
    /// What stages whose parent is `initial` start from in later rounds: `champion` (the default) or `initial`.
    public var from: String?
    /// What a later round learns from: `all` (the default), `new` problems alone, or `replay`, the new ones and a share of
    /// the old; likewise of the attempts of a parent that it has in common with earlier rounds.
    public var data: String?
    /// The share of the old problems that `replay` adds, drawn by the run's seed; 0.25 when it is not there.
    public var replayShare: Double?

    /// The default of ``replayShare``.
    public static let defaultReplayShare = 0.25

    /// Makes rounds.
    public init(
        newProblems: Int? = nil,
        afterSeconds: Double? = nil,
        maximum: Int? = nil,
        from: String? = nil,
        data: String? = nil,
        replayShare: Double? = nil
    ) {
        self.newProblems = newProblems
        self.afterSeconds = afterSeconds
        self.maximum = maximum
        self.from = from
        self.data = data
        self.replayShare = replayShare
    }

    /// Whether a later round learns from what is new to it, and from what earlier ones learned from in a share at most.
    public var learnsFromNew: Bool { data.map { $0 != "all" } ?? false }

    func validate(_ check: Validation, _ field: String) throws {
        try check.atLeast(newProblems, 1, "\(field).newProblems")
        try check.range(afterSeconds, 0...31_536_000, "\(field).afterSeconds")
        try check.atLeast(maximum, 1, "\(field).maximum")
        try check.word(from, of: [RunStage.champion, RunStage.initial], "\(field).from")
        try check.word(data, of: ["all", "new", "replay"], "\(field).data")
        try check.range(replayShare, 0...1, "\(field).replayShare")
        try check.require(
            replayShare == nil || data == "replay",
            "\(field).replayShare",
            "is read where data is 'replay'; leave it out"
        )
    }
}

/// Which student is the best one now: a paired test of each candidate against the champion.
///
/// The champion is at first the untrained student. With k candidates judged so far, this one included, a difference counts
/// when the exact McNemar test's p is at most `level / (k (k + 1))`: over any number of looks these sum to at most `level`.
public struct RunGate: Sendable, Hashable, Codable {
    /// The suite that decides.
    public var suite: String
    /// The stage whose checkpoint is the candidate; the last stage when it is not there.
    public var stage: String?
    /// The least gain for which a candidate is promoted, as a share of the suite's problems; 0 when it is not there.
    public var leastGain: Double?
    /// The error level over all looks; 0.05 when it is not there.
    public var level: Double?
    /// Suites on which a candidate must not be worse, by the same test; none when it is not there.
    public var mustNotFall: [String]?

    /// The default of ``level``.
    public static let defaultLevel = 0.05

    /// Makes a gate.
    public init(
        suite: String,
        stage: String? = nil,
        leastGain: Double? = nil,
        level: Double? = nil,
        mustNotFall: [String]? = nil
    ) {
        self.suite = suite
        self.stage = stage
        self.leastGain = leastGain
        self.level = level
        self.mustNotFall = mustNotFall
    }

    /// The suites that a verdict needs the candidate's and the champion's scores on.
    public var suites: [String] { [suite] + (mustNotFall ?? []) }

    /// The p value that a difference may have at most to count at a look.
    public func level(atLook look: Int) -> Double {
        (level ?? Self.defaultLevel) / Double(look * (look + 1))
    }

    func validate(_ check: Validation, _ field: String, run: RunEvent) throws {
        let suites = run.suites.map(\.name)
        try check.require(
            suites.contains(suite),
            "\(field).suite",
            "is '\(suite)', which is no suite of the run; its suites are \(Validation.list(suites))"
        )
        if mustNotFall?.isEmpty == false { try check.names(mustNotFall, "\(field).mustNotFall") }
        for (index, name) in (mustNotFall ?? []).enumerated() {
            try check.require(
                suites.contains(name) && name != suite,
                "\(field).mustNotFall[\(index)]",
                "is '\(name)', which is no other suite of the run; its suites are \(Validation.list(suites))"
            )
        }
        let stages = run.stages.map(\.name)
        if let stage {
            try check.require(
                stages.contains(stage),
                "\(field).stage",
                "is '\(stage)', which is no stage of the run; its stages are \(Validation.list(stages))"
            )
        }
        for (index, suite) in run.suites.enumerated() where self.suites.contains(suite.name) {
            let candidate = run.candidateStage ?? ""
            try check.require(
                suite.scores(RunStage.initial) && suite.scores(candidate),
                "suites[\(index)].stages",
                "must hold '\(RunStage.initial)' and '\(candidate)', which the gate compares on this suite"
            )
            try check.require(
                (suite.shots ?? 0) == 0,
                "suites[\(index)].shots",
                "must not be there for a suite that the gate compares on: trained students are asked without examples"
            )
        }
        try check.range(leastGain, 0...1, "\(field).leastGain")
        try check.require(level.map { $0 > 0 && $0 < 1 } ?? true, "\(field).level", "must lie between 0 and 1")
    }
}

/// How a run's student is asked.
public struct RunPrompt: Sendable, Hashable, Codable {
    /// The form: `short` (the default: a few marks around the question, for students that are made from nothing), `text`
    /// (instructions and question as plain text) or `chat` (by the student's own chat template).
    public var style: String?
    /// The system message of `chat`, or the first lines of `text`, in place of the built-in instructions of chains and
    /// templates.
    public var system: String?
    /// What the untrained student is asked for: `chain` or `template`; what the first stage teaches when it is not there.
    public var answers: String?

    /// Makes a prompt.
    public init(style: String? = nil, system: String? = nil, answers: String? = nil) {
        self.style = style
        self.system = system
        self.answers = answers
    }

    func validate(_ check: Validation, _ field: String) throws {
        try check.word(style, of: ["short", "text", "chat"], "\(field).style")
        try check.notBlank(system, "\(field).system")
        try check.require(
            system == nil || (style ?? "short") != "short",
            "\(field).system",
            "is not read in the style 'short'; choose text or chat, or leave it out"
        )
        try check.word(answers, of: ["chain", "template"], "\(field).answers")
    }
}
