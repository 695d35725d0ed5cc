import Foundation
import Reasoning

/// Grades answers for a while and prints how many it graded a second of processor time, for each kind of answer.
///
/// Two kinds of GSM8K's style are told apart: an answer alone, a number's text against a number's, and a worked text of the
/// length of GSM8K's solutions, whose answer has to be found before it is compared. What stands in the texts is made here; with
/// a folder, GSM8K's own solutions and those of its example models are graded, too.
///
/// Usage: `GradingBenchmark [SECONDS [FOLDER]]`; 2 seconds a kind where they are left out, and FOLDER holds
/// `gsm8k/train.jsonl` and `gsm8k/example_model_solutions_a.jsonl`.
@main
struct GradingBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        let seconds = arguments.first.flatMap(Double.init) ?? 2
        measure("answer, a number (GSM8K's style)", numbers, seconds) { grade($0.gold, $0.text) }
        measure("answer, words and options", words, seconds) { grade($0.gold, $0.text) }
        measure("answer, LaTeX", latex, seconds) { grade($0.gold, $0.text) }
        var texts: [(name: String, pairs: [Pair])] = [
            ("worked text, #### n", solutions { "#### \($0)" }),
            ("worked text, #### n with calculator marks (GSM8K's layout)", solutions(hasMarks: true) { "#### \($0)" }),
            ("worked text, its answer in a box", solutions { "So it is $\\boxed{\($0)}$." }),
            ("worked text, its answer in bold", solutions { "**Answer:** **\($0)**" }),
            ("worked text, its answer in a sentence", solutions { "The answer is \($0) pencils." }),
            ("worked text that names no answer", solutions { "So it is \($0) pencils in all." }),
        ]
        if let folder = arguments.dropFirst().first.map({ URL(fileURLWithPath: $0, isDirectory: true) }) {
            texts.append(("GSM8K's own solutions", try gsm8k(folder)))
            texts.append(("solutions of GSM8K's example models", try models(folder)))
        }
        for (name, pairs) in texts {
            measure(name, pairs, seconds) { grade($0.gold, AnswerExtraction.extract($0.text) ?? "") }
        }
    }

    private typealias Pair = (gold: String, text: String)

    private static func grade(_ gold: String, _ predicted: String) -> Bool {
        AnswerEquivalence.equivalent(gold: gold, predicted: predicted)
    }

    private static func measure(_ name: String, _ pairs: [Pair], _ seconds: Double, _ body: (Pair) -> Bool) {
        let start = processorSeconds()
        var time = 0.0
        var graded = 0
        var correct = 0
        while time < seconds {
            for pair in pairs where body(pair) { correct += 1 }
            graded += pairs.count
            time = processorSeconds() - start
        }
        // The share is printed so that no grading can be left out.
        let million = (time / Double(graded) * 1e8).rounded() / 100
        print(
            "\(name): \(Int(Double(graded) / time)) a second (\(million) s a million), \(100 * correct / graded) % correct"
        )
    }

    /// What this process has spent, which does not grow with what else runs on the machine.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static let numbers: [Pair] = (0..<1_000).map { index in
        let value = index * 37 % 5_000
        switch index % 4 {
        case 0: return ("\(value)", "\(value)")
        case 1: return ("\(value)", "$\(value).00")
        case 2:
            return (
                "\(value + 10_000)", "\((value + 10_000) / 1_000),\(String(String(value % 1_000 + 1_000).dropFirst()))"
            )
        default: return ("\(value)", "\(value + 1)")
        }
    }

    private static let words: [Pair] = [
        ("yes", "Yes"), ("no", "Yes"), ("(B)", "B"), ("(A)", "(C)"), ("valid", "invalid"), ("Paris", "paris"),
        ("apple banana cherry", "apple banana cherry"), ("True", "False"),
    ]

    private static let latex: [Pair] = [
        ("\\frac{1}{2}", "0.5"), ("7/2", "3\\frac{1}{2}"), ("\\sqrt{12}", "2\\sqrt3"),
        ("(1, 2)", "\\left(1, 2\\right)"),
        ("x^2+2x+1", "(x+1)^2"), ("[0, 1)", "0 \\le x < 1"), ("15\\text{ cm}^2", "15"), ("1, 2, 3", "3, 2, 1"),
        ("2\\pi", "6\\pi"), ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix}1\\\\2\\end{bmatrix}"),
    ]

    /// Of the length of GSM8K's, whose mean is 288 bytes; with `hasMarks` with its calculator marks, as `<<3*4=12>>`.
    private static func solutions(hasMarks: Bool = false, _ ending: (Int) -> String) -> [Pair] {
        (1...500).map { index in
            let boxes = 12 * index
            let total = boxes + 7
            func mark(_ calculation: String) -> String { hasMarks ? "<<\(calculation)>>" : "" }
            return (
                "\(total)",
                """
                Each of the \(index) boxes holds 12 pencils, so the boxes hold \(index) * 12 = \
                \(mark("\(index)*12=\(boxes)"))\(boxes) pencils together.
                There are 7 pencils more on the teacher's desk, which nobody has put into a box yet.
                Altogether that makes \(boxes) + 7 = \(mark("\(boxes)+7=\(total)"))\(total) pencils for the class.
                \(ending(index % 5 == 0 ? total + 1 : total))
                """
            )
        }
    }

    private struct Row: Decodable { let answer: String }

    private static func gsm8k(_ folder: URL) throws -> [Pair] {
        try lines("gsm8k/train.jsonl", in: folder).map { line in
            let text = native(try JSONDecoder().decode(Row.self, from: line).answer)
            return (native(String(text.split(separator: " ").last ?? "")), text)
        }
    }

    private struct Solution: Decodable { let solution: String }

    private struct Solved: Decodable {
        let gold: String
        let solutions: [Solution]

        private struct Key: CodingKey {
            let stringValue: String
            let intValue: Int? = nil
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            gold = try values.decode(String.self, forKey: Key(stringValue: "ground_truth"))
            solutions = try values.allKeys.sorted { $0.stringValue < $1.stringValue }
                .filter { !["question", "ground_truth"].contains($0.stringValue) }
                .map { try values.decode(Solution.self, forKey: $0) }
        }
    }

    /// Gold solutions end with a line such as `A: 18`.
    private static func models(_ folder: URL) throws -> [Pair] {
        try lines("gsm8k/example_model_solutions_a.jsonl", in: folder).flatMap { line in
            let row = try JSONDecoder().decode(Solved.self, from: line)
            let gold = native(String(row.gold.split(separator: "\n").last?.dropFirst(3) ?? ""))
            return row.solutions.map { (gold, native($0.solution)) }
        }
    }

    private static func lines(_ path: String, in folder: URL) throws -> [Data] {
        try Data(contentsOf: folder.appendingPathComponent(path)).split(separator: UInt8(ascii: "\n")).map { Data($0) }
    }

    /// A text in Swift's own storage, which those of Foundation need not have.
    private static func native(_ text: String) -> String { String(decoding: Array(text.utf8), as: UTF8.self) }
}
