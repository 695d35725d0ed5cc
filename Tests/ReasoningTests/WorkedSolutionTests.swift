import DataSupport
import Foundation
import Testing

@testable import Reasoning

@Suite("Worked solutions")
struct WorkedSolutionTests {
    private func steps(_ text: String) -> [String] { WorkedSolution.parse(text).steps.map(\.text) }

    @Test(
        "plain chains stay as they are",
        arguments: [
            ("A pen is 3 + 4 = 7.\nTwo are 7 * 2 = 14.\n#### 14", ["A pen is 3 + 4 = 7.", "Two are 7 * 2 = 14."]),
            ("A pen is <<3+4=7>>7.\nThe answer is 7.", ["A pen is 7."]),
            ("It is 3 + 4 = 7. Twice that is 14. The answer is 14.", ["It is 3 + 4 = 7.", "Twice that is 14."]),
            ("2 pens cost 6.\n3 more cost 9.\nA: 15", ["2 pens cost 6.", "3 more cost 9."]),
            ("- 5 + 9 = 4\nSo 4.", ["- 5 + 9 = 4", "So 4."]), ("2. is no list\nof mine", ["2. is no list", "of mine"]),
            ("It is 2**3 = 8.\nTwice 16.", ["It is 2**3 = 8.", "Twice 16."]),
        ] as [(String, [String])]
    )
    func plain(text: String, expected: [String]) { #expect(steps(text) == expected) }

    @Test(
        "thoughts are no steps",
        arguments: [
            "<think>\nPerhaps 4 * 5 = 21. No.\n</think>\n\nFour rows of 5 are 4 * 5 = 20.\nThe answer is 20.",
            "Perhaps 4 * 5 = 21. No.\n</think>\nFour rows of 5 are 4 * 5 = 20.\n#### 20",
            "<THINK>a</THINK>Four rows of 5 are 4 * 5 = 20.\n<think>And now\n4 * 5 = 21",
        ]
    )
    func thoughts(text: String) {
        let solution = WorkedSolution.parse(text)
        #expect(solution.steps.map(\.text) == ["Four rows of 5 are 4 * 5 = 20."])
        #expect(solution.isArithmeticRight && solution.answer == "20")
    }

    @Test("thoughts alone are no solution")
    func thoughtsAlone() {
        #expect(steps("<think>4 * 5 = 20.\nThe answer is 20.</think>").isEmpty)
        #expect(WorkedSolution.parse("<think>4 * 5 = 20").answer == nil)
    }

    @Test(
        "numbers, labels, bullets and emphasis before steps are no part of them",
        arguments: [
            "1. Add: 3 + 4 = 7.\n2. Double: 7 * 2 = 14.", "1) Add: 3 + 4 = 7.\n2) Double: 7 * 2 = 14.",
            "Step 1: Add: 3 + 4 = 7.\nStep 2: Double: 7 * 2 = 14.",
            "**Step 1:** Add: 3 + 4 = 7.\n\n**Step 2:** Double: 7 * 2 = 14.",
            "- Add: 3 + 4 = 7.\n- Double: 7 * 2 = 14.", "* Add: **3 + 4 = 7**.\n* Double: 7 * 2 = 14.",
            "### Step 1: Add\n3 + 4 = 7.\n\n### Step 2: Double\n7 * 2 = 14.",
            "**Step 1: Add**\n3 + 4 = 7.\n**Step 2: Double**\n7 * 2 = 14.",
            "Let's think step by step.\nAdd: 3 + 4 = 7.\nDouble: 7 * 2 = 14.",
            "## Solution\n\nAdd: 3 + 4 = 7.\n---\nDouble: 7 * 2 = 14.",
            "Add:\n\\[\n3 + 4 = 7.\n\\]\nDouble:\n$$ 7 * 2 = 14. $$", "```\nAdd: 3 + 4 = 7.\nDouble: 7 * 2 = 14.\n```",
        ]
    )
    func labels(text: String) {
        for ending in [
            "#### 14", "The answer is 14.", "So, the final answer is 14.", "**Answer:** 14", "### Final Answer\n**14**",
            "\\boxed{14}", "$\\boxed{14}$", "<Answer>14</Answer>", "Therefore, the answer is **14**.",
            "Final answer: 14 pens",
        ] {
            let solution = WorkedSolution.parse(text + "\n" + ending)
            let plain = solution.steps.map {
                $0.text.replacing("\\[ ", with: "").replacing(" \\]", with: "").replacing("$$ ", with: "").replacing(
                    " $$",
                    with: ""
                )
            }
            #expect(plain == ["Add: 3 + 4 = 7.", "Double: 7 * 2 = 14."], "\(ending)")
            #expect(solution.answer == "14" && solution.isArithmeticRight, "\(ending)")
            #expect(solution.steps.map(\.calculations.count) == [1, 1])
        }
    }

    @Test("an answer that is also worked out is a step")
    func workedAnswer() {
        let solution = WorkedSolution.parse("A pen is 3 + 4 = 7.\nThe answer is 7 * 2 = 14.")
        #expect(solution.steps.count == 2 && solution.answer == "14")
        #expect(!WorkedSolution.parse("A pen is 3 + 4 = 7.\nThe answer is 7 * 2 = 15.").isArithmeticRight)
    }

    @Test("displays of LaTeX are one step with their sentence")
    func displays() {
        let text = """
            We add both:
            \\begin{align*}
            3 + 4 &= 7 \\\\
            7 + 1 &= 8
            \\end{align*}
            which is even.
            Then we double: \\[
            8 \\times 2 = 16
            \\]
            #### 16
            """
        let solution = WorkedSolution.parse(text)
        #expect(solution.steps.count == 2)
        #expect(solution.steps.first?.text.hasSuffix("which is even.") == true)
        #expect(solution.steps.map { $0.calculations.map(\.value) } == [["7", "8"], ["16"]])
    }

    @Test("what a model that runs on writes behind its answer is no step")
    func runOn() {
        #expect(
            steps("5 + 13 = 18\nSo 18.\n#### 18\n\nQuestion: 3 + 4?\n3 + 4 = 8\n#### 8") == ["5 + 13 = 18", "So 18."]
        )
    }

