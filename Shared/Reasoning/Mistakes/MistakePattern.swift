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

    /// Reads a classifier's answer: the last `<Category>` element, or a line `Category: …` without one.
    ///
    /// Categories are read by name in any case, also with words after them ("logical reasoning"), or by the paper's
    /// letters a to d, with or without brackets, joined by `+`, `,`, `/`, `&` or `and`. Beside others, `other` says
    /// nothing.
    ///
    /// Linear in the text's length; only the first ``maximumLength`` bytes are read.
    ///
    /// - Throws: ``ReasoningError`` where there is no category or an unknown one.
    public static func parse(_ text: String) throws -> MistakePattern {
        let bounded = String(decoding: text.utf8.prefix(maximumLength), as: UTF8.self).lowercased()
        guard let said = element(in: bounded) ?? line(in: bounded), !said.trimmed.isEmpty else {
            throw ReasoningError(.malformedMistake, "there is no <Category> element")
        }
        var kinds: Set<Kind> = []
        let joined = said.replacingOccurrences(of: " and ", with: "+")
        for part in joined.split(whereSeparator: { "+,/&".contains($0) }) {
            switch part.split(whereSeparator: { !$0.isLetter }).first.map(String.init) {
            case "a", "logical", "logic", "reasoning": kinds.insert(.logical)
            case "b", "knowledge", "factual": kinds.insert(.knowledge)
            case "c", "calculation", "numerical", "numeric", "arithmetic", "mathematical": kinds.insert(.calculation)
            case "d", "other", "others", "none": continue
            default:
                throw ReasoningError(
                    .malformedMistake,
                    "\"\(said.trimmed.prefix(60))\" is no category; they are logical, knowledge, calculation and other"
                )
            }
        }
        return MistakePattern(kinds)
    }

    /// What the last `<category>` holds, up to the next tag; blanks and a colon in the tag are let pass.
    private static func element(in text: String) -> String? {
        guard let open = text.range(of: "<category", options: .backwards) else { return nil }
        let rest = text[open.upperBound...].drop { $0 == " " || $0 == ":" }
        guard rest.first == ">" else { return nil }
        return String(rest.dropFirst().prefix { $0 != "<" })
    }

    private static func line(in text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline).reversed() {
            let bare = line.drop { !$0.isLetter }
            guard bare.hasPrefix("category") else { continue }
            let rest = bare.dropFirst("category".count).drop { $0 == " " || $0 == "*" }
            if rest.first == ":" { return String(rest.dropFirst()) }
        }
        return nil
    }
}
