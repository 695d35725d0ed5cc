public import Reasoning
public import Schemas

/// A verdict on a stored trace, as it is and as it would be now.
public struct TraceVerdict: Sendable, Hashable {
    /// What is said of the trace.
    public enum Subject: String, Sendable, Hashable {
        /// Whether a chain's answer is the gold one.
        case correct
        /// Whether the trace passes the checks of its text; an inspector is not asked again.
        case verified
    }

    /// What is said.
    public var subject: Subject
    /// The answer that was compared; of a dual pair the wrong chain's, or the right one's where that is at fault.
    public var answer: String?
    /// What the trace says.
    public var was: Bool
    /// What the grader says.
    public var now: Bool
    /// By what the grader compared the answers; nil without an answer.
    public var rule: GradingRule?
    /// Why the trace does not pass, where it does not now.
    public var reason: String?
}

/// The verdicts on stored traces, made again by the code that makes them when the teacher answers.
public enum TraceGrading {
    /// The verdicts on a trace; none where there is nothing to grade, or where it was refused by an inspector or for a reason
    /// that its text does not show.
    ///
    /// Arguments:
    ///   - problem: the problem that the trace is about.
    ///   - grader: what compares the answers.
    public static func verdicts(
        on trace: TraceEvent,
        of problem: ProblemEvent,
        grader: Grader = Grader()
    ) -> [TraceVerdict] {
        switch trace.body {
        case .chainOfThought(let body): chain(body, trace, problem, grader)
        case .dual(let body): dual(body, trace, problem, grader)
        case .template(let body): template(body, trace, problem, grader)
        case .correction(let body): correction(body, trace, problem, grader)
        case .inspectorVerdict: []
        }
    }

    private static func chain(
        _ body: ChainOfThoughtBody,
        _ trace: TraceEvent,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> [TraceVerdict] {
        guard !body.text.isEmpty else { return [] }
        let chain = ChainStage.graded(body.text, gold: problem.answer, grader: grader)
        return [
            TraceVerdict(
                subject: .correct,
                answer: chain.answer,
                was: body.correct,
                now: chain.isCorrect,
                rule: chain.rule,
                reason: nil
            ),
            TraceVerdict(
                subject: .verified,
                answer: chain.answer,
                was: trace.verified,
                now: chain.failure == nil,
                rule: chain.rule,
                reason: chain.failure?.message
            ),
        ]
    }

    /// A pair stands where the right chain is right and the wrong one is wrong.
    private static func dual(
        _ body: DualBody,
        _ trace: TraceEvent,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> [TraceVerdict] {
        guard !body.right.isEmpty, !body.wrong.isEmpty else { return [] }
        let right = ChainStage.graded(body.right, gold: problem.answer, grader: grader)
        var answer = right.answer
        var failure = right.failure
        if failure == nil {
            switch body.method {
            case .rectified:
                let wrong = ChainStage.graded(body.wrong, gold: problem.answer, grader: grader)
                answer = wrong.answer
                if !wrong.isWrong { failure = Refusal(.notWrong, "the wrong chain is no chain to another answer") }
            case .corrupted:
                var again = body
                failure = DualStage.take(body.wrong, into: &again, problem: problem, grader: grader)
                answer = again.wrongAnswer
            }
        }
        return [verified(trace, answer: answer, failure: failure, problem, grader)]
    }

    private static func template(
        _ body: TemplateBody,
        _ trace: TraceEvent,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> [TraceVerdict] {
        guard !body.steps.isEmpty, !body.answer.isEmpty, isDecidedByText(trace) else { return [] }
        let failure = ThoughtTemplate(body).failure(gold: problem.answer, grader: grader)
        return [verified(trace, answer: body.answer, failure: failure, problem, grader)]
    }

    private static func correction(
        _ body: CorrectionBody,
        _ trace: TraceEvent,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> [TraceVerdict] {
        guard !body.steps.isEmpty, !body.answer.isEmpty, isDecidedByText(trace) else { return [] }
        let correction = CorrectionTrace(
            steps: body.steps,
            firstWrongStep: body.firstWrongStep,
            cause: body.cause.isEmpty ? nil : body.cause,
            correction: body.correction.isEmpty ? nil : body.correction,
            answer: body.answer
        )
        var failure = CorrectionReading.failure(of: correction, gold: problem.answer, grader: grader)
        // A verified correction without a step says that the steps may stand; no teacher was asked for it.
        if trace.verified, body.firstWrongStep == nil, failure?.kind == .noWrongStep { failure = nil }
        return [verified(trace, answer: body.answer, failure: failure, problem, grader)]
    }

    private static func verified(
        _ trace: TraceEvent,
        answer: String?,
        failure: Refusal?,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> TraceVerdict {
        TraceVerdict(
            subject: .verified,
            answer: answer,
            was: trace.verified,
            now: failure == nil,
            rule: answer.map { grader.verdict(gold: problem.answer, predicted: $0).rule },
            reason: failure?.message
        )
    }

    /// Whether the text of a template or a correction shows why it is verified or not: it was accepted, or refused by a check
    /// that is made of the text that is kept.
    private static func isDecidedByText(_ trace: TraceEvent) -> Bool {
        guard !trace.verified else { return true }
        guard let kind = trace.failureKind.flatMap(Refusal.Kind.init(rawValue:)) else { return false }
        return [
            Refusal.Kind.wrongAnswer, .arithmetic, .noGeneralization, .leak, .noWrongStep, .unmatchedStep, .noCause,
            .noCorrection,
        ].contains(kind)
    }
}
