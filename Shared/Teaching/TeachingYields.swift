public import Schemas

/// What came of the teacher's work, by stage: how much was asked for, how much of it passed every check, and what it
/// took.
///
/// A sum over traces in any order, each counted once by whoever adds it.
public struct TeachingYields: Sendable, Hashable, Codable {
    /// The yield of a stage.
    public struct Stage: Sendable, Hashable, Codable {
        /// Traces that were asked for.
        public var asked = 0
        /// Of them, those that passed every check.
        public var verified = 0
        /// Answers beyond the first that the verified and the refused ones took together.
        public var retries = 0

        /// Makes an empty yield.
        public init() {}

        /// The verified share, 0 to 1; nil where nothing was asked for.
        public var share: Double? { asked == 0 ? nil : Double(verified) / Double(asked) }

        fileprivate mutating func add(verified isVerified: Bool, retries more: Int = 0) {
            asked += 1
            if isVerified { verified += 1 }
            retries += max(0, more)
        }
    }

    /// The yield of a stage whose candidates an inspector judges.
    public struct Inspected: Sendable, Hashable, Codable {
        /// Candidates asked for and verified; retries are not told apart from the inspector's rounds.
        public var stage = Stage()
        /// The inspector's rounds on all candidates.
        public var rounds = 0
        /// Candidates by the number of rounds that they took, the refused ones included.
        public var byRounds: [Int: Int] = [:]

        /// Makes an empty yield.
        public init() {}

        fileprivate mutating func add(verified: Bool, rounds more: Int) {
            stage.add(verified: verified)
            rounds += more
            byRounds[more, default: 0] += 1
        }
    }

    /// First chains of thought; the verified ones are the right ones (EDIT's D+).
    public var chains = Stage()
    /// Of the chains that are not verified, those that reach an answer, which is wrong (EDIT's D-).
    public var wrongChains = 0
    /// Dual pairs of a wrong chain and its rectification: asked for where a chain is wrong, verified where the rectified
    /// chain reaches the gold answer (EDIT's D-+).
    public var rectified = Stage()
    /// Dual pairs of a right chain and its corruption, verified where that does not reach the gold answer (EDIT's D+-).
    public var corrupted = Stage()
    /// Verified dual pairs by the pattern of their mistake.
    public var mistakes: [String: Int] = [:]
    /// Of them, those whose pattern the teacher told.
    public var mistakesByTeacher = 0
    /// Thought templates.
    public var templates = Inspected()
    /// Of the verified templates, those without any key note, which teach less.
    public var templatesWithoutNotes = 0
    /// Corrections of wrong attempts.
    public var corrections = Inspected()
    /// Traces that are not verified, by their kind and the kind of their failure; those of before it was told are left out.
    public var refusals: [String: [String: Int]] = [:]
    /// Calls of the teacher for all of it, the inspector's included.
    public var calls = 0
    /// Tokens sent.
    public var promptTokens = 0
    /// Tokens received.
    public var completionTokens = 0

    /// The yields of no trace at all.
    public init() {}

    /// The yields of traces.
    public init(_ traces: some Sequence<TraceEvent>) {
        for trace in traces { add(trace) }
    }

    /// Adds a trace.
    ///
    /// A wrong chain counts as asked for rectification when it comes, and a pair as its outcome. Where a wrong chain
    /// could not be rectified and the pair was made by corrupting the reference, both stages count it.
    public mutating func add(_ trace: TraceEvent) {
        calls += trace.teacher.finishReason == "not-asked" ? 0 : trace.teacher.calls ?? 1
        promptTokens += trace.teacher.promptTokens
        completionTokens += trace.teacher.completionTokens
        if let kind = trace.failureKind { refusals[trace.kind.rawValue, default: [:]][kind, default: 0] += 1 }
        switch trace.body {
        case .chainOfThought(let body):
            chains.add(verified: trace.verified, retries: (trace.teacher.calls ?? 1) - 1)
            if !body.correct, body.answer != nil {
                wrongChains += 1
                rectified.asked += 1
            }
        case .dual(let body):
            let retries = max(0, (body.attempts ?? 1) - 1)
            switch body.method {
            case .rectified:
                if trace.verified { rectified.verified += 1 }
                rectified.retries += retries
            case .corrupted: corrupted.add(verified: trace.verified, retries: retries)
            }
            if trace.verified {
                mistakes[body.mistake ?? "other", default: 0] += 1
                if body.mistakeSource == .teacher { mistakesByTeacher += 1 }
            }
        case .template(let body):
            if trace.teacher.finishReason != "not-asked" {
                templates.add(verified: trace.verified, rounds: body.inspectorRounds ?? 0)
                if trace.verified, body.steps.allSatisfy(\.keyNotes.isEmpty) { templatesWithoutNotes += 1 }
            }
        case .correction(let body):
            if trace.teacher.finishReason != "not-asked" {
                corrections.add(verified: trace.verified, rounds: body.inspectorRounds ?? 0)
            }
        case .inspectorVerdict: break
        }
    }

    /// The yields as lines of a table: the stage, how many were asked for, how many are verified, and what it took.
    public var lines: [(stage: String, asked: Int, verified: Int, note: String)] {
        [
            ("chains of thought", chains.asked, chains.verified, "\(wrongChains) wrong, \(chains.retries) retries"),
            ("rectified chains", rectified.asked, rectified.verified, "\(rectified.retries) retries"),
            ("corrupted chains", corrupted.asked, corrupted.verified, "\(corrupted.retries) retries"),
            ("thought templates", templates.stage.asked, templates.stage.verified, Self.rounds(of: templates)),
            ("corrections", corrections.stage.asked, corrections.stage.verified, Self.rounds(of: corrections)),
        ]
    }

    private static func rounds(of inspected: Inspected) -> String {
        let counts = inspected.byRounds.sorted { $0.key < $1.key }.map { "\($0.value) in \($0.key)" }
        return counts.isEmpty ? "" : "inspector's rounds: " + counts.joined(separator: ", ")
    }

    /// The patterns of mistakes with their counts, the most frequent first.
    public var patterns: [(name: String, count: Int)] {
        mistakes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}
