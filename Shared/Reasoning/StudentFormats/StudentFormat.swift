/// The layouts that a student is trained and asked in: as few tokens as possible around the content.
public enum StudentFormat: String, Sendable, Hashable, Codable, CaseIterable {
    /// `Q: …` / `A: …`, one step a line, `#### n` at the end.
    case chainOfThought = "chain-of-thought"
    /// The same question, answered with a thought template.
    case hierarchicalThought = "hierarchical-thought"
    /// The question and an attempt's steps, answered with cause, correction and answer.
    case correction

    /// The tags of responses: worth a token each in a student's vocabulary.
    public static let tags: [String] =
        ((1...8).map { "Step\($0)" } + ["Key", "Generalized", "Answer", "Cause", "Correction"])
        .flatMap { ["<\($0)>", "</\($0)>"] }

    /// A text as it stands between tags.
    public static func escaped(_ text: String) -> String { TagScanner.escape(text) }

    /// A response without the blank that it begins with: only the short prompts have it before them.
    public static func bare(_ response: String) -> String {
        response.hasPrefix(" ") ? String(response.dropFirst()) : response
    }

    /// The prompt for a question; nothing of the response.
    ///
    /// For ``correction`` see
    /// ``correctionPrompt(question:attempt:)``, which this calls with no attempt.
    public func prompt(question: String) -> String {
        switch self {
        case .chainOfThought: "Q: \(question)\nA:"
        case .hierarchicalThought: "Q: \(question)\nT:"
        case .correction: StudentFormat.correctionPrompt(question: question, attempt: [])
        }
    }

    /// The prompt that asks for the first wrong step of an attempt.
    public static func correctionPrompt(question: String, attempt: [String]) -> String {
        let steps = attempt.enumerated().map { "\n\($0.offset + 1). \($0.element)" }.joined()
        return "Q: \(question)\nS:\(steps)\nC:"
    }

    /// A chain of thought as the student writes it: calculator marks removed, the answer after `####`.
    public static func response(chain: WorkedSolution, answer: String) -> String {
        " " + chain.steps.map(\.text).joined(separator: "\n") + "\n#### \(answer)"
    }

    /// A chain of thought given as text, such as a teacher's reply or GSM8K's solution.
    public static func response(chain: String, answer: String) -> String {
        response(chain: WorkedSolution.parse(chain), answer: answer)
    }

    /// A thought template as the student writes it.
    public static func response(template: ThoughtTemplate) -> String { " " + template.xml }

    /// A correction as the student writes it: the number of the first wrong step, cause, correction, answer.
    public static func response(correction: CorrectionTrace) -> String {
        var text = ""
        if let step = correction.firstWrongStep {
            text += " \(step + 1)"
            text += "<Cause>\(TagScanner.escape(correction.cause ?? ""))</Cause>"
            text += "<Correction>\(TagScanner.escape(correction.correction ?? ""))</Correction>"
        }
        return text + "<Answer>\(TagScanner.escape(correction.answer))</Answer>"
    }

    /// Reads a student's correction of an attempt: the number of the first wrong step with cause and correction, or a
    /// whole trace in which they stand inside a step, as in the paper's appendix A; then the answer.
    ///
    /// A step that the attempt does not have is no step. Linear in the text's length.
    ///
    /// Arguments:
    ///   - isTruncated: whether the text was cut off. Then an answer that nothing stands behind is none, as of
    ///     ``AnswerExtraction/found(in:isTruncated:)``: `<Answer>12` may have been going to be 123.
    /// - Throws: ``ReasoningError`` where it has no answer or too much text.
    public static func parseCorrection(
        _ response: String,
        attempt: [String],
        isTruncated: Bool = false
    ) throws -> CorrectionTrace {
        guard response.utf8.count <= CorrectionTrace.maximumLength else {
            throw ReasoningError(.tooLong, "the correction has more than \(CorrectionTrace.maximumLength) bytes")
        }
        var response = response
        if isTruncated {
            let bytes = Array(response.utf8)
            response = String(decoding: bytes[..<AnswerExtraction.closedEnd(of: bytes)], as: UTF8.self)
        }
        let whole = TaggedSteps(response)
        // The elements of the short form stand inside one step, so that the shared parser reads them.
        let tree = whole.steps.isEmpty ? TaggedSteps("<Step1>" + response) : whole
        guard let answer = tree.answer else {
            throw ReasoningError(.malformedCorrection, "there is no <Answer> element")
        }
        let wrong = tree.steps.firstIndex { $0.cause != nil || $0.correction != nil }
        let named = whole.steps.isEmpty ? wrong.flatMap { _ in leadingNumber(response) }.map { $0 - 1 } : wrong
        return CorrectionTrace(
            steps: attempt,
            firstWrongStep: named.flatMap { attempt.indices.contains($0) ? $0 : nil },
            cause: wrong.flatMap { tree.steps[$0].cause },
            correction: wrong.flatMap { tree.steps[$0].correction },
            answer: answer
        )
    }

    /// The whole number that a text begins with, after blanks; nil where it has more than six digits.
    private static func leadingNumber(_ text: String) -> Int? {
        let digits = text.unicodeScalars.drop { $0.properties.isWhitespace }.prefix { ("0"..."9").contains($0) }
        return digits.prefix(7).count > 6 ? nil : Int(String(digits))
    }

    /// The steps of a student's output, for the correction prompt: lines of a chain or steps of a template.
    ///
    /// Reads at most 128 KiB and 64 steps of a template, 64 KiB and 200 lines of a chain; linear in what is read.
    public static func steps(of output: String) -> [String] {
        let tree = TaggedSteps(output)
        if !tree.steps.isEmpty { return tree.steps.map(\.text).filter { !$0.isEmpty } }
        return WorkedSolution.parse(output).steps.map(\.text)
    }
}
