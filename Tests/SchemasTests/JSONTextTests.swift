import Foundation
import Testing

@testable import Schemas

@Suite("JSON that is written without an encoder")
struct JSONTextTests {
    private func check(_ event: KeyStepsEvent) throws {
        let written = try EventCoding.encode(event)
        let expected = try EventCoding.encodeJSON(event)
        #expect(String(decoding: written, as: UTF8.self) == String(decoding: expected, as: UTF8.self))
    }

    @Test("key steps are written byte for byte as the encoder writes them, with and without a form")
    func keySteps() throws {
        var event = Samples.keySteps
        try check(event)
        event.format = nil
        event.right.spans = []
        event.right.weights = []
        event.right.tokens = 0
        try check(event)
    }

    @Test("every character is marked as the encoder marks it")
    func texts() throws {
        var event = Samples.keySteps
        let ascii = (0..<128).map { String(UnicodeScalar(UInt8($0))) }
        for text in ascii + ["\"\"", "\\n/", "ü😀\u{2028}\u{FFFD}", "a\u{0}", "e\u{301}", "\r\n\t\u{8}\u{c}\u{1f}"] {
            event.right.text = "so 5 " + text
            event.wrong.text = text + " so 6"
            try check(event)
        }
    }

    @Test("numbers are written as the encoder writes them")
    func numbers() throws {
        var event = Samples.keySteps
        var generator = SystemRandomNumberGenerator()
        let fixed: [Double] = [0, -0.0, 1, 0.1, 0.025, 1e-7, 123.456_789, 1_000, 5e-324, 1.0 / 3]
        for value in fixed + (0..<500).map({ _ in .random(in: 0...1_000, using: &generator) }) {
            event.alpha = value
            event.beta = value / 7
            event.wrong.weights = [
                WeightRun(count: 1, weight: -Float(value)), WeightRun(count: 1, weight: Float(value) / 1_000_003),
            ]
            event.distance = Int.random(in: 0...Int.max, using: &generator) >> Int.random(in: 0..<63, using: &generator)
            try check(event)
        }
    }

    @Test("what cannot be valid is refused before it is written")
    func refused() throws {
        var event = Samples.keySteps
        event.wrong.weights[1].weight = .nan
        let error = #expect(throws: SchemasError.self) { try EventCoding.encode(event) }
        #expect(error?.message.contains("$.wrong.weights[1].weight") == true)
        event = Samples.keySteps
        event.alpha = .infinity
        #expect(throws: SchemasError.self) { try EventCoding.encode(event) }
    }
}
