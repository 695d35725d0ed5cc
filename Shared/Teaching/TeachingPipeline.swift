public import Reasoning
public import Schemas

/// What a teacher is asked about problems and wrong attempts, in order: the part of both methods that needs a teacher.
///
/// Of a problem: a chain of thought, rectified by answer hint where it is wrong (EDIT, steps 1 and 2a), a dual pair (2b),
/// and a thought template that an inspector accepted (SuperCorrect, steps 2 and 3). Of a wrong attempt: the correction of
/// its first wrong step (steps 7 and 9). Every answer is verified here; what is not verified is told with its reason.
public struct TeachingPipeline: Sendable {
    private let work: TeacherWork
    private let demonstrations: any DemonstrationSource

    /// Creates a pipeline that asks through `ledger` and takes CCP's examples from `demonstrations`, or from
    /// the ledger's prompt library where no source is given.
    public init(
        ledger: any TeacherLedger,
        options: TeachingOptions = TeachingOptions(),
        demonstrations: (any DemonstrationSource)? = nil
    ) {
        work = TeacherWork(ledger: ledger, options: options)
        self.demonstrations = demonstrations ?? LibraryDemonstrations(ledger.prompts)
    }

    /// A problem's traces: the chain, the template with the inspector's verdicts, the dual pair.
    ///
    /// - Throws: ``TeacherError`` when the teacher gives no answer at all; the work is then done again as a whole, and
    ///   the ledger recalls what was answered.
    public func traces(of problem: ProblemEvent) async throws -> [TraceEvent] {
        try await teach(problem, parts: .all).traces
    }

    /// The same, after ``chains(of:)``.
    public func traces(of problem: ProblemEvent, after chains: ProblemChains) async throws -> [TraceEvent] {
        try await teach(problem, parts: .all, after: chains).traces
    }

    /// Some of a problem's traces, and what else was asked for on the way to them.
    ///
    /// A pair is made of a chain, and a template of a problem without a solution too: the chain is asked for with them, and
    /// is then among the traces.
    ///
    /// - Parameters:
    ///   - problem: The problem.
    ///   - parts: What is wanted.
    ///   - taught: What was asked for before; it is not told again.
    ///   - pair: The pair that was made before, where only the kind of its mistake is wanted.
    ///   - asked: The chains, where they were asked for already.
    /// - Returns: The new traces, the old pair with its mistake told among them, and all that has been asked for now.
    /// - Throws: As ``traces(of:)``.
    public func teach(
        _ problem: ProblemEvent,
        parts: Set<TeachingPart>,
        taught: Set<TeachingPart> = [],
        pair: TraceEvent? = nil,
        after asked: ProblemChains? = nil
    ) async throws -> (traces: [TraceEvent], taught: Set<TeachingPart>) {
        let wanted = parts.subtracting(taught)
        var traces: [TraceEvent] = []
        var done = taught.union(wanted)
        var chains = asked
        let needsReference = wanted.contains(.templates) && problem.solution == nil
        if needsReference || !wanted.isDisjoint(with: [.chains, .duals]) {
            let given: ProblemChains
            if let asked { given = asked } else { given = try await self.chains(of: problem) }
            if done.insert(.chains).inserted || wanted.contains(.chains) {
                traces.append(try ChainStage(work: work).trace(given.chain, problem: problem))
            }
            chains = given
        }
        var duals: [TraceEvent] = []
        var rightChain = chains?.rightChain
        if wanted.contains(.duals), let chains {
            let stage = DualStage(work: work.classifying(wanted.contains(.mistakes)), demonstrations: demonstrations)
            let dual = try await stage.pair(problem, chains: chains)
            rightChain = dual.rightChain
            duals.append(try stage.trace(dual, problem: problem))
        } else if wanted.contains(.mistakes), let pair {
            let stage = DualStage(work: work, demonstrations: demonstrations)
            if let told = try await stage.classified(pair, problem: problem) { duals.append(told) }
        }
        if wanted.contains(.templates) {
            traces += try await TemplateStage(work: work).traces(problem, reference: problem.solution ?? rightChain)
        }
        return (traces + duals, done)
    }

    /// The chains that a teacher gives for a problem before any is corrupted: its own and, where that is wrong, a rectified
    /// one.
    ///
    /// Done for all problems before ``traces(of:after:)``, it lets the corruption's examples be drawn from the
    /// rectified pairs.
    public func chains(of problem: ProblemEvent) async throws -> ProblemChains {
        let stage = ChainStage(work: work)
        let chain = try await stage.chain(problem)
        guard chain.failure != nil else { return ProblemChains(chain: chain) }
        return ProblemChains(
            chain: chain,
            rectified: try await stage.rectified(problem, wrong: chain.isWrong ? chain.text : "")
        )
    }

    /// Asks for the answer of a problem that has none, until so many samples agree as a run asks for.
    ///
    /// - Throws: As ``traces(of:)``.
    public func agreement(on problem: ProblemEvent, _ agreement: RunAgreement) async throws -> ProblemAgreement {
        try await AgreementStage(work: work).vote(problem, agreement: agreement)
    }

    /// A wrong attempt's traces: the correction first, then the inspector's verdicts by round.
    public func traces(of attempt: AttemptEvent, problem: ProblemEvent) async throws -> [TraceEvent] {
        try await CorrectionStage(work: work).traces(attempt, problem: problem)
    }
}

/// The chains that a teacher gave for a problem before any was corrupted.
public struct ProblemChains: Sendable {
    let chain: ChainStage.Outcome
    /// A right chain with the answer as a hint, where the first one is not right.
    var rectified: ChainStage.Outcome?

    /// The first right chain, the teacher's own or the rectified one.
    public var rightChain: String? {
        if chain.failure == nil { return chain.text }
        return rectified.flatMap { $0.failure == nil ? $0.text : nil }
    }

    /// The wrong chain and the right one that came of it, as an example for the corruption of other problems' chains;
    /// nil where the first chain is right or none came of it.
    public func demonstration(of problem: ProblemEvent) -> CorruptionDemonstration? {
        guard chain.isWrong, let rectified, rectified.failure == nil else { return nil }
        return CorruptionDemonstration(question: problem.question, right: rectified.text, wrong: chain.text)
    }
}
