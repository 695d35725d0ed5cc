import ArgumentParser
import Foundation
import Reasoning

/// `errata grade`: compares gold and predicted answers, for people who want only that.
struct GradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grade",
        abstract: "Grade predicted answers against gold ones.",
        discussion: """
            Reads JSON lines with "gold" and "predicted", and an "id" if you like, and writes a JSON line for each, in order: \
            "correct", the "answer" that was compared, the "rule" that decided, "policy" and "grader", the grader's version. A \
            summary goes to standard error.

            As a metric of lm-eval does, it takes "predicted" for an answer that is filtered out already: of lm-eval's own \
            samples, --gold-field target --predicted-field filtered_resps. With --extract it is the model's whole text, in \
            which the answer is found first as everywhere in Errata, "extraction" says by which rule, and a gold text of \
            several lines, or with "####" or a box in it, is treated alike. A "predicted" that is null, or a text without an \
            answer, is not correct.

            The policies: strict wants the form that was asked for, standard compares as a mathematician does, qwen has the \
            tolerances of Qwen2.5-Math's evaluation.

            A bad line is named with its number and reason, and the rest is graded; the exit status is then 2, or 1 where no \
            line was good. Wrong answers are no failure.
            """
    )

    @Argument(help: "A JSONL file, or - for standard input.")
    var file: String

    @Flag(help: "Find the answer in the predicted text first.")
    var extract = false

    @Option(help: "strict, standard or qwen.")
    var policy = GradingPolicy.standard.rawValue

    @Option(help: "The field with the gold answer.")
    var goldField = "gold"

    @Option(help: "The field with the prediction; of a list the first element counts.")
    var predictedField = "predicted"

    func validate() throws {
        guard GradingPolicy(rawValue: policy) != nil else {
            throw ValidationError("--policy must be strict, standard or qwen, not '\(policy)'")
        }
    }

    func run() throws {
        guard let policy = GradingPolicy(rawValue: policy) else { return }
        let grading = AnswerGrading(
            grader: Grader(policy: policy),
            extracts: extract,
            goldField: goldField,
            predictedField: predictedField
        )
        let place = InputFile.place(file)
        var graded = 0
        var correct = 0
        var rejected = 0
        for (number, line) in try ProblemLines.lines(of: InputFile.read(file)) {
            do {
                let result = try grading.grade(line, number: number)
                graded += 1
                if result.correct { correct += 1 }
                Terminal.out(try result.json())
            } catch {
                rejected += 1
                Terminal.error("\(place):\(number): \(error)")
            }
        }
        Terminal.error(Self.summary(graded: graded, correct: correct, rejected: rejected, grader: grading.grader))
        if rejected > 0 { throw ExitCode(graded > 0 ? 2 : 1) }
    }

    /// What is said at the end.
    static func summary(graded: Int, correct: Int, rejected: Int, grader: Grader) -> String {
        let share = graded > 0 ? String(format: "%.2f %%", 100 * Double(correct) / Double(graded)) : "-"
        return
            "graded \(graded), correct \(correct) (\(share)), policy \(grader.policy.rawValue), grader \(Grader.version)"
            + (rejected > 0 ? ", \(rejected) lines rejected" : "")
    }
}

/// Grades the lines of `errata grade`.
struct AnswerGrading {
    let grader: Grader
    /// Whether the prediction is a text that holds the answer.
    let extracts: Bool
    let goldField: String
    let predictedField: String

    /// A line of output.
    struct Result: Encodable, Equatable {
        var line: Int
        var id: String?
        var correct: Bool
        /// What was compared; nil where the text has no answer.
        var answer: String?
        /// By what the answer was found; nil where it came as an answer, and where the text has none.
        var extraction: String?
        var rule: String
        var policy: String
        var grader: String

        func json() throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// Grades a line.
    ///
    /// - Throws: ``CLIError`` that says what is wrong with the line.
    func grade(_ line: Substring, number: Int) throws -> Result {
        guard let object = try? JSONDecoder().decode([String: Field].self, from: Data(line.utf8)) else {
            throw CLIError("not a JSON object")
        }
        guard let goldText = try text(goldField, of: object) else { throw CLIError("\"\(goldField)\" is missing") }
        guard object[predictedField] != nil else { throw CLIError("\"\(predictedField)\" is missing") }
        let predictedText = try text(predictedField, of: object)
        let gold = extracts ? try Self.answer(ofGold: goldText) : goldText
        let verdict =
            extracts
            ? grader.verdict(gold: gold, text: predictedText ?? "")
            : grader.verdict(gold: gold, predicted: predictedText ?? "")
        let answer = extracts ? verdict.extraction?.text : predictedText
        return Result(
            line: number,
            id: try text("id", of: object),
            correct: verdict.isCorrect,
            answer: answer,
            extraction: verdict.extraction?.rule.rawValue,
            rule: verdict.rule.rawValue,
            policy: verdict.policy.rawValue,
            grader: verdict.graderVersion
        )
    }

    /// The answer of a gold text: of a worked one, which has several lines, a mark or a box, what it ends with.
    private static func answer(ofGold text: String) throws -> String {
        let isWorked = text.contains("####") || text.contains("\\boxed")
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
        // A matrix may be set in several lines.
        guard isWorked || lines.count > 1 && !text.contains("\\begin") else { return text }
        guard let answer = AnswerExtraction.extract(text) else {
            throw CLIError(
                "the gold text has several lines and no answer that can be found in it: end it with \"#### 18\", or put the "
                    + "answer in a box or behind \"The answer is\""
            )
        }
        return answer
    }

    private func text(_ name: String, of object: [String: Field]) throws -> String? {
        switch object[name] {
        case .text(let text): return text
        case .empty, nil: return nil
        case .other: throw CLIError("\"\(name)\" is not text, a number, or a list that begins with one")
        }
    }

    /// A text; of numbers and truth values their spelling, of a list its first element.
    private enum Field: Decodable {
        case text(String)
        case empty
        case other

        init(from decoder: any Decoder) throws {
            if var list = try? decoder.unkeyedContainer() {
                self = (try? list.decode(Field.self)) ?? .empty
                return
            }
            let value = try decoder.singleValueContainer()
            if value.decodeNil() {
                self = .empty
            } else if let text = try? value.decode(String.self) {
                self = .text(text)
            } else if let truth = try? value.decode(Bool.self) {
                self = .text(truth ? "true" : "false")
            } else if let number = try? value.decode(Decimal.self) {
                self = .text("\(number)")
            } else {
                self = .other
            }
        }
    }
}
