public import LanguageModel
import TensorEngine

/// What a training will need in memory, from the model's shape and the training's options alone.
///
/// It is the peak of the process while it trains, in bytes: a few per cent above what is measured, as a promise should be.
public struct MemoryEstimate: Sendable, Equatable {
    /// The model's weights.
    public var weights: Int
    /// Weights of a frozen reference that is another model; 0 where the reference is what the training starts from.
    public var reference: Int
    /// Gradients of what trains, float32.
    public var gradients: Int
    /// AdamW's two moments of what trains, float32.
    public var optimizer: Int
    /// What the layers keep of one pass for the way back, and one layer's gradients.
    public var activations: Int
    /// Programs, tables, logits of a few rows at a time, and the examples.
    public var base: Int

    /// All of it.
    public var total: Int { weights + reference + gradients + optimizer + activations + base }

    /// The need of a training.
    ///
    /// - Parameters:
    ///   - configuration: The model's shape.
    ///   - storedBytes: Bytes of a weight as the files hold it: 2 where they are in bfloat16, which a frozen model computes
    ///     with as it is, else 4.
    ///   - adapter: The LoRA adapter that trains instead of the weights; nil trains the weights.
    ///   - options: The training's; the size of batches, `tokensAtOnce`, recomputation and precision matter.
    ///   - lengths: Tokens of each example (or pair). A pass has `tokensAtOnce` of them or one whole batch, whichever is
    ///     less, but one example at least.
    ///   - reference: The shape of a frozen reference that is another model.
    public init(
        _ configuration: ModelConfiguration,
        storedBytes: Int = 4,
        adapter: LoRAConfiguration? = nil,
        options: TrainingOptions,
        lengths: [Int],
        reference: ModelConfiguration? = nil
    ) {
        self.init(
            configuration,
            storedBytes: storedBytes,
            adapter: adapter,
            options: options,
            batch: Batch(lengths, options),
            reference: reference
        )
    }

    /// The tokens of the longest example and of the largest batch.
    struct Batch: Sendable {
        var longest: Int
        var tokens: Int

        /// Of examples that are known.
        init(_ lengths: [Int], _ options: TrainingOptions) {
            let longestFirst = lengths.sorted(by: >)
            longest = longestFirst.first ?? 0
            // No batch has more tokens than all examples, whatever the options allow.
            tokens =
                options.batchTokens.map { min($0, lengths.reduce(0, +)) }
                ?? longestFirst.prefix(options.batchSequences).reduce(0, +)
        }

        /// Of as many examples of one length as a batch can have.
        init(ofExamplesOf length: Int, _ options: TrainingOptions) {
            longest = length
            tokens = options.batchTokens ?? MemoryEstimate.product(length, options.batchSequences)
        }
    }

    /// A need of memory that is more than any machine has, so that sums of such needs are still numbers.
    private static let beyondAll = 1 << 58

    fileprivate static func product(_ first: Int, _ second: Int) -> Int {
        let (product, isTooLarge) = first.multipliedReportingOverflow(by: second)
        return isTooLarge ? beyondAll : min(product, beyondAll)
    }

    init(
        _ configuration: ModelConfiguration,
        storedBytes: Int,
        adapter: LoRAConfiguration?,
        options: TrainingOptions,
        batch: Batch,
        reference: ModelConfiguration?
    ) {
        let parameters = configuration.parameterCount
        let trained = adapter.map { $0.parameterCount(in: configuration) } ?? parameters
        weights = parameters * (adapter == nil ? 4 : storedBytes) + (adapter == nil ? 0 : trained * 4)
        self.reference = reference.map { $0.parameterCount * storedBytes } ?? 0
        gradients = trained * 4
        optimizer = trained * 8
        let tokens = max(batch.longest, min(options.tokensAtOnce, batch.tokens))
        activations = Self.product(
            tokens,
            Self.activationBytes(configuration, adapter, recomputes: options.checkpointsActivations)
        )
        // Products in bfloat16 keep a rounded copy of the matrix that they are at.
        let largest = max(configuration.vocabularySize, configuration.intermediateSize) * configuration.hiddenSize
        base = 160 << 20 + (options.precision == .bfloat16 ? largest * 2 : 0)
    }

    /// Bytes that one token needs in one pass.
    private static func activationBytes(
        _ configuration: ModelConfiguration,
        _ adapter: LoRAConfiguration?,
        recomputes: Bool
    ) -> Int {
        let hidden = configuration.hiddenSize
        let queries = configuration.heads * configuration.headDimension
        let keys = configuration.keyValueHeads * configuration.headDimension
        let inner = configuration.intermediateSize
        // What a layer keeps: its input, queries, keys, values and what is attended to, the middle of the residual stream,
        // gate and up. Norms and the gated product are computed again on the way back.
        var kept = 2 * hidden + 2 * queries + 2 * keys + 2 * inner
        if let adapter { kept += adapter.targets.count * adapter.rank + (adapter.dropout > 0 ? 2 * hidden + inner : 0) }
        // On the way back one layer has the gradients of all that, and what is computed again, beside it.
        let passing = 2 * kept + 2 * hidden + inner
        let layers = recomputes ? configuration.layers * hidden + kept : configuration.layers * kept
        return 4 * (layers + passing + 2 * hidden)
    }
}

extension LoRAConfiguration {
    /// How many numbers an adapter of this shape has on a model.
    public func parameterCount(in configuration: ModelConfiguration) -> Int {
        let hidden = configuration.hiddenSize
        let queries = configuration.heads * configuration.headDimension
        let keys = configuration.keyValueHeads * configuration.headDimension
        let inner = configuration.intermediateSize
        let layer = targets.reduce(0) { sum, target in
            let (rows, columns) =
                switch target {
                case .query: (queries, hidden)
                case .key, .value: (keys, hidden)
                case .output: (hidden, queries)
                case .gate, .up: (inner, hidden)
                case .down: (hidden, inner)
                }
            return sum + rank * (rows + columns)
        }
        return layer * configuration.layers
    }
}
