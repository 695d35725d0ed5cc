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

    /// Reads a template as models write them.
    ///
    /// Read are tags in any case and spelling, with attributes or titles, unclosed, closed by another tag or without
    /// a slash, in angle or square brackets or escaped; headings and labels in place of tags (`### Step 1`,
    /// `**Key:** …`); an announced or boxed answer behind the steps in place of the answer's element. A reasoning
    /// model's thoughts, calculator marks, unknown tags, fences and text outside are dropped, and of an answer in
    /// a sentence, an equation, bold or a box the bare value is kept. Where a template is written anew behind its
    /// answer, the last whole one counts.
    ///
    /// Linear in the text's length. Texts come back without the blanks around them; apart from which, and for a bare
    /// answer, `parse(template.xml)` is the template.
    ///
    /// - Throws: ``ReasoningError`` where there is no step, an empty one, no answer, steps out of order, or too much: of
    ///   text, of steps (64) or of a step's key notes (16).
    public static func parse(_ text: String) throws -> ThoughtTemplate {
        let said = Thoughts.split(text)
        guard said.answer.utf8.count <= maximumLength else {
            throw ReasoningError(.tooLong, "the template has more than \(maximumLength) bytes")
        }
        let tree = TaggedSteps(said.answer, reading: .anyForm)
        guard !tree.isCut else {
            throw ReasoningError(
                .tooLong,
                "the template has more than \(TaggedSteps.maximumSteps) steps, or a step more than "
                    + "\(TaggedSteps.maximumKeys) key notes"
            )
        }
        let steps = try readSteps(tree, endsInThoughts: said.endsInThoughts)
        guard let answer = tree.finalAnswer else {
            throw ReasoningError(.malformedTemplate, "there is no <Answer> element", kind: .noAnswer)
        }
        return ThoughtTemplate(steps: steps, generalization: tree.generalization ?? "", answer: answer)
    }

    private static func readSteps(_ tree: TaggedSteps, endsInThoughts: Bool) throws -> [TemplateStep] {
        let steps = tree.wholeSteps
        guard !steps.isEmpty else {
            if endsInThoughts {
                throw ReasoningError(.malformedTemplate, "the text ends within the model's thoughts", kind: .cut)
            }
            throw ReasoningError(.malformedTemplate, "there is no <Step1> element", kind: .noSteps)
        }
        if let empty = steps.firstIndex(where: { $0.text.isEmpty }) {
            throw ReasoningError(.malformedTemplate, "<Step\(steps[empty].number ?? empty + 1)> holds no text")
        }
        if let fault = tree.orderFault(of: steps) { throw ReasoningError(.malformedTemplate, fault) }
        return steps.map { TemplateStep(text: $0.text, keyNotes: $0.keys) }
    }

    /// Why the template is not used for a gold answer; nil when it may be used.
    ///
    /// Checked: the answer, the arithmetic of every step, a generalisation, and no mention of a reference solution.
    ///
    /// A template without a key note is used: the extraction prompt, as SuperCorrect's, asks for one only where a step
    /// is challenging, so that a problem of easy steps has none. The generalisation is asked for without condition, and
    /// without both a text would be a chain of thought in tags.
    public func failure(gold: String, grader: Grader = Grader()) -> Refusal? {
        guard grader.isCorrect(gold: gold, predicted: answer) else {
            return Refusal(.wrongAnswer, "the answer \(answer.prefix(200)) is not \(gold.prefix(200))")
        }
        for (index, step) in steps.enumerated() {
            for calculation in WorkedSolution.calculations(in: step.text) where calculation.isCorrect == false {
                return Refusal(
                    .arithmetic,
                    "step \(index + 1): \(calculation.expression) is not \(calculation.value)"
                )
            }
        }
        if generalization.isEmpty { return Refusal(.noGeneralization, "there is no generalisation") }
        if LeakFilter.mentionsReference(xml) { return Refusal(.leak, "the text mentions a reference solution") }
        return nil
    }
}
