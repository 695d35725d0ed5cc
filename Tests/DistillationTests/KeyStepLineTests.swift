import Distillation
import Foundation
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
            weights: KeyStepWeights(alpha: 2, beta: 0.5, gamma: 0.25)
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
}
