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
