import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

@Suite("Architectures")
struct ArchitectureTests {
    /// A head dimension that is not hidden / heads, and values that make every part matter.
    private func model(_ type: ModelConfiguration.ModelType, tied: Bool = false) throws -> CausalLanguageModel {
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                modelType: type,
                vocabularySize: 29,
                hiddenSize: 20,
                intermediateSize: 28,
                layers: 2,
                heads: 6,
                keyValueHeads: 2,
                headDimension: 8,
                ropeTheta: 1e4,
                rmsNormEpsilon: 1e-6,
                tieWordEmbeddings: tied,
                initializerRange: 0.25
            ),
            seed: 11,
            context: ComputeContext(threads: 2)
        )
        var generator = SeededGenerator(seed: 12)
        for (name, tensor) in model.parameters where tensor.shape.count == 1 {
            tensor.withMutableValues { values in
                for index in values.indices {
                    values[index] = Float(generator.nextNormal() * 0.3) + (name.hasSuffix("bias") ? 0 : 1)
                }
            }
        }
        return model
    }

    private let tokens: [TokenID] = [3, 17, 28, 0, 17, 5, 9, 9, 21]

    @Test("logits equal the naive decoder's", arguments: ModelConfiguration.ModelType.allCases, [true, false])
    func forward(type: ModelConfiguration.ModelType, tied: Bool) throws {
        let model = try model(type, tied: tied)
        let logits = try model.logits([[7, 7], tokens, [1]])
        let expected = NaiveDecoder(model).logits(tokens).flatMap { $0 }.map { Float($0) }
        expectClose(logits[1], expected)
    }

    @Test(
        "every gradient agrees with differences of the naive decoder",
        arguments: ModelConfiguration.ModelType.allCases
    )
    func gradients(type: ModelConfiguration.ModelType) throws {
        let model = try model(type)
        let batch = PackedBatch([tokens])
        let tape = Tape(context: model.context)
        let rows = (0..<tokens.count - 1).map { Int32($0) }
        let result = try tape.weightedNegativeLogLikelihood(
            model.hiddenStates(batch, tape: tape, rows: rows),
            weight: model.outputWeight,
            targets: Array(tokens.dropFirst()),
            weights: [Float](repeating: 1, count: rows.count)
        )
        try tape.backward()
        var naive = NaiveDecoder(model)
        #expect(abs(result.loss - naive.loss(tokens)) <= 1e-6 * result.loss)
        for (name, tensor) in model.parameters {
            let gradient = try #require(tensor.gradient, "no gradient of \(name)")
            let largest = gradient.map { abs($0) }.max() ?? 0
            #expect(largest > 0, "\(name) has no effect")
            for index in stride(from: 0, to: tensor.count, by: max(1, tensor.count / 5)) {
                let original = naive.weights[name]?[index] ?? 0
                naive.weights[name]?[index] = original + 1e-5
                let above = naive.loss(tokens)
                naive.weights[name]?[index] = original - 1e-5
                let below = naive.loss(tokens)
                naive.weights[name]?[index] = original
                let numeric = Float((above - below) / 2e-5)
                #expect(
                    abs(numeric - gradient[index]) <= 1e-4 * abs(numeric) + 1e-5 * max(largest, 1),
                    "\(name)[\(index)]: \(gradient[index]), difference \(numeric)"
                )
            }
        }
    }

    @Test(
        "cached decoding takes the naive decoder's likeliest tokens",
        arguments: ModelConfiguration.ModelType.allCases
    )
    func decoding(type: ModelConfiguration.ModelType) throws {
        let model = try model(type)
        let naive = NaiveDecoder(model)
        let result = try model.generate(
            prompts: [[4], tokens],
            parameters: GenerationParameters(maximumNewTokens: 6),
            batchSize: 2
        )[1]
        var sequence = tokens
        for (token, value) in zip(result.tokens, result.logProbabilities) {
            let row = try #require(naive.logits(sequence).last)
            #expect(row.firstIndex(of: row.max() ?? 0) == Int(token))
            let total = row.reduce(0) { $0 + exp($1) }
            #expect(abs(Double(value) - (row[Int(token)] - log(total))) < 1e-4)
            sequence.append(token)
        }
        #expect(sequence.count == tokens.count + 6)
    }

    @Test("a Qwen3 model is saved under transformers' names and loads with the same bits")
    func saveQwen3() throws {
        try withTemporaryFolder { folder in
            let model = try model(.qwen3)
            try model.save(to: folder)
            let file = try SafetensorsFile(url: folder.appendingPathComponent("model.safetensors"))
            #expect(file.entry("model.layers.1.self_attn.q_norm.weight")?.shape == [8])
            #expect(file.entry("model.layers.0.self_attn.k_norm.weight")?.shape == [8])
            #expect(file.entry("model.layers.0.self_attn.q_proj.bias") == nil)
            let loaded = try CausalLanguageModel.load(folder: folder)
            #expect(loaded.configuration == model.configuration)
            #expect(loaded.parameters.map { $0.tensor.values } == model.parameters.map { $0.tensor.values })
            #expect(model.parameters.reduce(0) { $0 + $1.tensor.count } == model.configuration.parameterCount)
            let text = String(decoding: model.configuration.json(), as: UTF8.self)
            #expect(text.contains(#""Qwen3ForCausalLM""#))
        }
    }

    @Test(
        "what Qwen3 allows and Errata does not is refused by name",
        arguments: [
            (#""attention_bias": false"#, #""attention_bias": true"#, "attention_bias"),
            (#""use_sliding_window": false"#, #""use_sliding_window": true"#, "use_sliding_window"),
            (#""rope_scaling": null"#, #""rope_scaling": {"rope_type": "yarn", "factor": 4.0}"#, "yarn"),
            (#""model_type": "qwen3""#, #""model_type": "qwen3_moe""#, "qwen3_moe"),
            (#""head_dim": 8"#, #""head_dim": 7"#, "head_dim"),
        ]
    )
    func refusals(original: String, replacement: String, cause: String) throws {
        let text = String(decoding: try model(.qwen3).configuration.json(), as: UTF8.self)
        #expect(text.contains(original))
        let changed = text.replacingOccurrences(of: original, with: replacement)
        let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(json: Data(changed.utf8)) }
        #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
    }

    @Test("Qwen3's head dimension is 128 where its file does not say it, as in transformers")
    func headDimension() throws {
        let text = String(decoding: try model(.qwen3).configuration.json(), as: UTF8.self)
            .replacingOccurrences(of: #"  "head_dim": 8,"#, with: "")
        #expect(try ModelConfiguration(json: Data(text.utf8)).headDimension == 128)
    }
}
