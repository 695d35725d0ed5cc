import ArgumentParser
import Foundation
import LanguageModel
import ModelFiles
import TensorEngine
import Tokenization

/// What a comparison needs and no command shows: a model's logits.
@main
struct ParityProbe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parity-probe",
        abstract: "Computes a model's logits of sequences of tokens, for comparisons with other programs."
    )

    @Argument(help: "A folder in Hugging Face layout, or a GGUF file.") var model: String
    @Option(help: "The sequences: JSON lines, each a list of ids.") var sequences: String
    @Option(help: "Where the logits of every token go: float32, little-endian, one sequence after the other.")
    var logits: String

    func run() throws {
        let model = try CausalLanguageModel.load(folder: URL(fileURLWithPath: model))
        try Data().write(to: URL(fileURLWithPath: logits))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: logits))
        var logProbability = 0.0
        var count = 0
        for (index, line) in try Data(contentsOf: URL(fileURLWithPath: sequences)).split(separator: 0x0A).enumerated() {
            guard let ids = try JSONNode.parse(line).array?.map({ $0.integer.flatMap(TokenID.init(exactly:)) }),
                !ids.isEmpty, !ids.contains(nil)
            else {
                throw ValidationError("\(sequences):\(index + 1) is no list of ids")
            }
            let sequence = ids.compactMap { $0 }
            for values in try model.logits([sequence]) {
                try file.write(contentsOf: values.map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0) })
            }
            for value in try model.score([sequence])[0] {
                logProbability += Double(value)
                count += 1
            }
        }
        try file.close()
        print("{\"perplexity\": \(exp(-logProbability / Double(max(1, count)))), \"predicted_tokens\": \(count)}")
    }
}
