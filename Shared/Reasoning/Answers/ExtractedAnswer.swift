/// An answer found in a text, and by which rule.
public struct ExtractedAnswer: Sendable, Hashable, Codable {
    /// The answer as the text has it, without what only surrounds it: emphasis, a sentence's words, units of one number.
    public var text: String
    /// The rule that found it.
    public var rule: ExtractionRule

    /// Makes an answer.
    public init(text: String, rule: ExtractionRule) {
        self.text = text
        self.rule = rule
    }
}

/// The rules by which answers are found, in the order in which they are tried.
public enum ExtractionRule: String, Sendable, Hashable, Codable, CaseIterable {
    /// The last `<Answer>` element that holds something.
    case answerTag = "answer-tag"
    /// What follows the last `####` that is no heading.
    case marker
    /// The last `\boxed{…}`, or the list that the last ones make; unless a "final answer" is announced behind it.
    case boxed
    /// What follows the last "the answer is", "Answer:", "A:", "the correct option is" and their like.
    case announced
    /// An option's letter that stands alone in the last line, or in brackets.
    case option
    /// A last line that is nothing but yes, no, true, false and their like.
    case word
    /// The last mathematics of the last line, between the delimiters of LaTeX and with a command of it, behind which no word
    /// stands.
    case lastMath = "last-math"
    /// The last number.
    case lastNumber = "last-number"
}
