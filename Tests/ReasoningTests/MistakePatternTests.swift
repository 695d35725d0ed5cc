import DataSupport
import Foundation
import Reasoning
import Testing

@Suite("Patterns of mistakes")
struct MistakePatternTests {
    @Test(
        "a classifier's answer is read by names or letters, whatever is around them",
        arguments: [
            ("<Rationale>x</Rationale><Category>logical</Category>", "logical"),
            ("<category> Calculation </CATEGORY>", "calculation"),
            ("<Category>calculation + logical</Category>", "logical+calculation"),
            ("<Category>knowledge error, numerical calculation error</Category>", "knowledge+calculation"),
            ("<Category: >(b)", "knowledge"),
            ("<Category>a+b+c</Category>", "logical+knowledge+calculation"),
            ("Rationale: it is c.\nCategory: a+c", "logical+calculation"),
            ("**Category**: d", "other"), ("<Category>other</Category>", "other"),
            ("<Category>logical reasoning and knowledge</Category>", "logical+knowledge"),
            ("<Category>d+a</Category>", "logical"),
            ("<Category>logical</Category> or rather <Category>knowledge</Category>", "knowledge"),
        ]
    )
    func read(text: String, name: String) throws {
        let pattern = try MistakePattern.parse(text)
        #expect(pattern.name == name)
        #expect(try MistakePattern.parse("<Category>\(name)</Category>") == pattern)
    }

    @Test(
        "what names no category is refused",
        arguments: [
            "", "logical", "<Category></Category>", "<Category>e</Category>", "<Category>typo</Category>", "<category",
        ]
    )
    func refused(text: String) {
        let error = #expect(throws: ReasoningError.self) { try MistakePattern.parse(text) }
        #expect(error?.code == .malformedMistake)
    }

    @Test("arbitrary and endless texts are read or refused in bounded time")
    func endless() {
        let parts = ["<category>", "category:", "a+", "\u{0}", "</", "logical", "<", "é", "\n"]
        for part in parts {
            let text = String(repeating: part, count: 200_000)
            let time = processorTime { _ = try? MistakePattern.parse(text) }
            #expect(time < .seconds(5), "\(part) took \(time)")
        }
    }
}
