/// One step of a thought template.
public struct TemplateStep: Sendable, Hashable, Codable {
    /// What is done.
    public var text: String
    /// Notes on what is hard about it; empty for easy steps.
    public var keyNotes: [String]

    /// Makes a step.
    public init(text: String, keyNotes: [String] = []) {
        self.text = text
        self.keyNotes = keyNotes
    }
}

/// SuperCorrect's hierarchical thought: steps with key notes nested in the hard ones, the general method, the answer.
public struct ThoughtTemplate: Sendable, Hashable, Codable {
    /// The longest text that is read, in bytes.
    public static let maximumLength = 1 << 16

    /// The steps in order.
    public var steps: [TemplateStep]
    /// The method in general.
    public var generalization: String
    /// The final answer.
    public var answer: String

    /// Makes a template.
    public init(steps: [TemplateStep], generalization: String, answer: String) {
        self.steps = steps
        self.generalization = generalization
        self.answer = answer
    }

    /// The template in its canonical form, one element a line.
    public var xml: String {
        var lines = steps.enumerated().map { index, step in
            let keys = step.keyNotes.map { "<Key>\(TagScanner.escape($0))</Key>" }.joined()
            return "<Step\(index + 1)>\(TagScanner.escape(step.text))\(keys)</Step\(index + 1)>"
        }
        if !generalization.isEmpty {
            lines.append("<Generalized>\(TagScanner.escape(generalization))</Generalized>")
        }
        lines.append("<Answer>\(TagScanner.escape(answer))</Answer>")
        return lines.joined(separator: "\n")
    }

    /// Reads a template as models write them: tags in any case, with blanks or colons, unclosed or closed without
    /// a slash; unknown tags and text outside are dropped.
    ///
    /// Linear in the text's length. Texts come back without the blanks around them, apart from which
    /// `parse(template.xml)` is the template.
    ///
    /// - Throws: ``ReasoningError`` where there is no step, an empty one, no answer, or too much: of text, of steps (64) or
    ///   of a step's key notes (16).
    public static func parse(_ text: String) throws -> ThoughtTemplate {
        guard text.utf8.count <= maximumLength else {
            throw ReasoningError(.tooLong, "the template has more than \(maximumLength) bytes")
        }
        let tree = TaggedSteps(text)
        guard !tree.isCut else {
            throw ReasoningError(
                .tooLong,
                "the template has more than \(TaggedSteps.maximumSteps) steps, or a step more than "
                    + "\(TaggedSteps.maximumKeys) key notes"
            )
        }
        guard !tree.steps.isEmpty else {
            throw ReasoningError(.malformedTemplate, "there is no <Step1> element")
        }
        if let empty = tree.steps.firstIndex(where: { $0.text.isEmpty }) {
            throw ReasoningError(.malformedTemplate, "<Step\(empty + 1)> holds no text")
        }
        guard let answer = tree.answer else {
            throw ReasoningError(.malformedTemplate, "there is no <Answer> element")
        }
        return ThoughtTemplate(
            steps: tree.steps.map { TemplateStep(text: $0.text, keyNotes: $0.keys) },
            generalization: tree.generalization ?? "",
            answer: answer
        )
    }

    /// What is wrong with the template for a gold answer; nil when it may be used.
    ///
    /// Checked: the answer, the arithmetic of every step, a key note somewhere, a generalisation, and no mention
    /// of a reference solution.
    public func failure(gold: String) -> String? {
        guard AnswerEquivalence.equivalent(gold: gold, predicted: answer) else {
            return "the answer \(answer) is not \(gold)"
        }
        for (index, step) in steps.enumerated() {
            for calculation in WorkedSolution.calculations(in: step.text) where calculation.isCorrect == false {
                return "step \(index + 1): \(calculation.expression) is not \(calculation.value)"
            }
        }
        if steps.allSatisfy({ $0.keyNotes.isEmpty }) { return "no step has a key note" }
        if generalization.isEmpty { return "there is no generalisation" }
        if LeakFilter.mentionsReference(xml) { return "the text mentions a reference solution" }
        return nil
    }
}
