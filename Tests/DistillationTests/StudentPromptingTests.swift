import Distillation
import Foundation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("How a student is asked")
struct StudentPromptingTests {
    private static let chain = """
        You solve word problems. Write one short step a line, each with its calculation as "a + b = c". End with a line \
        "#### N"
        where N is the bare number.
        """
    private static let template = """
        You solve word problems. Put each step into its own element: <Step1>…</Step1>, <Step2>…</Step2> and so on. Where a
        step is easy to get wrong, put a reminder to yourself inside it as <Key>…</Key>. After the steps write the method for
        problems like this one in <Generalized>…</Generalized>, then the bare result in <Answer>…</Answer>.
        """
    private static let correction = """
        You check an attempt at a problem, whose steps are numbered. Write the number of the first step that is wrong, then why
        it is wrong, in one sentence, as <Cause>…</Cause>, and what the step should have been as <Correction>…</Correction>. End
        with the right bare result in <Answer>…</Answer>. If no step is wrong, write the result alone.
        """
    private static let shots = [
        StudentCodec.Shot(question: "1 + 1?", response: " 1 + 1 = 2\n#### 2"),
        StudentCodec.Shot(question: "2 + 2?", response: " 2 + 2 = 4\n#### 4"),
    ]

    // MARK: Plain text

