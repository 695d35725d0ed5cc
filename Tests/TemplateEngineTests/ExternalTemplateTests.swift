import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import TemplateEngine

/// Chat templates of published models, with what transformers renders.
@Suite("Published chat templates", .external)
struct ExternalTemplateTests {
    @Test("published chat templates render as in transformers")
    func published() throws {
        let document = try JSONNode.parse(Data(contentsOf: TestData.external("chat_templates/conversations.json")))
        let conversations = try #require(document["conversations"]?.object)
        let special = TemplateVariables(try #require(document["special_tokens"]?.object))
        let moment = try GoldenFile.moment(#require(document["now"]?.string))
        let templates = try TestData.lines(TestData.external("chat_templates/templates.jsonl"))
        #expect(templates.count == 55)
        #expect(conversations.count == 12)
        for line in templates {
            let node = try JSONNode.parse(Array(line.utf8))
            let name = try #require(node["name"]?.string)
            let template = try #require(node["template"]?.string)
            for (key, conversation) in conversations {
                let key = String(decoding: key, as: UTF8.self)
                var variables = special
                variables.merge(TemplateVariables(try #require(conversation.object)))
                let expected = try #require(node["expected"]?[key])
                let difference = try difference(template, variables, expected, at: moment, hasSpans: false)
                #expect(difference == nil, "\(name), \(key)")
            }
        }
    }
}
