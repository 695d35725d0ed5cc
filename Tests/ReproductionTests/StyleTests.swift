import Reasoning
import Testing

@Suite("Styles of responses")
struct StyleTests {
    @Test("every style holds the steps and an answer that can be read", arguments: ResponseStyle.allCases)
    func answers(style: ResponseStyle) throws {
        let template = ThoughtTemplate(
            steps: [
                TemplateStep(text: "Ana has 3 + 4 = 7 shells.", keyNotes: ["Add what she finds."]),
                TemplateStep(text: "She keeps 7 - 2 = 5 shells."),
            ],
            generalization: "Go through what happens in order.",
            answer: "5"
        )
        let response = style.response(template)
        #expect(AnswerExtraction.extract(response) == "5")
        #expect(response.contains("Ana has 3 + 4 = 7 shells."))
        #expect(response.contains("Add what she finds.") == (style != .chain))
        #expect(response.contains("in order") == ![.chain, .chainWithNotes].contains(style))
        #expect(style == .template || !response.contains("<"))
    }
}
