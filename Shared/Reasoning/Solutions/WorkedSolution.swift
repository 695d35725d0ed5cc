import Foundation

/// One step of a worked solution.
public struct SolutionStep: Sendable, Hashable, Codable {
    /// The step's text without calculator marks.
    public var text: String
    /// The calculations in it, in order.
    public var calculations: [Calculation]

    /// Makes a step.
    public init(text: String, calculations: [Calculation]) {
        self.text = text
        self.calculations = calculations
    }
}

/// A solution in steps: GSM8K's layout or a free chain of thought.
public struct WorkedSolution: Sendable, Hashable, Codable {
    /// The longest text that is read, in bytes; what is longer is cut.
    public static let maximumLength = 1 << 16
    /// The most steps that are kept.
    public static let maximumSteps = 200

    /// The steps in order.
    public var steps: [SolutionStep]
    /// The final answer, where one was found.
    public var answer: String?

    /// Makes a solution.
    public init(steps: [SolutionStep], answer: String?) {
        self.steps = steps
        self.answer = answer
    }

    /// Reads a solution: a line is a step; a text of one line is split into sentences.
    ///
    /// Never fails; linear in what is read.
    public static func parse(_ text: String) -> WorkedSolution {
        let bounded =
            text.utf8.count > maximumLength ? String(decoding: text.utf8.prefix(maximumLength), as: UTF8.self) : text
        var lines = bounded.split(whereSeparator: \.isNewline).map { String($0).trimmed }.filter { !$0.isEmpty }
        lines.removeAll { isAnswerLine($0) }
        if lines.count == 1, let only = lines.first { lines = sentences(of: only) }
        let steps = lines.prefix(maximumSteps).map { line in
            SolutionStep(text: withoutMarks(line), calculations: calculations(in: line))
        }
        return WorkedSolution(steps: steps, answer: AnswerExtraction.extract(bounded))
    }

    /// Whether every calculation that can be read is right.
    ///
    public var isArithmeticRight: Bool {
        steps.allSatisfy { step in step.calculations.allSatisfy { $0.isCorrect != false } }
    }

    /// A line without its `<<…>>` calculator marks.
    public static func withoutMarks(_ text: String) -> String {
        guard text.contains("<<") else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.range(of: "<<") {
            guard let close = rest.range(of: ">>", range: open.upperBound..<rest.endIndex) else { break }
            result += rest[..<open.lowerBound]
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// The calculator marks of a line, or where it has none the calculations of its running text.
    public static func calculations(in line: String) -> [Calculation] {
        var marks: [Calculation] = []
        var rest = line[...]
        while let open = rest.range(of: "<<") {
            guard let close = rest.range(of: ">>", range: open.upperBound..<rest.endIndex) else { break }
            let mark = rest[open.upperBound..<close.lowerBound]
            if let sign = mark.lastIndex(of: "=") {
                marks.append(
                    Calculation(expression: String(mark[..<sign]), value: String(mark[mark.index(after: sign)...]))
                )
            }
            rest = rest[close.upperBound...]
        }
        return marks.isEmpty ? CalculationScanner.scan(line).map(\.calculation) : marks
    }

    static func isAnswerLine(_ line: String) -> Bool {
        let lower = line.lowercased()
        return line.hasPrefix("####") || lower.hasPrefix("the answer is") || lower.hasPrefix("a:")
            || lower.hasPrefix("answer:") || lower.hasPrefix("therefore, the answer is")
    }

    /// Sentences of a line: a stop, a blank and a capital letter or digit end one.
    package static func sentences(of line: String) -> [String] {
        var result: [String] = []
        var current = ""
        let characters = Array(line)
        for (index, character) in characters.enumerated() {
            current.append(character)
            guard ".?!".contains(character), index + 2 < characters.count, characters[index + 1] == " " else {
                continue
            }
            let next = characters[index + 2]
            if next.isUppercase || next.isNumber || next == "$" {
                result.append(current.trimmed)
                current = ""
            }
        }
        if !current.trimmed.isEmpty { result.append(current.trimmed) }
        return result.filter { !isAnswerLine($0) }
    }
}