    @Test("any soup of lines is read, in seconds, with no more steps and text than there is")
    func soup() {
        let pieces = [
            "Step 1:", "1. ", "2) ", "- ", "* ", "**", "#", "\\[", "\\]", "$$", "\\begin{align}", "\\end{align}", "\n",
            "\n", "\r\n",
            "3 + 4 = 7", "Answer", "the answer is", "a", "b.", " ", "```", "---", "<think>", "</think>", "\u{301}",
            "Question:",
        ]
        var random = ReasoningRandom(seed: 5)
        for _ in 0..<3_000 {
            let text = (0..<random.integer(0...30)).compactMap { _ in random.pick(pieces) }.joined()
            let solution = WorkedSolution.parse(text)
            let length = solution.steps.map(\.text.utf8.count).reduce(0, +)
            #expect(length <= 2 * text.utf8.count, "\(text.debugDescription)")
            #expect(solution.steps.allSatisfy { !$0.text.isEmpty && !$0.text.contains(where: \.isNewline) })
        }
        for piece in pieces + ["Step 1:\na\n", "1. a\n", "\\[\n", "a\n", "\\[a\\]\n"] {
            let time = processorTime {
                _ = WorkedSolution.parse(String(repeating: piece, count: (1 << 16) / piece.utf8.count))
                _ = WorkedSolution.parse(
                    "Step 1: a\n" + String(repeating: piece + "\n", count: (1 << 15) / (piece.utf8.count + 1))
                )
            }
            #expect(time < .seconds(2), "\(piece.debugDescription) took \(time)")
        }
    }
}
