import Testing

@testable import Reasoning

@Suite("Templates as real models write them")
struct TemplateFormTests {
    /// Two steps, a note at the second, a method and the answer 10, in some form.
    struct Form: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        var notes = ["Each basket counts."]
        var testDescription: String { name }
    }

    private static let first = "Ann has 3 * 4 = 12 pears."
    private static let second = "She is left with 12 - 2 = 10 pears."
    private static let method = "Find the whole, then take away."

    static let tagged: [Form] = [
        .init(
            name: "attributes",
            text: """
                <Step number="1">\(first)</Step>
                <Step number='2' type="hard">\(second)<Key kind="hint">Each basket counts.</Key></Step>
                <Generalized lang="en">\(method)</Generalized><Answer value="?">10</Answer>
                """
        ),
        .init(
            name: "titles in the tags",
            text: """
                <Step 1: Find the whole>\(first)</Step 1>
                <Step 2 - Take away>\(second)<Key>Each basket counts.</Key></Step 2>
                <Generalized>\(method)</Generalized><Answer>10</Answer>
                """
        ),
        .init(
            name: "no ends at all",
            text: """
                <Step1>\(first)
                <Step2>\(second)
                <Key>Each basket counts.
                <Generalized>\(method)
                <Answer>10

                I hope this helps!
                """
        ),
        .init(
            name: "unnumbered steps without ends",
            text: """
                <Step>\(first)
                <Step>\(second)<Key>Each basket counts.</Key>
                <Generalized>\(method)</Generalized><Answer>10</Answer>
                """
        ),
        .init(
            name: "mismatched ends",
            text: """
                <Step1>\(first)</Step2>
                <Step2>\(second)<Key>Each basket counts.</Step2>
                <Generalized>\(method)</General><Answer>10</Step3>
                """
        ),
        .init(
            name: "a fence, talk around it, and an empty note",
            text: """
                Sure! Here is the template:

                ```xml
                <?xml version="1.0"?>
                <!-- my template -->
                <Template>
                <Step1>\(first)<Key></Key></Step1>
                <Step2>\(second)<Key>Each basket counts.</Key></Step2>
                <Generalized>\(method)</Generalized>
                <Answer>10</Answer>
                </Template>
                ```

                Let me know if **anything** is unclear.
                """
        ),
        .init(
            name: "emphasis, code marks and second brackets around tags",
            text: """
                **<Step1>** \(first) **</Step1>**
                `<Step2>` \(second)<<Key>>Each basket counts.<</Key>> `</Step2>`
                <<Generalized>>\(method)<</Generalized>>
                \\<Answer\\>10\\</Answer\\>
                """
        ),
        .init(
            name: "escaped slashes and cut brackets",
            text: """
                <Step1>\(first)<\\/Step1>
                <Step2>\(second)<Key>Each basket counts.<\\Key></Step2
                <Generalized>\(method)</Generalized
                <Answer>10</Answer
                """
        ),
        .init(
            name: "square brackets",
            text: """
                [Step1]\(first)[/Step1]
                [Step2]\(second)[Key]Each basket counts.[/Key][/Step2]
                [Generalized]\(method)[/Generalized][Answer]10[/Answer]
                """
        ),
        .init(
            name: "escaped as HTML",
            text: """
                &lt;Step1&gt;\(first)&lt;/Step1&gt;
                &lt;Step2&gt;\(second)&lt;Key&gt;Each basket counts.&lt;/Key&gt;&lt;/Step2&gt;
                &lt;Generalized&gt;\(method)&lt;/Generalized&gt;&lt;Answer&gt;10&lt;/Answer&gt;
                """
        ),
        .init(
            name: "labels in place of the last tags",
            text: """
                <Step1>\(first)</Step1>
                <Step2>\(second)</Step2>
                - **Key:** Each basket counts.

                **Generalization:** \(method)

                **Final Answer:** 10
                """
        ),
        .init(
            name: "calculator marks",
            text: """
                <Step1>Ann has 3 * 4 = <<3*4=12>>12 pears.</Step1>
                <Step2>She is left with 12 - 2 = <<12-2=10>>10 pears.<KeyNote>Each basket counts.</KeyNote></Step2>
                <Generalisation>\(method)</Generalisation><Final_Answer>10<<10=10>></Final_Answer>
                """
        ),
        .init(
            name: "entities and CDATA",
            text: """
                <Step1><![CDATA[Ann has 3 * 4 = 12 pears.]]></Step1>
                <Step_2>She is left with 12&nbsp;- 2 = 10 pears.<Key>Each&#32;basket counts&#46;</Key></Step_2>
                <General Method>\(method)</General Method><Ans>10</Ans>
                """
        ),
        .init(
            name: "a draft that is written anew",
            text: """
                <Step1>Ann has 3 + 4 = 7 pears.</Step1><Generalized>Add.</Generalized><Answer>7</Answer>
                That is wrong. Again:
                <Step1>\(first)</Step1>
                <Step2>\(second)<Key>Each basket counts.</Key></Step2>
                <Generalized>\(method)</Generalized><Answer>10</Answer>
                """
        ),
    ]

    static let marked: [Form] = [
        .init(
            name: "headings",
            text: """
                ### Step 1
                \(first)

                ### Step 2:
                \(second)
                **Key:** Each basket counts.

                ### Generalized
                \(method)

                ### Answer
                10
                """
        ),
        .init(
            name: "bold labels",
            text: """
                Here is the template.

                **Step 1:** \(first)
                **Step 2:** \(second)
                - *Key note:* Each basket counts.

                **Generalized:** \(method)
                **Answer:** 10
                """
        ),
        .init(
            name: "plain labels",
            text: """
                Step 1. \(first)
                Step 2) \(second)
                Key: Each basket counts.
                General method: \(method)
                Answer: 10
                """
        ),
        .init(
            name: "a numbered list with tags inside",
            text: """
                1. \(first)
                2. \(second) <Key>Each basket counts.</Key>

                <Generalized>\(method)</Generalized>
                <Answer>10</Answer>
                """
        ),
        .init(
            name: "headings with tags for the rest",
            text: """
                ## Step 1
                \(first)
                ## Step 2
                \(second)
                <Key>Each basket counts.</Key>
                <Generalized>
                \(method)
                </Generalized>
                <Answer>10</Answer>
                """
        ),
        .init(
            name: "a heading and the same label again",
            text: """
                ### Step 1
                **Step 1:** \(first)
                ### Step 2
                **Step 2:** \(second)
                **Key**: Each basket counts.

                **Generalization**
                \(method)

                #### 10
                """
        ),
    ]

    @Test("every form is read as what it says", arguments: tagged + marked)
    func forms(form: Form) throws {
        let template = try ThoughtTemplate.parse(form.text)
        let texts = template.steps.map { $0.text.replacing("\u{A0}", with: " ") }
        #expect(texts == [Self.first, Self.second])
        #expect(template.steps.map(\.keyNotes) == [[], form.notes])
        #expect(template.generalization == Self.method)
        #expect(template.answer == "10")
        #expect(template.failure(gold: "10") == nil)
        #expect(try ThoughtTemplate.parse(template.xml) == template)
    }

    @Test("a title is part of a step that headings make")
    func titles() throws {
        let template = try ThoughtTemplate.parse(
            """
            **Step 1: Find the whole**
            Ann has 3 * 4 = 12 pears.

            ### Step 2: Take away
            12 - 2 = 10.

            **Summary:** Take away.
            **Answer:** $10
            """
        )
        #expect(template.steps.map(\.text) == ["Find the whole. Ann has 3 * 4 = 12 pears.", "Take away. 12 - 2 = 10."])
        #expect(template.failure(gold: "10") == nil)
    }

    @Test("what a step calls its result is no answer")
    func results() throws {
        let text = """
            Step 1: 3 * 4 is asked for.
            Result: 12
            Step 2: 12 - 2 is asked for.
            Result: 10
            Generalized: Take away.
            Answer: 10
            """
        let template = try ThoughtTemplate.parse(text)
        #expect(template.steps.map(\.text) == ["3 * 4 is asked for. Result: 12", "12 - 2 is asked for. Result: 10"])
        #expect(template.answer == "10")
    }

    @Test("a power is no emphasis, and signs of comparison are no tags")
    func signs() throws {
        let template = try ThoughtTemplate.parse(
            """
            **Step 1:** It is **2**3 = 8**, and x<y>z and 3<5 hold.
            **Generalized:** If $a<b$ then $b>a$.
            **Answer:** 8
            """
        )
        #expect(template.steps.first?.text == "It is 2**3 = 8, and x<y>z and 3<5 hold.")
        #expect(template.generalization == "If $a<b$ then $b>a$.")
        let tagged = try ThoughtTemplate.parse(
            "<Step1>For $0<x<3$ and a<b the sum is 7.<Key>x <y</Key></Step1><Generalized>n<k, i>j</Generalized><Answer>7</Answer>"
        )
        #expect(tagged.steps.first?.text == "For $0<x<3$ and a<b the sum is 7.")
        #expect(tagged.steps.first?.keyNotes == ["x <y"])
        #expect(tagged.generalization == "n<k, i>j")
    }

    @Test(
        "the answer is read bare",
        arguments: [
            ("Albert eats 48 pieces.", "48"), ("847 / 7 = 121", "121"), ("**18**", "18"), ("\\boxed{18}", "18"),
            ("$\\boxed{18}$.", "18"), ("$18$", "18"), ("The answer is 18.", "18"), ("x = 9 + 9 = 18", "18"),
            ("72 clips (48 + 24)", "72 clips"), ("Total cost: $18", "$18"), ("`18`", "18"), ("18", "18"),
            ("$18", "$18"), ("12 apples", "12 apples"), ("(B)", "(B)"), ("\\frac{1}{2}", "\\frac{1}{2}"),
            ("She has 5 and 7 left.", "She has 5 and 7 left."), ("48 or 72", "48 or 72"), ("x = 5", "x = 5"),
            ("Half of it, 3/4 of a cup.", "Half of it, 3/4 of a cup."), ("6 + 6 = 13", "6 + 6 = 13"),
            ("6 = 6 or 6 + 6 = 12", "6 = 6 or 6 + 6 = 12"), ("She pays 12% of it.", "12%"),
            ("Albert eats 48 pieces", "48"), ("Half of 12.", "Half of 12."),
            ("At least 48 of them", "At least 48 of them"),
            ("12 / 3 = 4 thousand", "12 / 3 = 4 thousand"), ("sqrt 5 cm", "sqrt 5 cm"), ("Option B 12", "Option B 12"),
            ("5 feet 3", "5 feet 3"), ("It is not 5.", "It is not 5."),
        ]
    )
    func answers(content: String, answer: String) throws {
        let text = "<Step1>It is so.</Step1><Generalized>g</Generalized><Answer>\(content)</Answer>"
        #expect(try ThoughtTemplate.parse(text).answer == answer)
    }

    @Test(
        "without its element an answer counts where it is announced, and never as the last number",
        arguments: [
            ("<Step1>3 + 4 = 7.</Step1>\n<Generalized>Add.</Generalized>\nThe answer is 7.", "7"),
            ("<Step1>3 + 4 = 7.</Step1><Generalized>Add.</Generalized>\n\\[\\boxed{7}\\]", "7"),
            ("<Step1>3 + 4 = 7.</Step1><Generalized>Add.</Generalized>\n#### 7", "7"),
            ("<Generalized>Add.</Generalized><Step1>So the answer is \\boxed{7}.</Step1>", "7"),
            ("Step 1: 3 + 4 = 7. The answer is 7.\nGeneralized: Add.", "7"),
            ("<Step1>3 + 4 = 7.</Step1><Generalized>Add.</Generalized>\nThere are 7 of 9.", nil),
            ("<Step1>3 + 4 = 7</Step1><Generalized>Add 1.</Generalized>", nil),
        ] as [(String, String?)]
    )
    func announced(text: String, answer: String?) {
        #expect((try? ThoughtTemplate.parse(text))?.answer == answer)
    }

    @Test(
        "what cannot be read is refused by its kind",
        arguments: [
            ("", .noSteps), ("I cannot do that.", .noSteps), ("<Step1>a</Step1>", .noAnswer),
            ("<Step1></Step1><Answer>5</Answer>", .malformed),
            ("<Step1>a</Step1><Step3>b</Step3><Step2>c</Step2><Answer>5</Answer>", .malformed),
            ("<Step1>a</Step1><Step1>b</Step1><Step2>c</Step2><Answer>5</Answer>", .malformed),
            ("<Step1>a</Step1><Stp2>b</Stp2><Step3>c</Step3><Answer>5</Answer>", .malformed),
            ("<Step2>b</Step2><Step3>c</Step3><Answer>5</Answer>", .malformed),
            ("<think>\n<Step1>a</Step1><Answer>5</Answer>", .cut),
            ("<Step1>a</Step1><Answer>5</Answer></think>", .noSteps),
            ("1. a\n3. b\nAnswer: 5", .noSteps),
            (String(repeating: "<Step1>a</Step1>", count: 65) + "<Answer>5</Answer>", .tooLong),
        ] as [(String, Refusal.Kind)]
    )
    func refused(text: String, kind: Refusal.Kind) {
        let error = #expect(throws: ReasoningError.self) { try ThoughtTemplate.parse(text) }
        #expect(error.map { Refusal($0).kind } == kind)
    }

    @Test("a template is checked, and refused by kind; easy steps need no key note")
    func failures() {
        func kind(_ steps: [String], _ general: String = "g", gold: String = "5", answer: String = "5") -> Refusal.Kind?
        {
            let template = ThoughtTemplate(
                steps: steps.map { TemplateStep(text: $0) },
                generalization: general,
                answer: answer
            )
            return template.failure(gold: gold)?.kind
        }
        #expect(kind(["2 + 3 = 5."]) == nil)
        #expect(kind(["2 + 3 = 5."], gold: "6") == .wrongAnswer)
        #expect(kind(["2 + 3 = 6."]) == .arithmetic)
        #expect(kind(["2 + 3 = 5."], "") == .noGeneralization)
        #expect(kind(["As the reference solution says, 2 + 3 = 5."]) == .leak)
    }
}

