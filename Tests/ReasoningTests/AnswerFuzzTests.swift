import DataSupport
import Foundation
import Testing

@testable import Reasoning

@Suite("Grading of any text")
struct AnswerFuzzTests {
    private static let fragments = [
        "1", "2", "12", "0.5", ".5", "1,234", "x", "y", "ab", "+", "-", "*", "/", "^", "_", "!", "%", "=", "<", "\\le ",
        "(", ")",
        "[", "]", "{", "}", "\\{", "\\}", ",", ";", ":", "|", "$", "\\$", "\\frac", "\\sqrt", "\\pi", "\\infty",
        "\\cup ", "\\pm ",
        "\\text{", "\\boxed{", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "\\left", "\\right", "\\sin ",
        "\\log_2 ",
        "\\overline{", "\\binom", "and ", "or ", " ", "cm", "\\circ", "°", "½", "²", "√", "−", "é", "\u{301}",
        "\u{1F1E9}", "\u{0}", "e",
        "i", "E5", "^{", "_{", "\\in ", "\\setminus ", "\\mathbb{R}",
        "9".padding(toLength: 30, withPad: "9", startingAt: 0), "...",
    ]

    @Test("random bytes and soups of LaTeX end, are themselves, and compare alike in both directions")
    func soups() {
        var random = ReasoningRandom(seed: 3)
        var texts: [String] = []
        for round in 0..<6_000 {
            if round % 3 == 0 {
                texts.append(
                    String(
                        decoding: (0..<random.integer(1...60)).map { _ in UInt8(random.integer(0...255)) },
                        as: UTF8.self
                    )
                )
            } else {
                texts.append((0..<random.integer(1...24)).compactMap { _ in random.pick(Self.fragments) }.joined())
            }
        }
        let time = processorTime {
            for (text, other) in zip(texts, texts.dropFirst()) {
                for policy in GradingPolicy.allCases {
                    if !text.trimmed.isEmpty {
                        #expect(AnswerEquivalence.equivalent(gold: text, predicted: text, policy: policy))
                    }
                    let verdict = AnswerEquivalence.equivalent(gold: text, predicted: other, policy: policy)
                    // A prediction may go on after yes or no.
                    guard policy == .standard, !Self.isTruth(text), !Self.isTruth(other) else { continue }
                    #expect(AnswerEquivalence.equivalent(gold: other, predicted: text) == verdict, "\(text) | \(other)")
                }
            }
        }
        #expect(time < .seconds(60), "\(time)")
    }

    private static func isTruth(_ text: String) -> Bool {
        AnswerWords.truth(AnswerWords.normalised(text, folded: true), acceptsLetter: true) != nil
    }

    /// Texts that nest, repeat or multiply what is to be done.
    private static let repeated = [
        "(", "[", "{", "\\{", "|", "-", "+", "\\frac{", "\\frac", "\\sqrt", "\\sqrt{", "^", "^{", "x^", "9^", "_",
        "\\sin", "\\sin(", "!",
        "1,", "x,", "(1,2),", "\\pm 1,", "\\pm", "\\cup", "(1,2)\\cup", "x<", "x=", "=", "\\begin{pmatrix}", "&",
        "\\\\", "\\text{",
        "\\boxed{", "\\boxed{1}", "$", "9", "1 000", "ab", "\\sin x+", "\\sqrt{x}+", "\\ln x,", "\\overline{", "1/",
        "(x+1)", "(x+1)^9",
        "2^", "9!", "9!^", "\\binom{9}{4}", ":", "1:", "a ", "the ", "\\log_", "</think>", "<answer>", "\u{301}", "½",
        "²", "\u{1F1E9}",
    ]

    @Test("no answer takes long, whatever it repeats", arguments: repeated)
    func repetition(seed: String) {
        for bytes in [200, 1_900, 60_000] {
            let text = String(repeating: seed, count: max(1, bytes / seed.utf8.count))
            for (gold, predicted) in [
                (text, "1"), (text, text + "1"), ("x" + text, text + "x"), (text + "1", "\\sqrt{2}" + text),
            ] {
                for policy in GradingPolicy.allCases {
                    let time = processorTime {
                        _ = AnswerEquivalence.equivalent(gold: gold, predicted: predicted, policy: policy)
                    }
                    #expect(time < .seconds(1), "\(seed.debugDescription) of \(bytes) took \(time)")
                }
            }
        }
    }

    @Test("an answer that is too long, too deep or too wide is a text, and equal to itself")
    func bounds() {
        let deep = String(repeating: "(", count: 200) + "1" + String(repeating: ")", count: 200)
        #expect(AnswerEquivalence.equivalent(gold: deep, predicted: " " + deep))
        #expect(!AnswerEquivalence.equivalent(gold: deep, predicted: "1"))
        let shallow = String(repeating: "(", count: 20) + "1" + String(repeating: ")", count: 20)
        #expect(AnswerEquivalence.equivalent(gold: shallow, predicted: "1"))
        let wide = (1...100).map(String.init).joined(separator: ", ")
        #expect(AnswerEquivalence.equivalent(gold: wide, predicted: wide.replacing(", ", with: " ,  ")))
        let list = (1...60).map(String.init)
        #expect(
            AnswerEquivalence.equivalent(
                gold: list.joined(separator: ", "),
                predicted: list.reversed().joined(separator: ", ")
            )
        )
        let long = String(repeating: "1+", count: 2_000) + "1"
        #expect(Grader().verdict(gold: long, predicted: "2001").rule == .length)
        #expect(AnswerEquivalence.equivalent(gold: long, predicted: long + "\n"))
    }
}
