import Distillation
import Foundation
import Reasoning
import Testing
import Tokenization
import Training

@Suite("Key steps from a file")
struct KeyStepLineTests {
    private func reader() throws -> TrainingDataReader {
        // One token a byte, so that the alignment can be read off the text.
        let tokenizer = try BytePairTrainer().train(["x"], vocabularySize: 257)
        return try TrainingDataReader(
            tokenizer: tokenizer,
            chat: .failure(TokenizationError(.unsupported, place: "m", "none")),
            endOfText: try #require(tokenizer.eosTokenID),
            maximumLength: 64
        )
    }

    @Test("key tokens weigh alpha on the right and minus beta on the wrong; the rest gamma and nothing")
    func weights() throws {
        let lines = #"{"prompt": "2+2", "right": "so 4.", "wrong": "so 5."}"#
        let read = try reader().keySteps(
            Data(lines.utf8),
            place: "f",
            options: KeyStepOptions(alpha: 2, beta: 0.5, gamma: 0.25)
        )
        try #require(read.examples.count == 2)
        let (right, wrong) = (read.examples[0], read.examples[1])
        #expect(right.weights == [0, 0, 0, 0.25, 0.25, 0.25, 2, 0.25, 0.25])
        #expect(wrong.weights == [0, 0, 0, 0, 0, 0, -0.5, 0, 0])
        #expect(right.responseLength == 6 && wrong.responseLength == 6)
        #expect(right.tokens.count == 9)
    }

    @Test("chosen and rejected may stand for right and wrong; equal chains are told")
    func names() throws {
        let lines =
            #"{"prompt": "p", "chosen": "ab", "rejected": "b"}"# + "\n"
            + #"{"prompt": "p", "right": "a", "wrong": "a"}"#
        let read = try reader().keySteps(Data(lines.utf8), place: "f")
        #expect(read.examples.map(\.weights) == [[0, 1, 0, 0], [0, 0, 0]])
        #expect(read.rejected.map(\.number) == [2])
        #expect(read.rejected[0].reason.contains("\"right\" and \"wrong\" are the same"))
    }

    @Test("the tie rule decides which of equally short scripts is read: one token moved, or two replaced")
    func tieRule() throws {
        let lines = #"{"prompt": "p", "right": "ab", "wrong": "ba"}"#
        func weights(_ rule: KeyStepAlignment.TieRule) throws -> [Float] {
            try reader().keySteps(Data(lines.utf8), place: "f", options: KeyStepOptions(tieRule: rule))
                .examples[0].weights
        }
        #expect(try weights(.edit) == [0, 0, 1, 0])
        #expect(try weights(.canonical) == [0, 1, 1, 0])
    }

    @Test("a random control has as many key tokens in each chain, at places of the seed, and never the end of text")
    func randomControl() throws {
        let lines = (0..<20).map { #"{"prompt": "p", "right": "is \#($0) + 4 so 14.", "wrong": "is \#($0) - 4."}"# }
        func read(_ choice: KeyTokenChoice) throws -> [[Float]] {
            try reader().keySteps(
                Data(lines.joined(separator: "\n").utf8),
                place: "f",
                options: KeyStepOptions(beta: 0.5, gamma: 0.25, keyTokens: choice)
            ).examples.map(\.weights)
        }
        let (edit, first, second) = (try read(.edit), try read(.random(seed: 1)), try read(.random(seed: 2)))
        #expect(first == (try read(.random(seed: 1))), "the same seed draws the same places")
        #expect(first != second && first != edit)
        for (drawn, located) in zip(first + second, edit + edit) {
            #expect(drawn.sorted() == located.sorted(), "as many of each weight")
            #expect(drawn.last == located.last && drawn.first == 0)
        }
        let places = first.flatMap { weights in weights.indices.filter { weights[$0] == 1 } }
        #expect(Set(places).count > 12, "a right chain has 15 or 16 tokens")
    }
}
