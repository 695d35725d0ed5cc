import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

private struct ForwardGolden: Decodable {
    let inputIds: [[Int32]]
    let attentionMask: [[Int]]
    let labels: [[Int32]]
    let invFreq: [Float]
    let logprobs: [[Float]]
    let loss: Double

    /// The sequences without their padding.
    var sequences: [[TokenID]] {
        zip(inputIds, attentionMask).map { ids, mask in zip(ids, mask).filter { $0.1 == 1 }.map { $0.0 } }
    }
}

@Suite("Decoder against PyTorch")
struct DecoderTests {
    @Test("logits and log-probabilities agree element by element", arguments: ["tiny-qwen2", "tiny-llama"])
    func logits(name: String) throws {
        let golden = try Golden.json("\(name).forward.json", as: ForwardGolden.self)
        let model = try Golden.model(name)
        expectClose(model.configuration.inverseFrequencies, golden.invFreq, rtol: 1e-6, "inv_freq")
        let sequences = golden.sequences
        let expected = try SafetensorsFile(url: Golden.url("\(name).logits.safetensors"))
        let logits = try model.logits(sequences)
        let logProbabilities = try model.logProbabilities(sequences)
        for (index, sequence) in sequences.enumerated() {
            expectClose(logits[index], try expected.floats("sequence.\(index)"), "logits of sequence \(index)")
            for position in 1..<sequence.count where golden.labels[index][position] != -100 {
                let value = logProbabilities[index][position - 1]
                let wanted = golden.logprobs[index][position - 1]
                #expect(abs(value - wanted) <= 1e-4 * abs(wanted) + 1e-5)
            }
        }
    }

    @Test("loss and every gradient agree element by element", arguments: ["tiny-qwen2", "tiny-llama"])
    func gradients(name: String) throws {
        let golden = try Golden.json("\(name).forward.json", as: ForwardGolden.self)
        let model = try Golden.model(name)
        let expected = try SafetensorsFile(
            url: Golden.url("\(name).grads.safetensors")
        )
        let sequences = golden.sequences
        let batch = PackedBatch(sequences)
        var rows: [Int32] = []
        var targets: [TokenID] = []
        for (index, begin) in batch.offsets.dropLast().enumerated() {
            for position in 1..<sequences[index].count where golden.labels[index][position] != -100 {
                rows.append(Int32(begin + position - 1))
                targets.append(golden.labels[index][position])
            }
        }
        let tape = Tape(context: model.context)
        let result = try tape.weightedNegativeLogLikelihood(
            model.hiddenStates(batch, tape: tape, rows: rows),
            weight: model.outputWeight,
            targets: targets,
            weights: [Float](repeating: 1 / Float(rows.count), count: rows.count)
        )
        try tape.backward()
        #expect(abs(result.loss - golden.loss) < 1e-5 * golden.loss)
        for (name, tensor) in model.parameters {
            expectClose(try #require(tensor.gradient), try expected.floats(name), "gradient of \(name)")
        }
    }

    @Test("a seed gives the same weights, another seed others, and a copy shares nothing")
    func initialisation() throws {
        let configuration = ModelConfiguration(
            vocabularySize: 31,
            hiddenSize: 16,
            intermediateSize: 24,
            layers: 2,
            heads: 4,
            keyValueHeads: 2
        )
        let first = try CausalLanguageModel(configuration: configuration, seed: 5)
        let second = try CausalLanguageModel(configuration: configuration, seed: 5)
        let other = try CausalLanguageModel(configuration: configuration, seed: 6)
        #expect(first.parameters.map { $0.tensor.values } == second.parameters.map { $0.tensor.values })
        #expect(first.parameters.map { $0.tensor.values } != other.parameters.map { $0.tensor.values })
        #expect(first.parameters.reduce(0) { $0 + $1.tensor.count } == configuration.parameterCount)
        let copy = first.copy()
        copy.parameters[0].tensor.withMutableValues { $0[0] += 1 }
        #expect(first.parameters[0].tensor.values[0] != copy.parameters[0].tensor.values[0])
        #expect(first.parameters[1].tensor.values == copy.parameters[1].tensor.values)
    }

    @Test("a saved model loads with the same bits", arguments: [true, false])
    func saveAndLoad(tied: Bool) throws {
        let configuration = ModelConfiguration(
            modelType: .qwen2,
            vocabularySize: 31,
            hiddenSize: 16,
            intermediateSize: 24,
            layers: 2,
            heads: 4,
            keyValueHeads: 2,
            tieWordEmbeddings: tied
        )
        let model = try CausalLanguageModel(configuration: configuration, seed: 5)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try model.save(to: folder)
        let loaded = try CausalLanguageModel.load(folder: folder)
        #expect(loaded.parameters.map { $0.name } == model.parameters.map { $0.name })
        #expect(loaded.parameters.map { $0.tensor.values } == model.parameters.map { $0.tensor.values })
        #expect(loaded.parameters.contains { $0.name == "lm_head.weight" } == !tied)
    }
}
