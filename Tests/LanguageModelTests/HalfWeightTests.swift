import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

/// Models whose linear layers and embeddings stay in bfloat16.
@Suite("Weights kept in bfloat16")
struct HalfWeightTests {
    private let prompts: [[TokenID]] = [[5, 100, 300, 511, 7], [9, 2], [44, 45, 46, 47, 48, 49, 50, 51, 52]]

    private func folder() throws -> URL { try Golden.url("tiny-qwen2-bf16") }

    @Test("what the file holds in bfloat16 is read in place and computes what the widened weights do")
    func asStored() throws {
        let context = ComputeContext(threads: 2)
        let stored = try CausalLanguageModel.load(folder: folder(), context: context, weights: .asStored)
        let widened = try CausalLanguageModel.load(folder: folder(), context: context)
        for (mine, theirs) in zip(stored.parameters, widened.parameters) {
            let isMatrix = mine.tensor.shape.count > 1
            #expect(mine.tensor.elementType == (isMatrix ? .bfloat16 : .float32), "\(mine.name)")
            #expect(mine.tensor.requiresGradient == !isMatrix)
            #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
        }
        #expect(stored.contentHash() == widened.contentHash())
        let parameters = GenerationParameters(maximumNewTokens: 16)
        #expect(
            try stored.generate(prompts: prompts, parameters: parameters)
                == widened.generate(prompts: prompts, parameters: parameters)
        )
        #expect(try stored.score(prompts) == widened.score(prompts), "the same bits")
        for (mine, theirs) in zip(try stored.logits(prompts), try widened.logits(prompts)) { expectClose(mine, theirs) }
    }

    @Test("a mapped model outlives its folder's file being replaced")
    func replaced() throws {
        try withTemporaryFolder { folder in
            try Golden.model("tiny-qwen2").save(to: folder, elementType: .bfloat16)
            let model = try CausalLanguageModel.load(folder: folder, weights: .asStored)
            let before = try model.score(prompts)
            try Golden.model("tiny-llama").save(to: folder, elementType: .bfloat16)
            #expect(try model.score(prompts) == before)
        }
    }

    @Test("weights of other types are float32 as stored, and rounded where bfloat16 is asked for")
    func rounded() throws {
        try withTemporaryFolder { folder in
            let model = try Golden.model("tiny-qwen2")
            try model.save(to: folder, elementType: .float16)
            let stored = try CausalLanguageModel.load(folder: folder, weights: .asStored)
            #expect(stored.parameters.allSatisfy { $0.tensor.elementType == .float32 })
            let half = try CausalLanguageModel.load(folder: folder, weights: .bfloat16)
            let again = stored.storing(.bfloat16)
            for (mine, theirs) in zip(half.parameters, again.parameters) {
                #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
                #expect(mine.tensor.elementType == theirs.tensor.elementType)
            }
            let widened = half.storing(.float32)
            #expect(widened.parameters.allSatisfy { $0.tensor.elementType == .float32 && $0.tensor.requiresGradient })
            #expect(try widened.score(prompts) == half.score(prompts))
        }
    }

    @Test("a drawn model in bfloat16 is the float32 one rounded")
    func drawn() throws {
        let context = ComputeContext(threads: 1)
        let configuration = ModelConfiguration(
            vocabularySize: 40,
            hiddenSize: 16,
            intermediateSize: 24,
            layers: 2,
            heads: 2,
            keyValueHeads: 1
        )
        let exact = try CausalLanguageModel(configuration: configuration, seed: 3, context: context)
        let half = try CausalLanguageModel(configuration: configuration, seed: 3, context: context, weights: .bfloat16)
        for (mine, theirs) in zip(half.parameters, exact.storing(.bfloat16).parameters) {
            #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
        }
    }

    @Test("a copy shares bfloat16 weights until one of the two changes")
    func copies() throws {
        let model = try CausalLanguageModel.load(folder: folder(), weights: .asStored)
        let before = model.parameters.map { $0.tensor.values }
        let twin = model.copy()
        twin.parameters[0].tensor.withMutableValues { $0[3] = 7.5 }
        #expect(twin.parameters[0].tensor.values[3] == 7.5)
        #expect(model.parameters.map { $0.tensor.values } == before)
    }

    @Test("an adapter on a bfloat16 base has the gradients of one on the widened base")
    func adapterGradients() throws {
        let context = ComputeContext(threads: 2)
        var found: [[[Float]]] = []
        for weights in [WeightStorage.asStored, .float32] {
            let model = try CausalLanguageModel.load(folder: folder(), context: context, weights: weights)
            let adapter = try LoRAAdapter(configuration: LoRAConfiguration(rank: 4), for: model, seed: 5)
            var generator = SeededGenerator(seed: 6)
            for (_, tensor) in adapter.parameters {
                tensor.withMutableValues { for index in $0.indices { $0[index] = Float(generator.nextNormal() * 0.1) } }
            }
            try model.attach(adapter)
            let tape = Tape(context: context)
            let batch = PackedBatch(prompts)
            let hidden = try model.hiddenStates(batch, tape: tape)
            let targets = batch.tokens.map { ($0 + 1) % 512 }
            let output = try tape.tokenLogProbabilities(hidden, weight: model.outputWeight, targets: targets)
            try tape.seed(output, with: targets.indices.map { $0 % 3 == 0 ? -0.5 : 0.25 })
            try tape.backward()
            found.append([output.values] + (try adapter.parameters.map { try #require($0.tensor.gradient) }))
            let merged = model.merged()
            for (mine, theirs) in zip(try model.logits(prompts), try merged.logits(prompts)) {
                // Merging into bfloat16 weights rounds them again.
                let scale = theirs.map(\.magnitude).max() ?? 1
                #expect(zip(mine, theirs).allSatisfy { abs($0 - $1) <= (weights == .float32 ? 1e-4 : 0.05) * scale })
            }
        }
        for (mine, theirs) in zip(found[0], found[1]) { expectClose(mine, theirs) }
    }

    @Test("an odd start in the file is read by a copy")
    func oddStart() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var header = #"{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#
            if (8 + header.utf8.count) % 2 == 0 { header += " " }
            var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            bytes.append(contentsOf: header.utf8)
            for value: Float in [1, 2, 3, 4, 5, 6] {
                withUnsafeBytes(of: FloatConversion.bfloat16Bits(value).littleEndian) { bytes.append(contentsOf: $0) }
            }
            try bytes.write(to: url)
            let file = try SafetensorsFile(url: url)
            #expect(try file.mappedBFloat16("w") == nil)
            #expect(try file.floats("w") == [1, 2, 3, 4, 5, 6])
        }
    }
}
