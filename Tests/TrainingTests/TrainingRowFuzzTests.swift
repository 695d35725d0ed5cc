import DataSupport
import Foundation
import NumericSupport
import Testing
import Tokenization

@testable import Training

@Suite("Training data of anyone", .timeLimit(.minutes(5)))
struct TrainingRowFuzzTests {
    private static let lines = [
        #"{"prompt":"What is 1 + 1?","completion":" 2","id":"a"}"#,
        #"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"yo"}]}]}"#,
        #"{"prompt":"a","chosen":"b","rejected":"c","tools":null}"#, #"{"text":"whole"}"#,
        #"{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"chat_template_kwargs":{"x":1}}"#,
    ].map { [UInt8]($0.utf8) }

    @Test("mutated rows are read within the maximum length, or left out with a reason")
    func rows() throws {
        let tokenizer = try Tokenizer(folder: try Golden.url("tok/qwen2-512"))
        let template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
        let reader = try TrainingDataReader(
            tokenizer: tokenizer,
            chat: Result { ChatEncoder(template: try ChatTemplate(source: template), tokenizer: tokenizer) },
            endOfText: try #require(tokenizer.eosTokenID),
            maximumLength: 64
        )
        let file = Array(Self.lines.joined(separator: [0x0A]))
        var mutator = ByteMutator(
            seed: 1,
            words: ["\n", "\"role\":\"assistant\"", "\"content\":null", "\"tools\":[{}]"]
        )
        var read = 0
        for _ in 0..<ByteMutator.rounds(600) {
            let data = Data(mutator.mutant(of: Self.lines + [file]))
            do {
                let found = try reader.supervised(data, place: "x")
                #expect(found.examples.allSatisfy { $0.tokens.count <= 64 })
                read += 1
            } catch is TrainingError {
            } catch is TokenizationError {}
            do {
                let found = try reader.preferences(data, place: "x")
                #expect(found.examples.allSatisfy { $0.prompt.count + max($0.chosen.count, $0.rejected.count) <= 64 })
            } catch is TrainingError {
            } catch is TokenizationError {}
        }
        #expect(read > 20)
    }
}
