import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

@Suite("Adapters and recomputed activations")
struct AdapterCheckpointTests {
    @Test(
        "the adapter's gradients are the same bits whether activations are kept or computed again",
        arguments: [0, 0.3]
    )
    func sameBits(dropout: Double) throws {
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                modelType: .qwen3,
                vocabularySize: 31,
                hiddenSize: 16,
                intermediateSize: 24,
                layers: 3,
                heads: 4,
                keyValueHeads: 2,
                initializerRange: 0.3
            ),
            seed: 2,
            context: ComputeContext(threads: 2)
        )
        let configuration = LoRAConfiguration(rank: 3, alpha: 6, dropout: dropout)
        let adapter = try LoRAAdapter(configuration: configuration, for: model, seed: 5)
        for (index, parameter) in adapter.parameters.enumerated() where parameter.name.contains("lora_B") {
            parameter.tensor.withMutableValues { $0.update(repeating: 0.01 * Float(1 + index % 5)) }
        }
        try model.attach(adapter)
        let sequences: [[TokenID]] = [[1, 2, 3, 4, 5, 6], [7, 8, 9]]
        func gradients(step: Int, checkpointing: Bool) throws -> [[Float]] {
            adapter.beginStep(step, seed: 9)
            let tape = Tape(context: model.context)
            let hidden = try model.hiddenStates(
                PackedBatch(sequences),
                tape: tape,
                rows: [0, 3, 7],
                checkpointing: checkpointing
            )
            _ = try tape.weightedNegativeLogLikelihood(
                hidden,
                weight: model.outputWeight,
                targets: [2, 5, 9],
                weights: [1, 0.5, -0.25]
            )
            try tape.backward()
            return try adapter.parameters.map { name, tensor in
                defer { tensor.clearGradient() }
                return try #require(tensor.gradient, "no gradient of \(name)")
            }
        }
        let kept = try gradients(step: 4, checkpointing: false)
        #expect(try gradients(step: 4, checkpointing: true) == kept)
        #expect(try (gradients(step: 5, checkpointing: false) == kept) == (dropout == 0))
        #expect(kept.allSatisfy { gradient in gradient.contains { $0 != 0 } })
    }
}