@Suite("Thoughts of reasoning models")
struct ThoughtsTests {
    private static let template = "<Step1>2 + 2 = 4.</Step1><Generalized>Add.</Generalized><Answer>4</Answer>"
    private static let draft = "Hm. <Step1>2 + 2 = 5</Step1> no. <Answer>5</Answer>"

    @Test(
        "what stands before the last closing mark is a draft",
        arguments: [
            "<think>\(draft)</think>\(template)", "\(draft)\n</think>\n\n\(template)",
            "<THINK>\(draft)</ think >\(template)",
            "<think>a</think>\(draft)<think>b</think>\(template)", "<thinking>\(draft)</thinking>\(template)",
            "<thought>\(draft)</thought>\n\(template)", "[THINK]\(draft)[/THINK]\(template)",
            "<|begin_of_thought|>\(draft)<|end_of_thought|>\(template)",
            "\u{25C1}think\u{25B7}\(draft)\u{25C1}/think\u{25B7}\(template)",
            "<seed:think>\(draft)</seed:think>\(template)", "<unused94>thought\n\(draft)<unused95>\(template)",
            "<|channel|>analysis<|message|>\(draft)<|end|><|start|>assistant<|channel|>final<|message|>\(template)",
            "\(template)<|im_end|>", "\(template)\n<think>One more look:", "<Thought>\(template)</Thought>",
            "<Thought>\(template)", "<think></think>\(template)",
        ]
    )
    func drafts(text: String) throws {
        let template = try ThoughtTemplate.parse(text)
        #expect(template.steps.map(\.text) == ["2 + 2 = 4."] && template.answer == "4")
    }

    @Test(
        "thoughts that never end leave no answer, and say so",
        arguments: [
            ("<think>\(draft)", true), ("a</think>b<think>c", true), ("a</think>b", false), ("no marks", false),
            ("", false),
        ]
    )
    func open(text: String, isOpen: Bool) {
        #expect(Thoughts.split(text).endsInThoughts == isOpen)
    }

    @Test("a text without marks comes back as it is, to the byte")
    func untouched() {
        for text in ["e\u{301}\u{0}\r\n", "a < b", "[1, 2]", "<thin", "\u{25C1}"] {
            #expect(Array(Thoughts.split(text).answer.utf8) == Array(text.utf8))
        }
    }
}
