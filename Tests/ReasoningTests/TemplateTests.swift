import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

@Suite("Thought templates and corrections")
struct TemplateTests {
    @Test("a template survives being written and read, signs of markup included")
    func roundTrip() throws {
        let template = ThoughtTemplate(
            steps: [.init(text: "3 < 4 & so 3+4=7."), .init(text: "7*2=14.", keyNotes: ["Twice.", "Not half."])],
            generalization: "Work forwards.",
            answer: "14"
        )
        #expect(try ThoughtTemplate.parse(template.xml) == template)
        #expect(template.failure(gold: "14.0") == nil)
        #expect(template.failure(gold: "15") != nil)
    }

    @Test(
        "the tag noise of real models is read",
        arguments: [
            "<step1>a<key>k</key></step1><generalized>g</generalized><answer>5</answer>",
            "<Step 1:>a<Key>k<Key></Step 1:><Generalized:>g<Generalized:><Answer:>5</Answer:>",
            "Sure!\n<Step1>a<Evaluate>fine</Evaluate><Key>k</Key></Step1>\n<Generalized>g</Generalized>\n<Answer>5<Answer>",
            "<Step1>a <Key>k</Key>\n<Generalized>g\n<Answer>5",
        ]
    )
    func noise(text: String) throws {
        let template = try ThoughtTemplate.parse(text)
        #expect(template.steps.count == 1)
        #expect(template.steps.first?.text.hasPrefix("a") == true)
        #expect(template.steps.first?.keyNotes == ["k"])
        #expect(template.generalization == "g")
        #expect(template.answer == "5")
    }

    @Test(
        "what is no template is an error",
        arguments: ["", "no tags", "<Step1>a</Step1>", "<Answer>5</Answer>", "<Step1></Step1><Answer>5</Answer>"]
    )
    func refused(text: String) {
        #expect(throws: ReasoningError.self) { try ThoughtTemplate.parse(text) }
    }

    @Test("a correction survives being written and read")
    func correction() throws {
        let trace = CorrectionTrace(
            steps: ["3+4=7.", "7*2=15."],
            firstWrongStep: 1,
            cause: "7*2 is 14.",
            correction: "7*2=14.",
            answer: "14"
        )
        #expect(try CorrectionTrace.parse(trace.xml) == trace)
        #expect(trace.failure(gold: "14", attempt: trace.steps) == nil)
        let response = StudentFormat.response(correction: trace)
        #expect(try StudentFormat.parseCorrection(response, attempt: trace.steps) == trace)
    }

    @Test(
        "every prompt is filled, names its task and has a version",
        arguments: [
            TeacherRequest.chainOfThought(question: "QQ"), .hierarchicalThought(question: "QQ"),
            .templateExtraction(question: "QQ", reference: "RR"),
            .inspectTemplate(question: "QQ", reference: "RR", candidate: "CC"),
            .inspectCorrection(question: "QQ", reference: "RR", candidate: "CC"), .corrupt(question: "QQ", chain: "CC"),
            .rectify(question: "QQ", answer: "5"), .groundedCorrection(question: "QQ", reference: "RR", attempt: ["a"]),
            .correction(question: "QQ", attempt: ["a"]),
        ]
    )
    func prompts(request: TeacherRequest) throws {
        let messages = try request.messages()
        let text = messages.map(\.content).joined(separator: "\n")
        // A worked example turn comes before the template's question.
        let example = request.promptID == .templateExtraction ? ["user", "assistant"] : []
        #expect(messages.map(\.role) == ["system"] + example + ["user"])
        #expect(text.contains("Task: \(request.promptID.rawValue)\n"))
        #expect(messages.last?.content.contains("QQ") == true)
        #expect(!text.contains("{{") && !text.contains("### Remarks"))
        let second: [PromptID] = [
            .chainOfThought, .rectify, .hierarchicalThought, .correction, .templateExtraction, .groundedCorrection,
            .inspectTemplate, .inspectCorrection,
        ]
        let version = second.contains(request.promptID) ? "2" : "1"
        #expect(try PromptLibrary.shipped.prompt(request.promptID).version == version)
    }

    @Test("the student's own prompt for a chain is its question under instructions that name no task")
    func studentChain() throws {
        let prompt = try PromptLibrary.shipped.prompt(.studentChain)
        let messages = try prompt.messages(["question": "QQ"])
        #expect(messages.map(\.role) == ["system", "user"] && messages.last?.content == "QQ")
        #expect(messages.first?.content.hasPrefix("You solve word problems. Write one short step a line") == true)
        #expect(prompt.version == "1" && PromptID.studentChain.requiredPlaces == ["question"])
    }

