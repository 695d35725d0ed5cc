/// A checked attempt: its steps, the first wrong one with cause and correction, and the right answer.
public struct CorrectionTrace: Sendable, Hashable, Codable {
    /// The longest text that is read, in bytes.
    public static let maximumLength = 1 << 16

    /// The attempt's steps as they were, in order.
    public var steps: [String]
    /// The index of the first wrong step, from 0; nil where none is.
    public var firstWrongStep: Int?
    /// Why that step is wrong.
    public var cause: String?
    /// What it should have been.
    public var correction: String?
    /// The right answer.
    public var answer: String

    /// Makes a trace.
    public init(steps: [String], firstWrongStep: Int?, cause: String?, correction: String?, answer: String) {
        self.steps = steps
        self.firstWrongStep = firstWrongStep
        self.cause = cause
        self.correction = correction
        self.answer = answer
    }

    /// The trace in its canonical form, one element a line.
    public var xml: String {
        var lines = steps.enumerated().map { index, step in
            var inner = TagScanner.escape(step)
            if index == firstWrongStep {
                if let cause { inner += "<Cause>\(TagScanner.escape(cause))</Cause>" }
                if let correction { inner += "<Correction>\(TagScanner.escape(correction))</Correction>" }
            }
            return "<Step\(index + 1)>\(inner)</Step\(index + 1)>"
        }
        lines.append("<Answer>\(TagScanner.escape(answer))</Answer>")
        return lines.joined(separator: "\n")
    }

    /// Reads a trace with the tolerance of ``ThoughtTemplate/parse(_:)``.
    ///
    /// The first step that holds a cause or a correction is the first wrong one.
    ///
    /// - Throws: ``ReasoningError`` where there is no step, no answer, or too much: of text or of steps (64).
    public static func parse(_ text: String) throws -> CorrectionTrace {
        guard text.utf8.count <= maximumLength else {
            throw ReasoningError(.tooLong, "the correction has more than \(maximumLength) bytes")
        }
        let tree = TaggedSteps(text)
        guard !tree.isCut else {
            throw ReasoningError(.tooLong, "the correction has more than \(TaggedSteps.maximumSteps) steps")
        }
        guard !tree.steps.isEmpty else {
            throw ReasoningError(.malformedCorrection, "there is no <Step1> element")
        }
        guard let answer = tree.answer else {
            throw ReasoningError(.malformedCorrection, "there is no <Answer> element")
        }
        let wrong = tree.steps.firstIndex { $0.cause != nil || $0.correction != nil }
        return CorrectionTrace(
            steps: tree.steps.map(\.text),
            firstWrongStep: wrong,
            cause: wrong.flatMap { tree.steps[$0].cause },
            correction: wrong.flatMap { tree.steps[$0].correction },
            answer: answer
        )
    }

    /// What is wrong with the trace for a gold answer and an attempt; nil when it may be used.
    public func failure(gold: String, attempt: [String]) -> String? {
        guard AnswerEquivalence.equivalent(gold: gold, predicted: answer) else {
            return "the answer \(answer) is not \(gold)"
        }
        guard let firstWrongStep else { return "no step is named as wrong" }
        guard attempt.indices.contains(firstWrongStep) else {
            return "step \(firstWrongStep + 1) is not a step of the attempt"
        }
        guard let cause, !cause.isEmpty else { return "step \(firstWrongStep + 1) has no cause" }
        guard let correction, !correction.isEmpty else { return "step \(firstWrongStep + 1) has no correction" }
        for calculation in WorkedSolution.calculations(in: correction) where calculation.isCorrect == false {
            return "the correction's \(calculation.expression) is not \(calculation.value)"
        }
        if LeakFilter.mentionsReference(cause + " " + correction) { return "the text mentions a reference solution" }
        return nil
    }
}
