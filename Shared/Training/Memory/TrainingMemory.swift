public import LanguageModel

/// What a training's need of memory follows from, and what would make a training fit that does not.
public struct TrainingMemory: Sendable {
    /// The options that need less, as the caller's user gives them.
    public struct OptionNames: Sendable {
        /// Recomputation of activations.
        public var recomputation: String
        /// Fewer tokens at once, by their number.
        public var tokensAtOnce: @Sendable (Int) -> String
        /// An adapter in place of all weights, by its rank.
        public var adapter: @Sendable (Int) -> String

        /// Names of options.
        public init(
            recomputation: String,
            tokensAtOnce: @escaping @Sendable (Int) -> String,
            adapter: @escaping @Sendable (Int) -> String
        ) {
            self.recomputation = recomputation
            self.tokensAtOnce = tokensAtOnce
            self.adapter = adapter
        }
    }

    private let configuration: ModelConfiguration
    private let storedBytes: Int
    private let adapter: LoRAConfiguration?
    private let options: TrainingOptions
    private let batch: MemoryEstimate.Batch
    private let reference: ModelConfiguration?

    /// The facts; see ``MemoryEstimate/init(_:storedBytes:adapter:options:lengths:reference:)``.
    public init(
        _ configuration: ModelConfiguration,
        storedBytes: Int,
        adapter: LoRAConfiguration?,
        options: TrainingOptions,
        lengths: [Int],
        reference: ModelConfiguration? = nil
    ) {
        self.configuration = configuration
        self.storedBytes = storedBytes
        self.adapter = adapter
        self.options = options
        batch = MemoryEstimate.Batch(lengths, options)
        self.reference = reference
    }

    /// The facts before the examples are known: as many as a batch can have, each of `length` tokens.
    public init(
        _ configuration: ModelConfiguration,
        storedBytes: Int,
        adapter: LoRAConfiguration?,
        options: TrainingOptions,
        ofExamplesOf length: Int
    ) {
        self.configuration = configuration
        self.storedBytes = storedBytes
        self.adapter = adapter
        self.options = options
        batch = MemoryEstimate.Batch(ofExamplesOf: length, options)
        reference = nil
    }

    /// The need as the training is asked for.
    public var need: MemoryEstimate { need(adapter, options) }

    /// Checks the need against what there is.
    ///
    /// - Parameters:
    ///   - available: Bytes that there are; nil where that is not known, and nothing is refused.
    ///   - names: The options that the error names.
    /// - Throws: ``TrainingError/insufficientMemory(_:)`` with the need, what there is, and the options that make it fit.
    public func check(available: Int?, names: OptionNames) throws {
        var recomputing = options
        recomputing.checkpointsActivations = true
        var few = options
        few.tokensAtOnce = max(batch.longest, 512)
        var lean = recomputing
        lean.tokensAtOnce = min(options.tokensAtOnce, few.tokensAtOnce)
        let recomputation = names.recomputation
        let tokens = names.tokensAtOnce(few.tokensAtOnce)
        var cures = [
            (recomputation, need(adapter, recomputing)), (tokens, need(adapter, few)),
            ("\(recomputation) and \(tokens)", need(adapter, lean)),
        ]
        if adapter == nil {
            let small = LoRAConfiguration()
            let rank = names.adapter(small.rank)
            cures += [(rank, need(small, options)), ("\(recomputation), \(tokens) and \(rank)", need(small, lean))]
        }
        try need.check(available: available, cures: cures.map { (name: $0.0, need: $0.1) })
    }

    private func need(_ adapter: LoRAConfiguration?, _ options: TrainingOptions) -> MemoryEstimate {
        MemoryEstimate(
            configuration,
            storedBytes: storedBytes,
            adapter: adapter,
            options: options,
            batch: batch,
            reference: reference
        )
    }
}
