import Foundation
import LanguageModel
import TensorEngine
import Testing
import Tokenization

@testable import Training

@Suite("Memory of training")
struct TrainingMemoryTests {
    private func student() throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 64,
                hiddenSize: 32,
                intermediateSize: 96,
                layers: 16,
                heads: 4,
                keyValueHeads: 2
            ),
            seed: 1,
            context: ComputeContext(threads: 2)
        )
    }

    private let examples = (0..<16).map { (index: Int) -> SupervisedExample in
        let prompt = (0..<40).map { (position: Int) -> TokenID in TokenID((position + index) % 64) }
        let response = (0..<88).map { (position: Int) -> TokenID in TokenID((position * 7 + index) % 64) }
        return SupervisedExample(prompt: prompt, response: response)
    }

    private var pairs: [PreferenceExample] {
        examples.enumerated().map { index, example in
            PreferenceExample(
                id: "\(index)",
                prompt: Array(example.tokens.prefix(40)),
                chosen: Array(example.tokens[40..<80]),
                rejected: Array(example.tokens[80...])
            )
        }
    }

    @Test("recomputing activations gives the same bits in less than half the memory")
    func checkpointing() throws {
        var weights: [[[Float]]] = []
        var reserved: [Int] = []
        for checkpoints in [false, true] {
            let model = try student()
            let before = model.context.buffers.reservedFloats
            _ = try PreferenceTrainer(
                model: model,
                pairs: pairs,
                options: TrainingOptions(
                    learningRate: 1e-2,
                    maximumSteps: 3,
                    batchSequences: 16,
                    checkpointsActivations: checkpoints
                ),
                preference: PreferenceOptions(nllWeight: 1)
            ).run()
            weights.append(model.parameters.map { $0.tensor.values })
            reserved.append(model.context.buffers.reservedFloats - before)
        }
        #expect(weights[0] == weights[1])
        #expect(reserved[1] * 2 < reserved[0], "\(reserved) floats without and with recomputation")
    }

    @Test("a steady supervised step asks the system for no block", arguments: [false, true])
    func steadySupervised(checkpoints: Bool) throws {
        let model = try student()
        var allocations: [Int] = []
        _ = try SupervisedTrainer(
            model: model,
            examples: examples,
            options: TrainingOptions(
                learningRate: 1e-3,
                epochs: 4,
                batchSequences: 4,
                tokensAtOnce: 300,
                checkpointsActivations: checkpoints
            )
        ).run { _ in allocations.append(model.context.buffers.systemAllocations) }
        #expect(allocations.count == 16)
        #expect(allocations[0] > 0)
        #expect(Set(allocations.dropFirst(2)).count == 1, "blocks asked for after each step: \(allocations)")
    }

    @Test("a steady preference step asks the system for no block", arguments: [false, true])
    func steadyPreference(shares: Bool) throws {
        let model = try student()
        var allocations: [Int] = []
        _ = try PreferenceTrainer(
            model: model,
            pairs: pairs,
            options: TrainingOptions(learningRate: 1e-3, epochs: 4, batchSequences: 4),
            preference: PreferenceOptions(sharesPrefixes: shares)
        ).run { _ in allocations.append(model.context.buffers.systemAllocations) }
        #expect(allocations.count == 16)
        #expect(allocations[0] > 0)
        #expect(Set(allocations.dropFirst(2)).count == 1, "blocks asked for after each step: \(allocations)")
    }
}
