import Foundation

/// GSM8K's JSONL layout: `question`, and `answer` whose last line is `#### n`.
public enum GSM8K {
    /// The longest line that is read, in bytes.
    public static let maximumLineLength = 1 << 20

    private struct Line: Codable {
        var id: String?
        var question: String?
        var answer: String?
        var family: String?
        var steps: Int?
    }

    /// Reads one line.
    ///
    /// An answer without a `####` line must be a bare answer; it has no solution then.
    ///
    /// - Throws: ``ReasoningError`` that names what is missing.
    public static func parse(line: String) throws -> Problem {
        guard line.utf8.count <= maximumLineLength else {
            throw ReasoningError(.tooLong, "the line has more than \(maximumLineLength) bytes")
        }
        let record: Line
        do {
            record = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        } catch DecodingError.typeMismatch(_, let context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw ReasoningError(
                .malformedProblem,
                path.isEmpty ? "the line is not a JSON object" : "\"\(path)\" has the wrong type"
            )
        } catch {
            throw ReasoningError(.malformedProblem, "the line is not a JSON object")
        }
        let question = (record.question ?? "").trimmed
        guard !question.isEmpty else {
            throw ReasoningError(.malformedProblem, "\"question\" is missing or empty")
        }
        let text = (record.answer ?? "").trimmed
        guard !text.isEmpty else {
            throw ReasoningError(.malformedProblem, "\"answer\" is missing or empty")
        }
        let (answer, solution) = try split(answer: text)
        return Problem(
            id: record.id,
            question: question,
            solution: solution,
            answer: answer,
            family: record.family,
            steps: record.steps
        )
    }

    /// The final answer, which follows the last `####`, and the solution before it.
    ///
    /// Arguments:
    ///   - allowsLong: whether a text without `####` is the answer even where it looks like a solution.
    static func split(answer text: String, allowsLong: Bool = false) throws -> (answer: String, solution: String?) {
        guard let range = text.range(of: "####", options: .backwards) else {
            guard allowsLong || !text.contains("\n") && text.utf8.count <= 200 else {
                throw ReasoningError(
                    .malformedProblem,
                    "\"answer\" has no line \"#### n\" with the final answer; where the whole text is the answer, give "
                        + "--layout plain"
                )
            }
            return (text, nil)
        }
        var answer = String(text[range.upperBound...]).trimmed
        // Of a tuple or a list the commas are part of the answer.
        if !answer.contains(where: { "([{ ".contains($0) }) { answer.replace(",", with: "") }
        guard !answer.isEmpty else {
            throw ReasoningError(.malformedProblem, "nothing follows \"####\" in \"answer\"")
        }
        let solution = String(text[..<range.lowerBound]).trimmed
        return (answer, solution.isEmpty ? nil : solution)
    }

    /// Writes one line (no newline at its end).
    public static func format(_ problem: Problem) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = (problem.solution.map { $0 + "\n" } ?? "") + "#### " + problem.answer
        let line = Line(
            id: problem.id,
            question: problem.question,
            answer: text,
            family: problem.family,
            steps: problem.steps
        )
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }
}
