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

    /// The first wrong step as a teacher names it: quoted under its number, with cause and correction; then the answer.
    ///
    /// Of an attempt in which no step is wrong, the answer alone.
    public var quoted: String {
        var lines: [String] = []
        if let index = firstWrongStep, steps.indices.contains(index) {
            var inner = TagScanner.escape(steps[index])
            if let cause { inner += "<Cause>\(TagScanner.escape(cause))</Cause>" }
            if let correction { inner += "<Correction>\(TagScanner.escape(correction))</Correction>" }
            lines.append("<Step\(index + 1)>\(inner)</Step\(index + 1)>")
        }
        lines.append("<Answer>\(TagScanner.escape(answer))</Answer>")
        return lines.joined(separator: "\n")
    }

    /// Reads a trace that repeats all steps, with the tolerance of ``ThoughtTemplate/parse(_:)``.
    ///
    /// The first step that holds a cause or a correction is the first wrong one. Whether the steps are those of an attempt
    /// is not looked at: see ``CorrectionReading``.
    ///
    /// - Throws: ``ReasoningError`` where there is no step, no answer, or too much: of text or of steps (64).
    public static func parse(_ text: String) throws -> CorrectionTrace {
        let tree = try tree(of: text)
        guard !tree.steps.isEmpty else {
            throw ReasoningError(.malformedCorrection, "there is no <Step1> element", kind: .noSteps)
        }
        guard let answer = tree.finalAnswer else {
            throw ReasoningError(.malformedCorrection, "there is no <Answer> element", kind: .noAnswer)
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

    static func tree(of text: String) throws -> TaggedSteps {
        let said = Thoughts.split(text)
        guard said.answer.utf8.count <= maximumLength else {
            throw ReasoningError(.tooLong, "the correction has more than \(maximumLength) bytes")
        }
        let tree = TaggedSteps(said.answer, reading: .anyForm)
        guard !tree.isCut else {
            throw ReasoningError(.tooLong, "the correction has more than \(TaggedSteps.maximumSteps) steps")
        }
        if said.endsInThoughts, tree.steps.isEmpty {
            throw ReasoningError(.malformedCorrection, "the text ends within the model's thoughts", kind: .cut)
        }
        return tree
    }

    /// Why the trace is not used for a gold answer and an attempt; nil when it may be used.
    public func failure(gold: String, attempt: [String], grader: Grader = Grader()) -> Refusal? {
        guard grader.isCorrect(gold: gold, predicted: answer) else {
            return Refusal(.wrongAnswer, "the answer \(answer.prefix(200)) is not \(gold.prefix(200))")
        }
        guard let firstWrongStep else { return Refusal(.noWrongStep, "no step is named as wrong") }
        let place = "step \(firstWrongStep + 1)"
        guard attempt.indices.contains(firstWrongStep) else {
            return Refusal(.unmatchedStep, "\(place) is not a step of the attempt")
        }
        guard let cause, !cause.isEmpty else { return Refusal(.noCause, "\(place) has no cause") }
        guard let correction, !correction.isEmpty else { return Refusal(.noCorrection, "\(place) has no correction") }
        for calculation in WorkedSolution.calculations(in: correction) where calculation.isCorrect == false {
            return Refusal(.arithmetic, "the correction's \(calculation.expression) is not \(calculation.value)")
        }
        if LeakFilter.mentionsReference(cause + " " + correction) {
            return Refusal(.leak, "the text mentions a reference solution")
        }
        return nil
    }
}
