import Reasoning
public import Schemas

/// Holds traces that were recorded elsewhere against the checks that a teacher's pass, without asking anyone.
public enum RecordedTraces {
    /// The prompt id in the provenance of a recorded trace.
    public static let promptID = "recorded"

    /// A recorded trace as one of Errata's, verified or with the reason why it is not.
    ///
    /// No inspector is asked: what it would find in a template or a correction was found where it was recorded, or not.
    /// The id follows from the problem and the recorded trace's id, so that a trace that comes twice is one.
    ///
    /// - Parameters:
    ///   - recorded: The trace as it was recorded.
    ///   - problem: Its problem.
    ///   - attempt: The attempt that a correction is about, where Errata knows it: its own steps are corrected, and the
    ///     trace belongs to its run.
    /// - Returns: The trace.
    public static func trace(
        _ recorded: RecordedTraceEvent,
        of problem: ProblemEvent,
        attempt: AttemptEvent? = nil
    ) -> TraceEvent {
        let (body, refusal) = checked(recorded, of: problem, attempt: attempt)
        return TraceEvent(
            id: DeterministicID.make(cause: problem.id, parts: promptID, recorded.id),
            problemId: problem.id,
            verified: refusal == nil,
            failure: refusal?.message,
            failureKind: refusal?.kind.rawValue,
            body: body,
            teacher: TeacherCall(
                model: recorded.model ?? promptID,
                promptId: promptID,
                promptVersion: "1",
                temperature: 0,
                promptTokens: 0,
                completionTokens: 0,
                latencyMs: 0,
                finishReason: promptID
            ),
            attemptId: attempt?.id,
            runId: attempt?.runId,
            grader: Grader().stamp
        )
    }

    private static func checked(
        _ recorded: RecordedTraceEvent,
        of problem: ProblemEvent,
        attempt: AttemptEvent?
    ) -> (TraceBody, Refusal?) {
        switch recorded.kind {
        case .chainOfThought, .inspectorVerdict: return chain(recorded.text ?? "", gold: problem.answer)
        case .dual: return pair(recorded, of: problem)
        case .template: return template(recorded, gold: problem.answer)
        case .correction: return correction(recorded.correction, gold: problem.answer, attempt: attempt)
        }
    }

    private static func chain(_ text: String, gold: String) -> (TraceBody, Refusal?) {
        let solution = WorkedSolution.parse(text)
        let isCorrect = solution.answer.map { AnswerEquivalence.equivalent(gold: gold, predicted: $0) } ?? false
        return (
            .chainOfThought(ChainOfThoughtBody(text: text, answer: solution.answer, correct: isCorrect)),
            ChainStage.failure(of: text, solution: solution, gold: gold)
        )
    }

    private static func pair(_ recorded: RecordedTraceEvent, of problem: ProblemEvent) -> (TraceBody, Refusal?) {
        let right = WorkedSolution.parse(recorded.right ?? "")
        var body = DualBody(
            right: recorded.right ?? "",
            wrong: recorded.wrong ?? "",
            rightAnswer: right.answer,
            wrongAnswer: AnswerExtraction.extract(recorded.wrong ?? ""),
            method: recorded.method ?? .corrupted
        )
        body.mistake = recorded.mistake ?? DualStage.mistake(right: body.right, wrong: body.wrong)
        body.mistakeSource = recorded.mistake == nil ? .numbers : .teacher
        let failure =
            ChainStage.failure(of: body.right, solution: right, gold: problem.answer)
            .map { Refusal($0.kind, "the right chain: \($0.message)") }
            ?? DualStage.failure(ofWrong: body, problem: problem)
        return (.dual(body), failure)
    }

    private static func template(_ recorded: RecordedTraceEvent, gold: String) -> (TraceBody, Refusal?) {
        do {
            let template = try recorded.template.map(ThoughtTemplate.init) ?? ThoughtTemplate.parse(recorded.text ?? "")
            return (.template(TemplateBody(template)), template.failure(gold: gold))
        } catch {
            return (.template(TemplateBody(steps: [], generalization: "", answer: "")), Refusal(error))
        }
    }

    private static func correction(
        _ recorded: CorrectionBody?,
        gold: String,
        attempt: AttemptEvent?
    ) -> (TraceBody, Refusal?) {
        var body = recorded ?? CorrectionBody(steps: [], firstWrongStep: nil, cause: "", correction: "", answer: "")
        guard let attempt else {
            return (.correction(body), CorrectionReading.failure(of: CorrectionTrace(body), gold: gold))
        }
        // The student's own steps are kept, whatever the recorded copy of them says.
        let own = StudentFormat.steps(of: attempt.output)
        let isSame = own == body.steps
        body.steps = own
        if let step = body.firstWrongStep, !own.indices.contains(step) { body.firstWrongStep = nil }
        guard isSame else {
            return (
                .correction(body),
                Refusal(.unmatchedStep, "the correction's steps are not those of the attempt \(attempt.id)")
            )
        }
        return (.correction(body), CorrectionReading.failure(of: CorrectionTrace(body), gold: gold))
    }
}

extension CorrectionTrace {
    fileprivate init(_ body: CorrectionBody) {
        self.init(
            steps: body.steps,
            firstWrongStep: body.firstWrongStep,
            cause: body.cause,
            correction: body.correction,
            answer: body.answer
        )
    }
}