    @Test("a student is asked for a correction as it is taught to write one, and for a template by its question alone")
    func studentPrompts() throws {
        let correction = try TeacherRequest.correction(question: "QQ", attempt: ["3+4=8.", "So 8."]).messages()
        let instructions = try #require(correction.first?.content)
        #expect(instructions.contains("Write the number of the first step that is wrong"))
        #expect(!instructions.contains("<Step1>"), "steps are not written again")
        #expect(correction.last?.content.hasPrefix("### Problem\nQQ\n### Attempt\n") == true)
        let template = try TeacherRequest.hierarchicalThought(question: "QQ").messages()
        #expect(template.last?.content == "QQ")
    }
}

@Suite("Answers")
struct AnswerTests {
    @Test(
        "answers are found where models put them",
        arguments: [
            ("x\n#### 1,234", "1,234"), ("so <Answer> 12 </Answer>", "12"),
            ("thus \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
            ("The answer is 42.", "42"), ("Therefore the answer is -3", "-3"), ("He has 5 and 7 left", "7"),
            ("A: 18", "18"),
        ]
    )
    func extraction(text: String, answer: String) { #expect(AnswerExtraction.extract(text) == answer) }

    @Test(
        "of a text that was cut off only an answer that it names is found, and never its last number",
        arguments: [
            ("He has 5 and 7 left", nil), ("3 + 4 = 7", nil), ("18", nil), ("x\n#### 1,234\nQ", "1,234"),
            ("x\n#### 1,234", nil),
            ("so <Answer> 12 </Answer> and 3", "12"), ("thus \\boxed{5} of 9", "5"), ("The answer is 42.\n", "42"),
            ("The answer is 42", nil), ("A: 18\nB", "18"), ("so <Answer>1", nil), ("", nil),
        ] as [(String, String?)]
    )
    func truncated(text: String, answer: String?) {
        #expect(AnswerExtraction.extract(text, isTruncated: true) == answer)
    }

    @Test(
        "equal and unequal answers",
        arguments: [
            ("18", "$18.00", true), ("1000", "1,000", true), ("1/2", "0.5", true), ("0.5", "50", false),
            ("12", "12 apples", true),
            ("10%", "10", true), ("7", "8", false), ("", "", false), ("918\\frac{1}{2}", "918.5", true),
            ("5", "5.001", false),
        ]
    )
    func equivalence(gold: String, predicted: String, equal: Bool) {
        #expect(AnswerEquivalence.equivalent(gold: gold, predicted: predicted) == equal)
    }

    @Test("every pair of the project's own list is judged as its label says")
    func pairs() throws {
        let pairs = try LabelledAnswer.read(TestData.own("answers.jsonl"))
        #expect(pairs.count == 84)
        for pair in pairs { #expect(pair.isJudgedRight, "\(pair)") }
    }

    @Test(
        "chains in the layouts that models answer in are graded by their answers alone",
        arguments: [
            "#### {}", "The answer is {}.", "So it is \\boxed{{}}.", "<Answer>{}</Answer>", "**Answer:** ${}", "{}",
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
}

/// A gold and a predicted answer, and whether they are the same.
private struct LabelledAnswer: Decodable {
    let gold: String
    let pred: String
    let equal: Bool

    static func read(_ file: URL) throws -> [Self] {
        try TestData.lines(file).map { try JSONDecoder().decode(Self.self, from: Data($0.utf8)) }
    }

    var isJudgedRight: Bool {
        func bare(_ text: String) -> String { AnswerExtraction.extract(text) ?? text }
        let isSame =
            AnswerEquivalence.equivalent(gold: gold, predicted: pred)
            || (pred.contains("boxed") && AnswerEquivalence.equivalent(gold: bare(gold), predicted: bare(pred)))
        return isSame == equal
    }
}

@Suite("Answers of others", .external)
struct ExternalAnswerTests {
    @Test(
        "labels of other tools' own tests",
        arguments: [
            ("hendrycks_math_equivalence", 0.85), ("nemo_skills", 0.75), ("math_verify_a", 0.45),
            ("simple_evals_equality_template", 0.6),
        ]
    )
    func labels(file: String, floor: Double) throws {
        let answers = try LabelledAnswer.read(TestData.external("answer_equivalence/\(file).jsonl"))
        let agree = answers.count(where: \.isJudgedRight)
        print("answers: \(file) \(agree) of \(answers.count)")
        #expect(!answers.isEmpty && Double(agree) >= floor * Double(answers.count))
    }

    @Test("real model outputs are graded as their labels say")
    func modelOutputs() throws {
        var agree = 0
        var total = 0
        for line in try TestData.lines(TestData.external("gsm8k/example_model_solutions_a.jsonl")) {
            guard let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
                continue
            }
            let gold = AnswerExtraction.extract(record["ground_truth"] as? String ?? "") ?? ""
            for case let output as [String: Any] in record.values {
                let answer = AnswerExtraction.extract(output["solution"] as? String ?? "") ?? ""
                total += 1
                if AnswerEquivalence.equivalent(gold: gold, predicted: answer) == (output["is_correct"] as? Bool) {
                    agree += 1
                }
            }
        }
        print("answers: model outputs \(agree) of \(total)")
        #expect(total > 1_000 && Double(agree) >= 0.995 * Double(total))
    }
}
