import Foundation
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

/// Figures of `transformers` 5.23 (`Qwen3ForCausalLM`, eager attention, float32) for weights that a formula gives.
@Suite("Qwen3 against transformers")
struct Qwen3GoldenTests {
    private let tokens: [TokenID] = [3, 17, 22, 0, 17, 5, 9, 9, 21]

    /// The weight with index i of the k-th tensor by name is 0.35 · sin(1.7 i + (i² mod 11) + 3 k), plus 1 in a norm.
    private func model() throws -> CausalLanguageModel {
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                modelType: .qwen3,
                vocabularySize: 23,
                hiddenSize: 12,
                intermediateSize: 18,
                layers: 2,
                heads: 4,
                keyValueHeads: 2,
                headDimension: 6,
                ropeTheta: 1e4,
                rmsNormEpsilon: 1e-6,
                tieWordEmbeddings: false,
                maximumPositions: 64
            ),
            seed: 1,
            context: ComputeContext(threads: 2)
        )
        for (k, parameter) in model.parameters.sorted(by: { $0.name < $1.name }).enumerated() {
            let base = parameter.tensor.shape.count == 1 ? 1.0 : 0.0
            parameter.tensor.withMutableValues { values in
                for i in values.indices {
                    values[i] = Float(0.35 * sin(1.7 * Double(i) + Double(i * i % 11) + 3 * Double(k)) + base)
                }
            }
        }
        return model
    }

    @Test("logits are those of transformers")
    func logits() throws {
        let logits = try model().logits([tokens])[0]
        let expected: [Int: [Float]] = [
            1: [
                -0.2051868, -0.5425282, 0.1563333, -0.4899192, -0.8578505, 0.2468535, 0.3741481, 0.1790227, 0.03301705,
                -0.3554173, -0.6699534, 0.06245754, 1.079759, -0.3199772, 0.2281312, 0.3839735, 0.01175118, -0.8644861,
                -0.5277409, -0.03756491, -0.1710763, -0.3122815, 0.1774544,
            ],
            8: [
                -0.1511803, 0.3631102, 0.1751062, -1.740697, -1.288178, 0.9294169, 0.4646985, 1.014879, 0.4807349,
                -1.210737, 0.1510451, 0.613342, 1.588246, -1.22588, 1.834176, 1.084436, 0.2537971, -0.2586872, -0.58223,
                -0.5808565, -0.5344173, -1.230032, -0.121155,
            ],
        ]
        for (position, values) in expected {
            expectClose(Array(logits[(23 * position)..<(23 * (position + 1))]), values, "position \(position)")
        }
    }

    @Test("the loss and the norm of every gradient are those of transformers")
    func gradients() throws {
        let model = try model()
        let tape = Tape(context: model.context)
        let rows = (0..<tokens.count - 1).map { Int32($0) }
        let result = try tape.weightedNegativeLogLikelihood(
            model.hiddenStates(PackedBatch([tokens]), tape: tape, rows: rows),
            weight: model.outputWeight,
            targets: Array(tokens.dropFirst()),
            weights: [Float](repeating: 1 / Float(rows.count), count: rows.count)
        )
        try tape.backward()
        #expect(abs(result.loss - 3.861857891) <= 1e-5 * 3.861857891)
        let expected: [String: Double] = [
            "lm_head": 1.641061,
            "model.embed_tokens": 1.948989,
            "model.layers.0.input_layernorm": 0.4878793,
            "model.layers.0.mlp.down_proj": 1.660997,
            "model.layers.0.mlp.gate_proj": 0.7527666,
            "model.layers.0.mlp.up_proj": 0.6198521,
            "model.layers.0.post_attention_layernorm": 0.2308936,
            "model.layers.0.self_attn.k_norm": 0.1850489,
            "model.layers.0.self_attn.k_proj": 1.174685,
            "model.layers.0.self_attn.o_proj": 2.152725,
            "model.layers.0.self_attn.q_norm": 0.1976981,
            "model.layers.0.self_attn.q_proj": 1.428445,
            "model.layers.0.self_attn.v_proj": 1.241372,
            "model.layers.1.input_layernorm": 0.4908958,
            "model.layers.1.mlp.down_proj": 0.3998863,
            "model.layers.1.mlp.gate_proj": 0.3147853,
            "model.layers.1.mlp.up_proj": 0.3158277,
            "model.layers.1.post_attention_layernorm": 0.08761767,
            "model.layers.1.self_attn.k_norm": 0.08803561,
            "model.layers.1.self_attn.k_proj": 0.4676658,
            "model.layers.1.self_attn.o_proj": 1.388795,
            "model.layers.1.self_attn.q_norm": 0.07424361,
            "model.layers.1.self_attn.q_proj": 0.3426697,
            "model.layers.1.self_attn.v_proj": 1.634055,
            "model.norm": 0.3935151,
        ]
        #expect(Set(model.parameters.map(\.name)) == Set(expected.keys.map { $0 + ".weight" }))
        for (name, tensor) in model.parameters {
            let wanted = try #require(expected[String(name.dropLast(".weight".count))])
            let gradient = try #require(tensor.gradient, "no gradient of \(name)")
            let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - wanted) <= 1e-4 * wanted, "\(name): \(norm), transformers has \(wanted)")
        }
    }

    @Test("greedy decoding takes transformers' tokens")
    func decoding() throws {
        let result = try model().generate(
            prompts: [[4], tokens],
            parameters: GenerationParameters(maximumNewTokens: 12),
            batchSize: 2
        )[1]
        #expect(result.tokens == [14, 12, 15, 15, 22, 15, 21, 14, 22, 14, 10, 8])
    }
}
