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

    /// Reads a solution: a line is a step, see ``SolutionLines``; a text of one line is split into sentences.
    ///
    /// Thoughts before `</think>` are no steps, nor is what a model that runs on writes behind its answer. Never fails;
    /// linear in what is read.
    public static func parse(_ text: String) -> WorkedSolution {
        let visible = Thoughts.visible(text)
        let bytes = Array(visible.text.utf8.prefix(maximumLength))
        let solution = visible.isDraft ? "" : String(decoding: RunOn.asked(bytes), as: UTF8.self)
        let steps = SolutionLines.steps(of: solution).prefix(maximumSteps).map { line in
            SolutionStep(text: withoutMarks(line), calculations: calculations(in: line))
        }
        return WorkedSolution(steps: steps, answer: AnswerExtraction.extract(text))
    }

    /// Whether no calculation is surely wrong.
    public var isArithmeticRight: Bool {
        steps.allSatisfy { step in step.calculations.allSatisfy { $0.isCorrect != false } }
    }

    /// A line without its `<<…>>` calculator marks.
    public static func withoutMarks(_ text: String) -> String { CalculatorMarks.removed(from: text) }

    /// The calculator marks of a line, or where it has none the calculations of its running text; of those that are not
    /// right only the ones that are surely wrong.
    public static func calculations(in line: String) -> [Calculation] {
        CalculatorMarks.calculations(in: line) ?? CalculationScanner.scan(line).filter(\.isSure).map(\.calculation)
    }
}
