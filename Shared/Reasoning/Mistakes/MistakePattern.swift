import Foundation

/// What kind of mistake a wrong chain makes, in EDIT's categories: one, a mix, or none of them (paper, table 29).
public struct MistakePattern: Sendable, Hashable {
    /// A category of mistakes.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// A step of reasoning: a misread problem, a wrong quantity or operation, a missing step.
        case logical
        /// A fact or rule that the problem leaves unsaid.
        case knowledge
        /// A stated value that does not follow from its expression.
        case calculation
    }

    /// The longest text that is read, in bytes.
    public static let maximumLength = 1 << 14
    /// None of the categories.
    public static let other = MistakePattern([])

    /// The categories; empty for `other`.
    public var kinds: Set<Kind>

    /// Makes a pattern; no kind at all is ``other``.
    public init(_ kinds: Set<Kind>) { self.kinds = kinds }

    /// The name as it stands in traces: `other`, or the kinds joined by `+` in the order of ``Kind``.
    public var name: String {
        kinds.isEmpty ? "other" : Kind.allCases.filter(kinds.contains).map(\.rawValue).joined(separator: "+")
    }

    /// Reads a classifier's answer: the last `<Category>` element, else the last line `Category: …` or member of that name,
    /// else a sentence that names the kind (`The kind of mistake is knowledge.`), else nothing but names.
    ///
    /// Categories are read by name in any case, also with words after them ("logical reasoning"), or by the paper's
    /// letters a to d, with or without brackets, joined by `+`, `,`, `/`, `&` or `and`. Beside others, `other` says
    /// nothing. A sentence must name one kind, or several that it joins; what it denies does not count.
    ///
    /// Linear in the text's length; only the first ``maximumLength`` bytes behind a model's thoughts are read.
    ///
    /// - Throws: ``ReasoningError`` where there is no category or an unknown one.
    public static func parse(_ text: String) throws -> MistakePattern {
        let said = Thoughts.split(text).answer
        let bounded = String(decoding: said.utf8.prefix(maximumLength), as: UTF8.self).lowercased()
        if let named = MistakeReading.element(in: bounded) ?? MistakeReading.line(in: bounded), !named.trimmed.isEmpty {
            guard let kinds = MistakeReading.kinds(named) else {
                throw ReasoningError(
                    .malformedMistake,
                    "\"\(named.trimmed.prefix(60))\" is no category; they are logical, knowledge, calculation and other"
                )
            }
            return MistakePattern(kinds)
        }
        guard let kinds = MistakeReading.sentence(in: bounded) ?? MistakeReading.bare(bounded) else {
            throw ReasoningError(.malformedMistake, "there is no <Category> element")
        }
        return MistakePattern(kinds)
    }
}
