/// Which columns of a data set hold what a problem is made of: `question=prompt,answer=gold`.
///
/// Several columns joined by `+` are put together with a blank line between them, for data sets that keep the story and what
/// is asked of it apart.
public struct ColumnMap: Sendable, Hashable {
    /// What a problem is made of.
    public enum Part: String, Sendable, Hashable, CaseIterable {
        case question, answer, solution, options, id, family, steps, level, split
    }

    /// The columns of each part, in order.
    public let columns: [Part: [String]]

    /// Reads a mapping.
    ///
    /// - Throws: ``ReasoningError`` that says what is wrong with the text.
    ///
    /// Arguments:
    ///   - needsAnswer: whether the column of the answer must be named.
    public init(_ text: String, needsAnswer: Bool = true) throws {
        var columns: [Part: [String]] = [:]
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { String($0).trimmed }
            guard sides.count == 2, !sides[0].isEmpty else {
                throw Self.error("'\(entry)' is not of the form part=column, as in question=prompt,answer=gold")
            }
            guard let part = Part(rawValue: sides[0]) else {
                let known = Part.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.error("'\(sides[0])' is no part of a problem; the parts are \(known)")
            }
            let names = sides[1].split(separator: "+", omittingEmptySubsequences: false).map { String($0).trimmed }
            guard names.allSatisfy({ !$0.isEmpty }) else { throw Self.error("'\(entry)' names an empty column") }
            guard names.count == 1 || part == .question || part == .solution else {
                throw Self.error("only question and solution can be put together of columns, not \(part.rawValue)")
            }
            guard columns.updateValue(names, forKey: part) == nil else {
                throw Self.error("'\(part.rawValue)' is given twice")
            }
        }
        guard columns[.question] != nil else { throw Self.error("the column of the question is missing: question=…") }
        guard columns[.answer] != nil || !needsAnswer else {
            throw Self.error("the column of the answer is missing: answer=…")
        }
        self.columns = columns
    }

    private static func error(_ message: String) -> ReasoningError { ReasoningError(.malformedProblem, message) }
}
