import Foundation

/// A problem with a right and a wrong chain, shown to the teacher as an example of a corruption.
public struct CorruptionDemonstration: Sendable, Hashable, Codable {
    /// How many are shown at a time: EDIT's three.
    public static let shown = 3

    /// The problem's question.
    public var question: String
    /// A right chain.
    public var right: String
    /// A wrong chain.
    public var wrong: String

    /// Makes a demonstration.
    public init(question: String, right: String, wrong: String) {
        self.question = question
        self.right = right
        self.wrong = wrong
    }
}

/// A solved problem that is shown to the teacher before the one it is asked about: a line of `demonstrations.jsonl`.
///
/// EDIT shows three of a task with every question (its prompts CEP and AHP).
public struct WorkedDemonstration: Sendable, Hashable, Codable {
    /// The problem's question.
    public var question: String
    /// A right chain, with its answer.
    public var right: String
    /// A wrong chain, which CCP and the rectification of a wrong chain show too.
    public var wrong: String?

    /// Makes a demonstration.
    public init(question: String, right: String, wrong: String? = nil) {
        self.question = question
        self.right = right
        self.wrong = wrong
    }

    /// The answer of the right chain, empty where none can be read.
    public var answer: String { AnswerExtraction.extract(right) ?? "" }

    /// The example as CCP shows it; nil without a wrong chain.
    public var corruption: CorruptionDemonstration? {
        wrong.map { CorruptionDemonstration(question: question, right: right, wrong: $0) }
    }

    /// The most examples of a file.
    public static let maximumCount = 20

    /// Reads `{"question": …, "right": …, "wrong": …}`, one object a line; `wrong` may be left out.
    ///
    /// No line at all is no example at all.
    ///
    /// - Throws: ``ReasoningError`` that names the line.
    public static func parse(_ text: String) throws -> [WorkedDemonstration] {
        var found: [WorkedDemonstration] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = String(line).trimmed
            if line.isEmpty { continue }
            func fail(_ message: String) -> ReasoningError { ReasoningError(.prompt, "line \(index + 1): \(message)") }
            guard let fields = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8)) else {
                throw fail("is no JSON object of texts; write {\"question\": …, \"right\": …, \"wrong\": …}")
            }
            if let unknown = fields.keys.sorted().first(where: { !["question", "right", "wrong"].contains($0) }) {
                throw fail("\"\(unknown.prefix(40))\" is unknown; a line has question, right and wrong")
            }
            guard let question = fields["question"], !question.trimmed.isEmpty else {
                throw fail("question is missing")
            }
            guard let right = fields["right"], AnswerExtraction.extract(right) != nil else {
                throw fail("right is missing or has no answer; end it with \"The answer is N.\"")
            }
            if let wrong = fields["wrong"], wrong.trimmed.isEmpty || wrong == right {
                throw fail("wrong is empty or the same as right; leave it out where there is none")
            }
            guard found.count < maximumCount else { throw fail("more than \(maximumCount) examples; leave some out") }
            found.append(WorkedDemonstration(question: question, right: right, wrong: fields["wrong"]))
        }
        return found
    }
}
