import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

@Suite("Answers in texts")
struct AnswerExtractionTests {
    @Test(
        "answers are found where models put them",
        arguments: [
            ("The answer is 60 + 30 = 90.", "90"),
            ("The answer is 42!", "42"),
            ("The answer is $4!$.", "4!"),
            ("First \\boxed{200}, then \\boxed{255}. Final Answer: The final answer is $10,455$.", "10,455"),
            ("So it is \\boxed{18}.\n\nI hope my final answer is correct.", "18"),
            ("That leaves $\\frac{3}{4} \\cdot \\pi$.", "\\frac{3}{4} \\cdot \\pi"),
            (
                "Turned by $\\begin{pmatrix}0 & -1 \\\\ 1 & 0\\end{pmatrix}$",
                "\\begin{pmatrix}0 & -1 \\\\ 1 & 0\\end{pmatrix}"
            ),
            ("In the end \\(x\\) is \\[\\sqrt{2}\\]", "\\sqrt{2}"),
            ("It costs $12 \\times 2$ and then $5 more", "5"),
            ("multiplied by $\\pi$ gives 6", "6"),
            ("So the answer is 90 pins (60 + 30).", "90"),
            ("work\n#### Final Answer\n**18**", "18"),
            ("<Answer>**18**</Answer>", "18"),
            ("<Answer>Mina eats 48 slices.</Answer>", "48"),
            ("<Answer>726 / 6 = 121</Answer>", "121"),
            ("The answer is (C) 15", "(C)"),
            ("**Answer:** 18", "18"),
            ("**Answer**: 18", "18"),
            ("Final answer: $\\boxed{18}$", "18"),
            ("so \\boxed {\\frac{1}{2}}", "\\frac{1}{2}"),
            ("ANSWER: C", "C"),
            ("Answer\n\n18", "18"),
            ("### Answer\n18 dollars", "18"),
            ("the answer is $1,450.50 per month", "1450.50"),
            ("6+12=18\n#### 18\n\nQuestion: Ida has 9 cups, one breaks.\nAnswer: 9-1=8\n#### 8", "18"),
            ("The answer is 18.\n\nQ: Bo has 4 pens.\nA: The answer is 7.", "18"),
            ("Sum: 5 + 13 = 18\n\nQuestion: Bo has 4 pens.\nAnswer: 4+3=7", "18"),
            ("Question: What is 5+13?\nAnswer: 5 + 13 = 18\n#### 18", "18"),
            ("Question 1: how many?\nAnswer: 5.\nQuestion 2: and then?\nAnswer: 18.", "18"),
            ("The answer is 18.<|im_end|>\n<|im_start|>user\nNext: the answer is 7", "18"),
            ("<think>is it 5? The answer is 5.</think>\nThe answer is 18.", "18"),
            ("maybe \\boxed{5}\n</think>\n\nThe total is 18", "18"),
            ("<think>the answer is 5, I think", nil),
            ("<think>The answer is 5.</think>", "5"),
            ("<think>5 and 6</think>", nil),
            ("From 4 it falls by 12, and so:\n-8", "-8"),
            ("Outcome:\t-8", "-8"),
            ("So the loss is *-8*", "-8"),
            ("Balance:-8", "-8"),
            ("From [-8", "-8"),
            ("y = -8", "-8"),
            ("It is now \u{2212}8", "-8"),
            ("now \u{2013}3 degrees", "-3"),
            ("The answer is \u{2212}9 euros.", "-9"),
            ("the answer is $\\frac{3}{4}$.", "\\frac{3}{4}"),
            ("The answer is x = 5.", "x = 5"),
            ("He cuts 3 2/5 metres", "3 2/5"),
            ("The answer is 3 2/5 metres.", "3 2/5"),
            ("about 3/4 of them", "3/4"),
            ("The answer is .5", ".5"),
            ("It is 25% of it", "25%"),
            ("The answer is 25%.", "25%"),
            ("The answer is 25 percent.", "25%"),
            ("The answer is 3.2 \\times 10^5.", "3.2 \\times 10^5"),
            ("so we get 3 x 10^8", "3 x 10^8"),
            ("So the answer is False.", "False"),
            ("the answer is yes", "yes"),
            ("So the answer is No, because 5 > 3.", "No"),
            ("So the answer is a b c.", "a b c"),
            ("So the answer is ( [ { } ] ).", "( [ { } ] )"),
            ("The answer is B.", "B"),
            ("So the answer is (B). ", "(B)"),
            ("Correct answer is (D) The Quiet Harbour", "(D)"),
            ("The answer is D. Mind that C looks likely.", "D"),
            ("The correct option is C.", "C"),
            ("Option B is correct.", "B"),
            ("The best choice is (D).", "(D)"),
            ("(C)", "(C)"),
            ("C", "C"),
            ("C) Paris", "C"),
            ("so it must be (C).", "(C)"),
            ("The answer is A dog.", "A dog"),
            ("The answer is Paris.", "Paris"),
            ("The answer is St. Louis.", "St. Louis"),
            ("The answer to the second question is 18.", "18"),
            ("The answer would be 18 apples", "18"),
            ("the answer comes to 18", "18"),
            ("My final answer: 18", "18"),
            ("Answer - 18", "18"),
            ("Answer: -18", "-18"),
            ("Answer = 18", "18"),
            ("Final Answer: The final answer is 18. I hope it is correct.", "18"),
            ("A: 18", "18"),
            ("A: 5\nB: 6\nC: 7\nThe answer is B", "B"),
            ("**A:** 18", "18"),
            ("\\boxed{2} and \\boxed{3}", "2, 3"),
            ("first \\boxed{2}, wrong; then we get \\boxed{3}", "3"),
            ("\\boxed{\\boxed{5}}", "5"),
            ("\\boxed{48+24=72}", "72"),
            ("\\boxed{x=5}", "x=5"),
            ("\\boxed{\\{1,2\\}}", "\\{1,2\\}"),
            ("\\boxed{5", "5"),
            ("\\boxed 5", "5"),
            (
                "The answer is\n\\[\n\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}\n\\]",
                "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"
            ),
            (
                "<Answer>\n\\begin{pmatrix} 1 \\\\\n 2 \\end{pmatrix}\n</Answer>",
                "\\begin{pmatrix} 1 \\\\\n 2 \\end{pmatrix}"
            ),
            ("The answer is 5 million.", "5 million"),
            ("The answer is 3:30 pm.", "3:30 pm"),
            ("The meeting is at 3:30", "3:30"),
            ("The answer is 5 apples and 3 oranges.", "5 apples and 3 oranges"),
            ("The answer is 2\\sqrt{3}.", "2\\sqrt{3}"),
            ("The answer is 5x.", "5x"),
            ("Answer: $x^2+1$", "x^2+1"),
            ("The area is 5 m^2", "5"),
            ("#### Step 1: add\n5+3=8\n#### Step 2: double\n8*2=16\nThe answer is 16.", "16"),
            ("#### $2,000", "$2,000"),
            ("#### 1,234", "1,234"),
            ("#### 18 apples", "18"),
            ("#### Answer: 18", "18"),
            ("The answer is 18 (eighteen).", "18"),
            ("The answer is \"18\".", "18"),
            ("The answer is `18`.", "18"),
            ("The answer is: 18", "18"),
            ("the answer is **18**.", "18"),
            ("The answer is \\(18\\).", "18"),
            ("The answer is \\[18\\]", "18"),
            ("The answer is $18$.", "18"),
            ("The answer is \\$18.", "\\$18"),
            ("<answer type=\"number\">18</answer>", "18"),
            ("<final_answer>18</final_answer>", "18"),
            ("<ANSWER>\n18\n</ANSWER>", "18"),
            ("<Answer>a &lt; b</Answer>", "a < b"),
            ("<answer><b>18</b></answer>", "18"),
            ("The answer is not 5. It is 18.", "18"),
            ("To answer the question: we add 5 and 13 to get 18", "18"),
            ("The answer key: none. So 18", "18"),
            ("The answer is: \n\n18", "18"),
            ("Total = 72 clips", "72"),
            ("The answer is Total = 72 clips.", "72"),
            ("The answer is 18 dollars for 2 days.", "18"),
            ("He has 5 and 7 left", "7"),
            ("Therefore the answer is -3", "-3"),
            ("No.", "No"),
            ("Yes", "Yes"),
            ("It follows.\nTrue", "True"),
            ("", nil),
            ("I cannot help with that.", nil),
            ("The answers are 2 and 3.", "2 and 3"),
            ("The answer is [2, 3).", "[2, 3)"),
            ("The answer is {1, 2}.", "{1, 2}"),
            ("The answer is (3, 4).", "(3, 4)"),
            ("Answer: 12/05/2020", "12/05/2020"),
            ("The answer is 5!", "5!"),
            ("the answer is 7 hours and 30 minutes", "7 hours and 30 minutes"),
            ("The final answer is $72$ clips.", "72"),
            ("Answer: $72 per day", "72"),
            ("So, she sold 18 eggs. Answer: eighteen", "eighteen"),
            ("The answer is 1/2.", "1/2"),
            ("The answer is \\frac{3}{4} of a cup.", "\\frac{3}{4}"),
            ("ANSWER: (C) 45 mph", "(C)"),
            ("The answer is (A) and (C).", "(A) and (C)"),
            ("Answer: A, C", "A, C"),
            ("Therefore, Mina eats 48 slices.\n\n**Final Answer:** 48 slices", "48"),
            ("The answer is option (B).", "(B)"),
            ("answer: (b)", "(b)"),
            ("From 20-8", "8"), ("The answer is 72, because 48 + 24 = 72 and not 70.", "72"),
            ("The answer is 18 since 5 + 13 = 18.", "18"), ("The answer is 2, 3.", "2, 3"),
            ("\\boxed{\\textbf{(B)}\\ 12}", "(B)"), ("\\boxed{\\text{(C) Rome}}", "(C)"), ("\\boxed{(3, 4)}", "(3, 4)"),
            ("The answer is 18 dollars, which is 3 times 6.", "18"), ("The answer is 3 over 4.", "3 over 4"),
        ] as [(String, String?)]
    )
    func extraction(text: String, answer: String?) { #expect(AnswerExtraction.extract(text) == answer) }

    @Test(
        "options that a sentence says to be right are found, and those that it does not are not",
        arguments: [
            ("The correct options are A and C.", "A and C"), ("The correct options: A, C", "A, C"),
            ("I think B is correct.", "B"), ("So I believe that (C) is the right answer.", "C"),
            ("Therefore both A and C are correct.", "A, C"), ("I do not think B is correct.", nil),
            ("So it holds only if A is correct.", nil), ("The options are hard to tell apart.", nil),
        ] as [(String, String?)]
    )
    func judgedOptions(text: String, answer: String?) { #expect(AnswerExtraction.extract(text) == answer) }

    @Test("a verdict on a text names the answer in it and the rule that found it")
    func verdictOfText() {
        let verdict = Grader().verdict(gold: "1/2", text: "The answer is 0.5.")
        #expect(verdict.isCorrect && verdict.rule == .number)
        #expect(verdict.extraction == ExtractedAnswer(text: "0.5", rule: .announced))
        let none = Grader().verdict(gold: "1/2", text: "Who knows?")
        #expect(!none.isCorrect && none.rule == .missing && none.extraction == nil)
        let cut = Grader().verdict(gold: "5", text: "so there are 5", isTruncated: true)
        #expect(!cut.isCorrect && cut.extraction == nil)
        #expect(Grader().verdict(gold: "5", predicted: "5").extraction == nil)
    }

    @Test(
        "the rule that fired is told, and earlier rules go before later ones",
        arguments: [
            ("The answer is 3.\n\\boxed{4}\n#### 5\n<Answer>6</Answer>", "6", "answer-tag"),
            ("The answer is 3.\n\\boxed{4}\n#### 5", "5", "marker"), ("\\boxed{4}\nThe answer is 3.", "4", "boxed"),
            ("\\boxed{4}\nFinal answer: 3.", "3", "announced"), ("It is $\\frac{1}{2}$.", "\\frac{1}{2}", "last-math"),
            ("The answer is 3. There are 9 left.", "3", "announced"), ("It fits (B).", "(B)", "option"),
            ("So it holds.\nNo.", "No", "word"), ("He has 5 and 7 left", "7", "last-number"),
        ]
    )
    func rules(text: String, answer: String, rule: String) {
        let found = AnswerExtraction.found(in: text)
        #expect(found?.text == answer && found?.rule.rawValue == rule)
    }

    @Test(
        "of a text that was cut off only an answer that it names is found, and never its last number",
        arguments: [
            ("He has 5 and 7 left", nil), ("3 + 4 = 7", nil), ("18", nil), ("x\n#### 1,234\nQ", "1,234"),
            ("x\n#### 1,234", nil), ("The answer is \\frac{1}{", nil), ("The answer is \\frac{1}{2}", nil),
            ("so <Answer> 12 </Answer> and 3", "12"), ("thus \\boxed{5} of 9", "5"), ("The answer is 42.\n", "42"),
            ("The answer is 42", nil), ("A: 18\nB", "18"), ("so <Answer>1", nil), ("", nil), ("No", nil), ("(B)", nil),
            ("<think>\\boxed{5} no", nil), ("#### 18\n\nQuestion: What is 3 + 4", "18"),
        ] as [(String, String?)]
    )
    func truncated(text: String, answer: String?) {
        #expect(AnswerExtraction.extract(text, isTruncated: true) == answer)
    }

    @Test(
        "a question that a model asks itself behind its answer is not graded, whatever marks it",
        arguments: [
            "\n\nQuestion: A hen lays 3 eggs.\nAnswer: 3\n#### 3", "\nQ: And 3?\nA: 3",
            "\n\n**Problem 2:** Three.\nThe answer is 3.",
            "\n### Question\nThree?\n#### 3", "<|im_end|>\n<|im_start|>user\nThe answer is 3.", "</s> #### 3",
            "\n\nHuman: and?\n\nAssistant: \\boxed{3}", "\nExample 2: x\n<Answer>3</Answer>",
        ]
    )
    func runOn(text: String) {
        for answer in ["#### 18", "The answer is 18.", "so \\boxed{18}.", "<Answer>18</Answer>", "5 + 13 = 18."] {
            let isMark = text.hasPrefix("<")
            if isMark, answer.hasPrefix("5") { continue }
            #expect(AnswerExtraction.extract("First 5, then 13.\n" + answer + text) == "18", "\(answer)")
        }
    }

    @Test("the numbers of a text keep their signs")
    func numbers() {
        let text = "-1 is\n-2, *-3*, (\u{2212}4) and \u{2013}5, 6-7, a-8, 9\u{2013}10, $-1,234.50, .5"
        let found = ["-1", "-2", "-3", "-4", "-5", "6", "7", "8", "9", "10", "-1234.50", "0.5"]
        #expect(AnswerExtraction.numbers(in: text) == found)
    }

    @Test("an answer far behind long thoughts is found, and one before the window is not")
    func window() {
        let long = String(repeating: "so on and on \u{1F469}\u{200D}\u{1F680} ", count: 3_000)
        #expect(AnswerExtraction.extract("<think>The answer is 3." + long + "</think>The answer is 18.") == "18")
        #expect(AnswerExtraction.extract("The answer is 3." + long) == nil)
    }

    @Test(
        "chains in the layouts that models answer in are graded by their answers alone",
        arguments: [
            "#### {}", "The answer is {}.", "So it is \\boxed{{}}.", "<Answer>{}</Answer>", "**Answer:** ${}", "{}",
            "### Final Answer\n**{}**", "The final answer is $\\boxed{{}}$.", "Answer: 0 + {} = {}", "#### {} items",
            "The answer is {} items (see above).", "<Answer>They have {} items.</Answer>",
            "ANSWER: {}\n\nQuestion: 3?\nAnswer: 3",
        ]
    )
    func layouts(layout: String) throws {
        var source = ReasoningRandom(seed: 41)
        for problem in try ProblemGenerator(seed: 40).generate(count: 150, split: .test) {
            let gold = try #require(Int(problem.answer))
            for (answer, isRight) in [(gold, true), (gold + source.integer(1...9), false)] {
                let ending = layout.replacingOccurrences(of: "{}", with: "\(answer)")
                let chain = WorkedSolution.withoutMarks(problem.solution ?? "") + "\n" + ending
                let found = AnswerExtraction.extract(chain) ?? ""
                #expect(
                    AnswerEquivalence.equivalent(gold: problem.answer, predicted: found) == isRight,
                    "\(ending): \(found)"
                )
            }
        }
    }

    @Test("any soup of marks is read, in seconds")
    func soup() {
        let pieces = [
            "<think>", "</think>", "Question:", "Q:", "A:", "answer", "The answer is ", "####", "\\boxed{", "}",
            "<Answer>",
            "</Answer>", "\n", " ", "18", "-", "\u{2212}", "1/2", "\\frac", "{", "=", "(B)", "B", "x", ".", "**", "\\[",
            "$$",
            "<|im_end|>", "\u{301}", "\u{0}", "\u{1F1E9}", "\r\n", "and", "%", ",", "000", "option", "is", "correct",
            "to",
        ]
        var random = ReasoningRandom(seed: 7)
        for _ in 0..<5_000 {
            let text = (0..<random.integer(0...24)).compactMap { _ in random.pick(pieces) }.joined()
            _ = AnswerExtraction.found(in: text, isTruncated: random.chance(0.3))
            let bare = AnswerExtraction.bare(text)
            #expect(bare.utf8.count <= text.utf8.count + 1, "\(text.debugDescription)")
        }
        for piece in pieces {
            for start in ["", "The answer is ", "<Answer>", "\\boxed{", "#### "] {
                let text = start + String(repeating: piece, count: (1 << 15) / max(piece.utf8.count, 1))
                let time = processorTime { _ = AnswerExtraction.found(in: text) }
                #expect(time < .seconds(2), "\(start)\(piece.debugDescription) took \(time)")
            }
        }
    }
}

@Suite("Answers in texts of others", .external)
struct ExternalAnswerExtractionTests {
    @Test("the answers of GSM8K's training set are all found")
    func training() throws {
        let lines = try TestData.lines(TestData.external("gsm8k/train.jsonl"))
        var found = 0
        for line in lines {
            let problem = try GSM8K.parse(line: line)
            let text = (problem.solution ?? "") + "\n#### " + problem.answer
            if AnswerExtraction.extract(text) == problem.answer { found += 1 }
        }
        #expect(lines.count == 7_473 && found == lines.count)
    }

    @Test("real model outputs are graded as their labels say")
    func modelOutputs() throws {
        var differences: [String] = []
        var total = 0
        for line in try TestData.lines(TestData.external("gsm8k/example_model_solutions_a.jsonl")) {
            let record = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let gold = AnswerExtraction.extract(record["ground_truth"] as? String ?? "") ?? ""
            for case let output as [String: Any] in record.values {
                let solution = output["solution"] as? String ?? ""
                let answer = AnswerExtraction.extract(solution) ?? ""
                total += 1
                if AnswerEquivalence.equivalent(gold: gold, predicted: answer) != (output["is_correct"] as? Bool) {
                    differences.append("\(gold) and \(answer): \(solution.suffix(80))")
                }
            }
        }
        #expect(total == 2_640 && differences.isEmpty, "\(differences)")
    }
}
