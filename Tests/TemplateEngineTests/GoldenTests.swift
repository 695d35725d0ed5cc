import ModelFiles
import Testing

@testable import TemplateEngine

@Suite("Goldens of transformers")
struct GoldenTests {
    @Test(
        "small templates render as in transformers",
        arguments: ["expressions", "statements", "whitespace", "filters", "methods"]
    )
    func snippets(group: String) throws {
        let golden = try GoldenFile.shared.get()
        let cases = try #require(golden.snippets[group])
        #expect(cases.count >= 40)
        for item in cases {
            let difference = try difference(item.template, item.variables, item.expected, at: golden.moment)
            #expect(difference == nil, "\(item.template.debugDescription)")
        }
    }

    @Test(
        "chat templates of many styles render as in transformers",
        arguments: [
            "bracketed-tools-with-ids", "documents-and-macros", "headers-tools-dates", "instruction-brackets",
            "marked-up-tools", "numbered-parts", "responses-for-training", "running-flags", "schema-as-types",
            "system-into-first-turn", "thinking-and-tools", "turns-with-marks",
        ]
    )
    func chats(name: String) throws {
        let golden = try GoldenFile.shared.get()
        let cases = try #require(golden.chats[name])
        #expect(cases.count == 14)
        for (conversation, item) in cases {
            let difference = try difference(item.template, item.variables, item.expected, at: golden.moment)
            #expect(difference == nil, "\(conversation)")
        }
    }

    @Test("every group of the goldens is tested")
    func completeness() throws {
        let golden = try GoldenFile.shared.get()
        #expect(golden.snippets.count == 5)
        #expect(golden.chats.count == 12)
        #expect(golden.chats.values.joined().contains { $0.case.expected["spans"] != nil })
        #expect(golden.chats.values.joined().contains { $0.case.expected["error"] != nil })
    }

    @Test("a golden that differs is noticed")
    func noticesDifferences() throws {
        let golden = try GoldenFile.shared.get()
        let text: JSONNode = .object([(Array("text".utf8), .string(Array("a".utf8)))])
        let error: JSONNode = .object([(Array("error".utf8), .string(Array("TypeError".utf8)))])
        let generation = "{% generation %}a{% endgeneration %}"
        #expect(try difference("a", [:], text, at: golden.moment) == nil)
        #expect(try difference("b", [:], text, at: golden.moment) != nil)
        #expect(try difference("a", [:], error, at: golden.moment) != nil)
        #expect(try difference("{{ 1 + 'a' }}", [:], text, at: golden.moment) != nil)
        #expect(try difference("{{ 1 + 'a' }}", [:], error, at: golden.moment) == nil)
        #expect(try difference(generation, [:], text, at: golden.moment) != nil)
    }

    @Test("dates are written as Python writes them")
    func dates() throws {
        let golden = try GoldenFile.shared.get()
        #expect(golden.dates.count > 600)
        for (moment, format, text) in golden.dates {
            let program = try TemplateProgram(source: "{{ strftime_now(f) }}", name: "date")
            let rendering = try program.render(["f": .string(Array(format.utf8))], at: moment)
            #expect(rendering.text == text, "\(format) of \(moment)")
        }
    }
}
