/// How much of a thought template a student writes, and how: the styles that SuperCorrect's Table 8 compares.
public enum ResponseStyle: String, Sendable, Hashable, Codable, CaseIterable {
    /// The steps alone, as a chain of thought.
    case chain
    /// The steps, then the key notes.
    case chainWithNotes = "chain-with-notes"
    /// The steps, then the key notes and the general method.
    case chainWithMethod = "chain-with-method"
    /// Steps with their notes nested in them, the general method and the answer, marked by words.
    case templateText = "template-text"
    /// The same, marked by XML elements: SuperCorrect's form.
    case template

    /// The format whose prompt asks for the style.
    public var format: StudentFormat {
        switch self {
        case .chain, .chainWithNotes, .chainWithMethod: .chainOfThought
        case .templateText, .template: .hierarchicalThought
        }
    }

    /// A template as a student of this style writes it.
    public func response(_ template: ThoughtTemplate) -> String {
        let steps = template.steps.map(\.text).joined(separator: "\n")
        let notes = template.steps.flatMap(\.keyNotes).joined(separator: " ")
        let keys = notes.isEmpty ? "" : "\nKeys: \(notes)"
        let method = template.generalization.isEmpty ? "" : "\nIn general: \(template.generalization)"
        switch self {
        case .chain: return " \(steps)\n#### \(template.answer)"
        case .chainWithNotes: return " \(steps)\(keys)\n#### \(template.answer)"
        case .chainWithMethod: return " \(steps)\(keys)\(method)\n#### \(template.answer)"
        case .template: return StudentFormat.response(template: template)
        case .templateText:
            let lines = template.steps.enumerated().map { index, step in
                "Step \(index + 1): \(step.text)" + step.keyNotes.map { " Key: \($0)" }.joined()
            }
            return " " + lines.joined(separator: "\n") + method.replacing("In general:", with: "Generalized:")
                + "\nAnswer: \(template.answer)"
        }
    }
}
