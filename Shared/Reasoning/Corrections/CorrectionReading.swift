/// A teacher's correction, read against the attempt that it is about.
public struct CorrectionReading: Sendable, Hashable {
    /// The correction with the attempt's own steps; of a step that is none of the attempt's, no step.
    public var trace: CorrectionTrace
    /// Why the step that the teacher names is none of the attempt's, or not surely one; nil where it is one.
    public var unmatched: Refusal?

    /// Reads a correction that quotes the wrong step in an element with its number, cause and correction inside it, or
    /// repeats all steps so, as in SuperCorrect's appendix A; with the tolerance of ``ThoughtTemplate/parse(_:)``.
    ///
    /// The first step with a cause or a correction is found among the attempt's own steps by what it says: teachers merge,
    /// split and renumber steps, so that its number alone is not believed. Linear in the texts' lengths, but for the
    /// comparison of the one quote with every step.
    ///
    /// - Throws: ``ReasoningError`` where there is no answer, neither a step nor a cause, or too much text.
    public init(_ text: String, attempt: [String]) throws {
        let tree = try CorrectionTrace.tree(of: text)
        guard let answer = tree.finalAnswer else {
            throw ReasoningError(.malformedCorrection, "there is no <Answer> element", kind: .noAnswer)
        }
        trace = CorrectionTrace(steps: attempt, firstWrongStep: nil, cause: nil, correction: nil, answer: answer)
        guard let wrong = tree.steps.first(where: { $0.cause != nil || $0.correction != nil }) else {
            if tree.steps.isEmpty, text.lowercased().contains("<cause") {
                throw ReasoningError(.malformedCorrection, "the cause stands in no <StepN> element", kind: .noSteps)
            }
            return
        }
        trace.cause = wrong.cause.map(WorkedSolution.withoutMarks)
        trace.correction = wrong.correction.map(WorkedSolution.withoutMarks)
        switch StepMatch.find(wrong.text.isEmpty ? wrong.title : wrong.text, number: wrong.number, in: attempt) {
        case .success(let index): trace.firstWrongStep = index
        case .failure(let refusal): unmatched = refusal
        }
    }

    /// Why the correction is not used for a gold answer; nil when it may be used.
    public func failure(gold: String) -> Refusal? { Self.failure(of: trace, unmatched: unmatched, gold: gold) }

    /// The same of a correction that was read before, with the attempt's own steps.
    ///
    /// Arguments:
    ///   - unmatched: why the step that the teacher named is none of the attempt's; nil where it is one, or where that is not
    ///     known any more: then the missing step is the reason.
    public static func failure(
        of trace: CorrectionTrace,
        unmatched: Refusal? = nil,
        gold: String,
        grader: Grader = Grader()
    ) -> Refusal? {
        let failure = trace.failure(gold: gold, attempt: trace.steps, grader: grader)
        if failure?.kind == .wrongAnswer { return failure }
        if let failure = unmatched ?? failure { return failure }
        guard let index = trace.firstWrongStep, let correction = trace.correction,
            StepTokens(correction).tokens == StepTokens(trace.steps[index]).tokens
        else { return nil }
        return Refusal(.noCorrection, "the correction of step \(index + 1) says the wrong step again")
    }
}