    @Test("as text: instructions, then the question under its heading")
    func text() throws {
        let codec = try ChatStudent(template: nil).codec(RunPrompt(style: "text"))
        #expect(
            codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?"))
                == Self.chain + "\n\n### Problem\n3 + 3?\n### Response\n"
        )
        #expect(
            codec.text(try codec.prompt(.hierarchicalThought, question: "3 + 3?"))
                == Self.template + "\n\n### Problem\n3 + 3?\n### Response\n"
        )
        #expect(
            codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?", shots: Self.shots))
                == Self.chain + "\n\n### Problem\n1 + 1?\n### Response\n1 + 1 = 2\n#### 2\n\n"
                + "### Problem\n2 + 2?\n### Response\n2 + 2 = 4\n#### 4\n\n### Problem\n3 + 3?\n### Response\n"
        )
    }

    @Test("as text: a correction has one heading over the problem and one over the attempt's numbered steps")
    func textCorrection() throws {
        let codec = try ChatStudent(template: nil).codec(RunPrompt(style: "text"))
        let prompt = codec.text(try codec.correctionPrompt(question: "3 + 3?", attempt: ["3 + 3 = 7", "So 7."]))
        #expect(prompt.hasPrefix(Self.correction + "\n\n### Problem\n"))
        #expect(prompt.hasSuffix("### Problem\n3 + 3?\n### Attempt\n1. 3 + 3 = 7\n2. So 7.\n### Response\n"))
        #expect(prompt.split(separator: "### Problem").count == 2)
    }

    // MARK: Chat

    @Test("by chat template: the instructions as its system message, solved problems as turns")
    func chat() throws {
        let codec = try ChatStudent().codec(RunPrompt(style: "chat"))
        let start = "<|im_start|>system\n\(Self.chain)<|im_end|>\n"
        let end = "<|im_start|>user\n3 + 3?<|im_end|>\n<|im_start|>assistant\n"
        #expect(codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?")) == start + end)
        #expect(
            codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?", shots: Self.shots))
                == start + "<|im_start|>user\n1 + 1?<|im_end|>\n<|im_start|>assistant\n1 + 1 = 2\n#### 2<|im_end|>\n"
                + "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n2 + 2 = 4\n#### 4<|im_end|>\n" + end
        )
        #expect(
            codec.text(try codec.prompt(.hierarchicalThought, question: "3 + 3?"))
                == "<|im_start|>system\n\(Self.template)<|im_end|>\n" + end
        )
        #expect(
            codec.text(try codec.correctionPrompt(question: "3 + 3?", attempt: ["3 + 3 = 7", "So 7."]))
                == "<|im_start|>system\n\(Self.correction)<|im_end|>\n<|im_start|>user\n"
                + "### Problem\n3 + 3?\n### Attempt\n1. 3 + 3 = 7\n2. So 7.<|im_end|>\n<|im_start|>assistant\n"
        )
    }

    @Test("a template that refuses a system role gets the instructions in the first turn of the user")
    func withoutSystem() throws {
        let codec = try ChatStudent(template: ChatStudent.withoutSystem).codec(RunPrompt(style: "chat"))
        #expect(
            codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?"))
                == "<|im_start|>user\n\(Self.chain)\n\n3 + 3?<|im_end|>\n<|im_start|>assistant\n"
        )
        #expect(
            codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?", shots: Array(Self.shots.prefix(1))))
                == "<|im_start|>user\n\(Self.chain)\n\n1 + 1?<|im_end|>\n<|im_start|>assistant\n1 + 1 = 2\n#### 2<|im_end|>\n"
                + "<|im_start|>user\n3 + 3?<|im_end|>\n<|im_start|>assistant\n"
        )
    }

    @Test("a template that passes over a system message without a word gets the instructions in the user's turn too")
    func silentSystem() throws {
        let silent =
            #"{%- for m in messages %}{%- if m.role != 'system' %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"#
            + #"{{ '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"#
            + #"{%- endif %}"#
        let codec = try ChatStudent(template: silent).codec(RunPrompt(style: "chat"))
        let prompt = codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?"))
        #expect(prompt.contains(Self.chain))
    }

    // MARK: Every form

    @Test("a run's own instructions stand in place of those for chains and templates, not of those for corrections")
    func system() throws {
        for (style, mark) in [("text", "Be brief.\n\n### Problem"), ("chat", "system\nBe brief.<|im_end|>")] {
            let codec = try ChatStudent().codec(RunPrompt(style: style, system: "Be brief."))
            for format in [StudentFormat.chainOfThought, .hierarchicalThought] {
                let prompt = codec.text(try codec.prompt(format, question: "3 + 3?"))
                #expect(prompt.contains(mark) && !prompt.contains("You solve word problems"))
            }
            let prompt = codec.text(try codec.correctionPrompt(question: "3 + 3?", attempt: ["7"]))
            #expect(prompt.contains(Self.correction) && !prompt.contains("Be brief"))
        }
    }

    @Test("no student reads the line that only the simulated teacher does", arguments: ["short", "text", "chat"])
    func noTaskLine(style: String) throws {
        for template in [ChatStudent.turns, ChatStudent.withoutSystem] {
            let codec = try ChatStudent(template: template).codec(RunPrompt(style: style))
            for prompt in [
                try codec.prompt(.chainOfThought, question: "Q?", shots: Self.shots),
                try codec.prompt(.hierarchicalThought, question: "Q?"),
                try codec.correctionPrompt(question: "Q?", attempt: ["a"]),
            ] { #expect(!codec.text(prompt).contains("Task:")) }
        }
    }

    @Test("the short form is what it was: a few marks, and solved problems before the question")
    func short() throws {
        for prompt in [nil, RunPrompt(), RunPrompt(style: "short")] {
            let codec = try ChatStudent(template: nil).codec(prompt)
            #expect(codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?")) == "Q: 3 + 3?\nA:")
            #expect(codec.text(try codec.prompt(.hierarchicalThought, question: "3 + 3?")) == "Q: 3 + 3?\nT:")
            #expect(
                codec.text(try codec.correctionPrompt(question: "3 + 3?", attempt: ["7", "8"]))
                    == "Q: 3 + 3?\nS:\n1. 7\n2. 8\nC:"
            )
            #expect(
                codec.text(try codec.prompt(.chainOfThought, question: "3 + 3?", shots: Self.shots))
                    == "Q: 1 + 1?\nA: 1 + 1 = 2\n#### 2\n\nQ: 2 + 2?\nA: 2 + 2 = 4\n#### 4\n\nQ: 3 + 3?\nA:"
            )
        }
    }

    @Test(
        "only in the short form does a response begin with a blank, which the name of the pair's form tells",
        arguments: [("short", " 3\n#### 3⏹", ""), ("text", "3\n#### 3⏹", "/bare"), ("chat", "3\n#### 3⏹", "/bare")]
    )
    func blanks(style: String, response: String, mark: String) throws {
        let codec = try ChatStudent().codec(RunPrompt(style: style))
        #expect(codec.text(codec.response(" 3\n#### 3")) == response)
        #expect(codec.text(codec.response("3")) == "3⏹")
        #expect(codec.keyStepFormat(.chainOfThought) == "chain" + mark)
        #expect(codec.keyStepFormat(.hierarchicalThought) == "template" + mark)
        let example = codec.supervised(prompt: [7, 8], response: " 3\n#### 3")
        #expect(example.tokens.starts(with: [7, 8]) && example.weights.prefix(3) == [0, 0, 1])
        #expect(codec.text(example.tokens.dropFirst(2)) == response)
    }

    @Test("an answer ends at the end of text, and in a chat at the end of the turn")
    func stopTokens() throws {
        func stops(_ student: ChatStudent, _ style: String) throws -> [String] {
            let codec = try student.codec(RunPrompt(style: style))
            return codec.stopTokens.map { codec.tokenizer.decode([$0], skipSpecialTokens: false) }
        }
        #expect(try stops(ChatStudent(), "short") == ["<|endoftext|>"])
        #expect(try stops(ChatStudent(), "text") == ["<|endoftext|>"])
        #expect(try stops(ChatStudent(), "chat") == ["<|endoftext|>", "<|im_end|>"])
        let same = ChatStudent(template: ChatStudent.turns.replacing("<|im_end|>", with: "<|endoftext|>"))
        #expect(try stops(same, "chat") == ["<|endoftext|>"])
    }

    @Test("a form that is unknown, or that the student cannot be asked in, is told when the codec is made")
    func refusals() {
        func failure(_ student: ChatStudent, _ style: String) -> String {
            StageSamples.failure { _ = try student.codec(RunPrompt(style: style)) }
        }
        #expect(failure(ChatStudent(), "riddle") == "prompt.style is 'riddle'; known are short, text, chat")
        #expect(failure(ChatStudent(template: nil), "chat").contains("no chat template"))
        let shut = ChatStudent(template: "{{ raise_exception('closed today') }}")
        #expect(failure(shut, "chat").contains("closed today"))
        #expect(failure(shut, "text").isEmpty)
    }
}
