import Foundation
import ModelFiles
import Testing

@testable import TemplateEngine

/// Templates with what transformers makes of them: `templates.json`, which `make_templates.py` beside it writes.
struct GoldenFile: Sendable {
    struct Case: Sendable {
        let template: String
        let variables: TemplateVariables
        let expected: JSONNode
    }

    /// What `strftime_now` takes for now.
    let moment: TemplateMoment
    /// The small templates by what they are about.
    let snippets: [String: [Case]]
    /// The chat templates by name, each with all conversations.
    let chats: [String: [(conversation: String, case: Case)]]
    /// Moments with what Python's `strftime` writes for a format.
    let dates: [(moment: TemplateMoment, format: String, text: String)]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens")

    /// Read once: every test of this module uses it.
    static let shared = Result { try GoldenFile() }

    private init() throws {
        let document = try Self.json("templates.json")
        let special = TemplateVariables(try #require(document["special_tokens"]?.object))
        let common = TemplateVariables(try #require(document["variables"]?.object))
        moment = try Self.moment(#require(document["now"]?.string))
        snippets = try Dictionary(
            uniqueKeysWithValues: #require(document["snippets"]?.object).map { name, cases in
                (
                    String(decoding: name, as: UTF8.self),
                    try #require(cases.array).map { node in
                        var variables = common
                        variables.merge(TemplateVariables(node["variables"]?.object ?? []))
                        return Case(
                            template: try #require(node["template"]?.string),
                            variables: variables,
                            expected: try #require(node["expected"])
                        )
                    }
                )
            }
        )
        let conversations = try #require(Self.json("conversations.json").object)
        chats = try Dictionary(
            uniqueKeysWithValues: #require(document["chats"]?.object).map { name, expectations in
                let name = String(decoding: name, as: UTF8.self)
                let template = try Self.text("chats/\(name).jinja")
                return (
                    name,
                    try conversations.map { key, conversation in
                        var variables = special
                        variables.merge(TemplateVariables(try #require(conversation.object)))
                        let key = String(decoding: key, as: UTF8.self)
                        let expected = try #require(expectations[key])
                        return (key, Case(template: template, variables: variables, expected: expected))
                    }
                )
            }
        )
        dates = try #require(document["dates"]?.array).map { node in
            (
                try Self.moment(#require(node["moment"]?.string)), try #require(node["format"]?.string),
                try #require(node["text"]?.string)
            )
        }
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appendingPathComponent(path)), as: UTF8.self)
    }

    private static func json(_ path: String) throws -> JSONNode {
        try JSONNode.parse(Data(contentsOf: folder.appendingPathComponent(path)))
    }

    /// A moment in the form of ISO 8601, without a time zone.
    static func moment(_ text: String) throws -> TemplateMoment {
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        try #require(numbers.count >= 6)
        return try #require(
            TemplateMoment(
                year: numbers[0],
                month: numbers[1],
                day: numbers[2],
                hour: numbers[3],
                minute: numbers[4],
                second: numbers[5],
                microsecond: numbers.count > 6 ? numbers[6] : 0
            )
        )
    }
}

/// Renders a case and says how the result differs from what is expected; nil where it does not.
///
/// Of an error only that there is one counts, not its words. Spans of generation blocks are compared where they are known.
func difference(
    _ template: String,
    _ variables: TemplateVariables,
    _ expected: JSONNode,
    at moment: TemplateMoment,
    hasSpans: Bool = true
) throws -> String? {
    let outcome = Result {
        try TemplateProgram(source: template, name: "golden").render(variables, at: moment)
    }
    switch (outcome, expected["text"]?.bytes) {
    case (.success(let rendering), let text?):
        guard rendering.bytes == text else {
            return
                "\(rendering.text.debugDescription) instead of \(String(decoding: text, as: UTF8.self).debugDescription)"
        }
        let spans = try (expected["spans"]?.array ?? []).map { span in
            let bounds = try #require(span.array).map { try #require($0.integer) }
            return bounds[0]..<bounds[1]
        }
        return rendering.generationSpans == spans || !hasSpans
            ? nil : "spans \(rendering.generationSpans) instead of \(spans)"
    case (.success(let rendering), nil): return "\(rendering.text.debugDescription) instead of an error"
    case (.failure(let error), .some): return "\(error) instead of a text"
    case (.failure(let error), nil): return error is TemplateError ? nil : "an error of another type: \(error)"
    }
}
