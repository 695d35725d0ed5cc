import Reasoning

/// Finds the first wrong step of an attempt by its numbers and operations, with no model of language.
///
/// ``StepKinds`` tells for each step whether the reference makes the same quantity of the question's numbers, and
/// ``FirstErrorModel`` which step then is most likely the first wrong one. A step that states a wrong value for its own
/// expression is wrong for certain, so that no later one is first.
public enum FirstWrongStep {
    /// The longest attempt that is looked at, in steps.
    public static let maximumSteps = 200

    /// The index, from 0, of the step that is most likely the first wrong one; nil where there is none: the attempt
    /// ends in the reference's answer and states no wrong value, or has no steps.
    ///
    /// An attempt that does not reach the answer, though none of its steps speaks against it, leaves something out or
    /// answers another question: the step is taken from which on it leaves out a line of the reference, by
    /// ``StepAlignment``, else the last one that does not only give the answer. Where neither numbers nor words tell
    /// anything it is the second step, since the first most often repeats the task.
    public static func locate(attempt: [String], reference: String, question: String? = nil) -> Int? {
        let last = attempt.prefix(maximumSteps).lastIndex { !$0.trimmed.isEmpty }
        guard let last else { return nil }
        let texts = attempt[...last].map { StepText($0) }
        let quantities = ReferenceQuantities(question: question ?? "", reference: reference)
        let kinds = StepKinds(attempt: texts, reference: quantities)
        let certain = kinds.isMiscalculated.firstIndex(of: true)
        if certain == nil, isAnswered(attempt[last], texts[last], quantities, reference) { return nil }
        let speaks = kinds.observations.contains { $0.map { $0.kind != .reference } == true }
        if certain != nil || speaks,
            let step = FirstErrorModel.mostLikely(kinds.observations, before: (certain ?? last) + 1)
        {
            return step
        }
        let end = texts.lastIndex { !isAnswer($0) } ?? last
        let alignment = StepAlignment(attempt: Array(texts[...end]), reference: quantities.lines)
        guard alignment.steps.contains(where: { $0 != nil }) else { return min(1, end) }
        return min(alignment.firstGap ?? end, end)
    }

    /// Whether a step gives nothing but an answer.
    private static func isAnswer(_ text: StepText) -> Bool {
        text.words.isEmpty && text.calculations.isEmpty && text.unknownSides.isEmpty
    }

    private static func isAnswered(
        _ step: String,
        _ text: StepText,
        _ quantities: ReferenceQuantities,
        _ reference: String
    ) -> Bool {
        let said = AnswerExtraction.extract(step)
        // The text's numbers have no sign.
        let isNegative = said?.hasPrefix("-") == true
        if let answer = quantities.answer, let given = text.numbers.last, answer == given, !isNegative { return true }
        guard let answer = AnswerExtraction.extract(reference), let given = said else { return false }
        return AnswerEquivalence.equivalent(gold: answer, predicted: given)
    }
}
