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
            ("The kind of mistake is knowledge.", "knowledge"), ("This is a calculation error.", "calculation"),
            ("The wrong response makes an arithmetic mistake: 3 * 4 is 12.", "calculation"),
            ("It is a logical and a calculation mistake.", "logical+calculation"),
            ("This is not a calculation mistake. It is a logical mistake.", "logical"),
            ("It is a logical error rather than a calculation error.", "logical"),
            ("**Kind of mistake:** logical", "logical"), ("{\"category\": \"logical\"}", "logical"),
            ("<Kind>logical</Kind>", "logical"), ("logical", "logical"), ("**Calculation error**", "calculation"),
            ("<think>Maybe <Category>knowledge</Category>?</think><Category>logical</Category>", "logical"),
            ("Type: calculation error.", "calculation"),
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
            "", "<Category></Category>", "<Category>e</Category>", "<Category>typo</Category>", "<category",
            "It is a logical or a calculation mistake.", "The mistake is a bad one.", "Mistakes happen.",
            "This is a logical mistake. This is a knowledge mistake.", "Use your knowledge.", "logical or knowledge?",
            "It is not a calculation error.", "He has a lot of knowledge, and his error is big.",
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
