import Foundation
import Reasoning

/// Grades answers for a while and prints how many it graded a second of processor time, for each kind of answer.
///
/// The argument is the number of such seconds a kind, 2 where it is left out.
@main
struct GradingBenchmark {
    static func main() {
        let seconds = CommandLine.arguments.dropFirst().first.flatMap(Double.init) ?? 2
        measure("plain numbers", numbers, seconds) { grade($0.gold, $0.text) }
        measure("words and options", words, seconds) { grade($0.gold, $0.text) }
        measure("LaTeX", latex, seconds) { grade($0.gold, $0.text) }
        for (name, pairs) in [
            ("worked text, the answer extracted", solutions { "#### \($0)" }),
            ("worked text, its answer in a box", solutions { "So it is $\\boxed{\($0)}$." }),
            ("worked text, its answer in a sentence", solutions { "The answer is \($0) pencils." }),
            ("worked text that names no answer", solutions { "So it is \($0) pencils in all." }),
        ] {
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
        print("\(name): \(Int(Double(graded) / time)) a second, \(100 * correct / max(graded, 1)) % correct")
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

    /// Of the length of GSM8K's: some 300 bytes.
    private static func solutions(_ ending: (Int) -> String) -> [Pair] {
        (1...500).map { index in
            let total = 12 * index + 7
            return (
                "\(total)",
                """
                Each of the \(index) boxes holds 12 pencils, so the boxes hold \(index) * 12 = \(12 * index) pencils together.
                There are 7 pencils more on the teacher's desk, which nobody has put into a box yet.
                Altogether that makes \(12 * index) + 7 = \(total) pencils for the class.
                \(ending(index % 5 == 0 ? total + 1 : total))
                """
            )
        }
    }
}
