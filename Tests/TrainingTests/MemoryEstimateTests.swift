import LanguageModel
import TensorEngine
import Testing
import Tokenization

@testable import Training

/// The estimate against what a training really reserves.
@Suite("Memory that a training needs")
struct MemoryEstimateTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var adapter: LoRAConfiguration?
        var recomputes = false
        var batch = 4
        var tokensAtOnce = 8192
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "all weights"),
        Case(name: "all weights, recomputed", recomputes: true),
        Case(name: "all weights, one example at once", tokensAtOnce: 1),
        Case(name: "all weights, one long batch", batch: 16),
        Case(name: "LoRA", adapter: LoRAConfiguration()),
        Case(name: "LoRA with dropout, recomputed", adapter: LoRAConfiguration(dropout: 0.1), recomputes: true),
    ]

    private let configuration = ModelConfiguration(
        vocabularySize: 512,
        hiddenSize: 128,
        intermediateSize: 384,
        layers: 8,
        heads: 4,
        keyValueHeads: 2
    )

    private let examples = (0..<16).map { (index: Int) -> SupervisedExample in
        let tokens = (0..<256).map { (position: Int) -> TokenID in TokenID((position * 7 + index) % 512) }
        return SupervisedExample(tokens: tokens, weights: [Float](repeating: 1, count: 256))
    }

    private func options(_ one: Case) -> TrainingOptions {
        TrainingOptions(
            learningRate: 1e-3,
            maximumSteps: 2,
            batchSequences: one.batch,
            tokensAtOnce: one.tokensAtOnce,
            checkpointsActivations: one.recomputes
        )
    }

    @Test("what is reserved is a little less than what was said", arguments: cases)
    func measured(one: Case) throws {
        let context = ComputeContext(threads: 2)
        let model = try CausalLanguageModel(configuration: configuration, seed: 1, context: context)
        if let adapter = one.adapter { try model.attach(LoRAAdapter(configuration: adapter, for: model, seed: 1)) }
        _ = try SupervisedTrainer(model: model, examples: examples, options: options(one)).run()
        let measured = context.buffers.reservedFloats * 4
        let estimate = MemoryEstimate(
            configuration,
            adapter: one.adapter,
            options: options(one),
            lengths: examples.map(\.tokens.count)
        )
        // The logits of a few rows are part of `base`, which is mostly the program itself.
        let said = estimate.total - estimate.base
        let logits = 4 * 512 * 512 * 2
        #expect(measured <= said + logits, "\(measured) bytes against \(said)")
        #expect(Double(measured) >= 0.6 * Double(said), "\(measured) bytes against \(said)")
    }

    @Test("examples of many lengths reserve no more than was said", arguments: [nil, LoRAConfiguration()])
    func manyLengths(adapter: LoRAConfiguration?) throws {
        let context = ComputeContext(threads: 2)
        let model = try CausalLanguageModel(configuration: configuration, seed: 1, context: context)
        if let adapter { try model.attach(LoRAAdapter(configuration: adapter, for: model, seed: 1)) }
        let examples = (0..<64).map { (index: Int) -> SupervisedExample in
            let count = 20 + (index * 37) % 180
            let tokens = (0..<count).map { (position: Int) -> TokenID in TokenID((position * 7 + index) % 512) }
            return SupervisedExample(tokens: tokens, weights: [Float](repeating: 1, count: count))
        }
        let options = TrainingOptions(learningRate: 1e-3, epochs: 3, batchSequences: 4)
        _ = try SupervisedTrainer(model: model, examples: examples, options: options).run()
        let measured = context.buffers.reservedFloats * 4
        let estimate = MemoryEstimate(
            configuration,
            adapter: adapter,
            options: options,
            lengths: examples.map(\.tokens.count)
        )
        let said = estimate.total - estimate.base + 4 * 512 * 512 * 2
        #expect(measured <= said, "\(measured) bytes against \(said)")
    }

    @Test("what does not fit is refused with what would fit")
    func refusal() throws {
        let need = MemoryEstimate(configuration, options: options(Self.cases[3]), lengths: [4096, 4096])
        let lean = MemoryEstimate(configuration, options: options(Self.cases[1]), lengths: [256])
        try need.check(available: nil, cures: [])
        try need.check(available: need.total, cures: [])
        let error = #expect(throws: TrainingError.self) {
            try need.check(available: need.total - 1, cures: [("--this", need), ("--that", lean)])
        }
        let text = "\(try #require(error))"
        #expect(text.contains("--that"))
        #expect(!text.contains("--this"))
        #expect(text.contains("weights"))
        let hopeless = #expect(throws: TrainingError.self) { try need.check(available: 1, cures: [("--that", lean)]) }
        #expect("\(try #require(hopeless))".contains("none of these alone"))
    }

    @Test("the options that make a training fit are named as the caller's user gives them, all that it takes together")
    func names() throws {
        let names = TrainingMemory.OptionNames(
            recomputation: "--again",
            tokensAtOnce: { "--tokens \($0)" },
            adapter: { "--rank \($0)" }
        )
        let options = TrainingOptions(learningRate: 1, batchSequences: 8)
        func memory(_ adapter: LoRAConfiguration?) -> TrainingMemory {
            let lengths = [Int](repeating: 1024, count: 8)
            return TrainingMemory(configuration, storedBytes: 4, adapter: adapter, options: options, lengths: lengths)
        }
        func refusal(_ adapter: LoRAConfiguration?, _ available: Int) throws -> String {
            let error = #expect(throws: TrainingError.self) {
                try memory(adapter).check(available: available, names: names)
            }
            return "\(try #require(error))"
        }
        let whole = memory(nil)
        try whole.check(available: whole.need.total, names: names)
        let slightly = try refusal(nil, whole.need.total - 1)
        for name in ["--again (", "--tokens 1024 (", "--again and --tokens 1024 (", "--rank 16 ("] {
            #expect(slightly.contains(name), "\(slightly)")
        }
        // What both options leave to be saved is the weights' own share.
        func total(_ adapter: LoRAConfiguration?) -> Int {
            var lean = options
            (lean.checkpointsActivations, lean.tokensAtOnce) = (true, 1024)
            return MemoryEstimate(configuration, adapter: adapter, options: lean, lengths: [1024]).total
        }
        let together = try refusal(nil, total(nil))
        #expect(together.contains("it would fit with --again and --tokens 1024 ("), "\(together)")
        let all = try refusal(nil, total(LoRAConfiguration()))
        #expect(all.contains("it would fit with --again, --tokens 1024 and --rank 16 ("), "\(all)")
        #expect(!(try refusal(LoRAConfiguration(rank: 4), 1 << 20)).contains("--rank"))
    }

    @Test("a batch bounds a pass as tokensAtOnce does")
    func batches() {
        func need(_ batch: Int, _ tokens: Int, _ lengths: [Int]) -> Int {
            MemoryEstimate(
                configuration,
                options: TrainingOptions(learningRate: 1, batchSequences: batch, tokensAtOnce: tokens),
                lengths: lengths
            ).activations
        }
        #expect(need(2, 8192, [10, 50, 30]) == need(1, 8192, [80]))
        #expect(need(2, 60, [10, 50, 30]) == need(1, 60, [60]))
        let boundless = TrainingOptions(learningRate: 1, batchTokens: .max, tokensAtOnce: .max)
        let all = MemoryEstimate(configuration, options: boundless, lengths: [10, 50, 30]).activations
        #expect(all == need(3, 8192, [10, 50, 30]))
        #expect(need(2, 8, [10, 50, 30]) == need(1, 50, [50]))
    }
}
