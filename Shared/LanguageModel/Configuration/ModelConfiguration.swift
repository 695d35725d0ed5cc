import ModelFiles
public import Tokenization

/// The shape and constants of a decoder, as `config.json` has them.
public struct ModelConfiguration: Sendable, Equatable {
    /// The architectures that Errata runs.
    public enum ModelType: String, Sendable, CaseIterable {
        /// Llama 2 and 3, SmolLM2, TinyLlama: no biases.
        case llama
        /// Mistral without a sliding window; computed as Llama.
        case mistral
        /// Qwen2 and Qwen2.5: biases on the query, key and value projections.
        case qwen2
        /// Qwen3: norms of each query and key head, no biases.
        case qwen3

        /// The class that `transformers` loads this architecture with.
        public var architecture: String {
            switch self {
            case .llama: "LlamaForCausalLM"
            case .mistral: "MistralForCausalLM"
            case .qwen2: "Qwen2ForCausalLM"
            case .qwen3: "Qwen3ForCausalLM"
            }
        }

        /// Whether each query and key head is normed before it is rotated.
        public var normsHeads: Bool { self == .qwen3 }
    }

    /// How rotary frequencies are stretched beyond the positions of pretraining.
    public enum RopeScaling: Sendable, Equatable {
        /// Plain rotary embedding.
        case `default`
        /// Llama 3.1's piecewise scaling: wavelengths above `originalMaximumPositions / low` are divided by `factor`,
        /// those below `originalMaximumPositions / high` stay, and the ones between are interpolated.
        case llama3(factor: Double, low: Double, high: Double, originalMaximumPositions: Int)
    }

    /// The architecture.
    public var modelType: ModelType
    /// Rows of the embedding.
    public var vocabularySize: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    /// Width of the gated feed-forward layer.
    public var intermediateSize: Int
    /// Decoder layers.
    public var layers: Int
    /// Query heads.
    public var heads: Int
    /// Key and value heads; divides `heads`.
    public var keyValueHeads: Int
    /// Width of one head; even.
    public var headDimension: Int
    /// Base of the rotary frequencies.
    public var ropeTheta: Double
    /// Rotary scaling.
    public var ropeScaling: RopeScaling
    /// Epsilon inside the root mean square.
    public var rmsNormEpsilon: Double
    /// Whether the output projection is the embedding.
    public var tieWordEmbeddings: Bool
    /// Biases on the query, key and value projections (none on the output projection).
    public var attentionBias: Bool
    /// Positions that the model was made for.
    public var maximumPositions: Int
    /// Standard deviation of freshly drawn weights.
    public var initializerRange: Double
    /// Token that starts a sequence.
    public var bosTokenID: TokenID?
    /// Tokens that end a generation.
    public var eosTokenIDs: [TokenID]
    /// Token that fills a batch elsewhere; Errata packs and needs none.
    public var padTokenID: TokenID?
    /// Element type of the stored weights, as PyTorch names it ("float32", "bfloat16", "float16").
    public var torchDtype: String

    /// A configuration from its parts; what is left nil follows from the others.
    ///
    /// `keyValueHeads` becomes `heads`, `headDimension` `hiddenSize / heads`, and `attentionBias` true for Qwen2 and
    /// false for the others.
    public init(
        modelType: ModelType = .llama,
        vocabularySize: Int,
        hiddenSize: Int,
        intermediateSize: Int,
        layers: Int,
        heads: Int,
        keyValueHeads: Int? = nil,
        headDimension: Int? = nil,
        ropeTheta: Double = 10_000,
        ropeScaling: RopeScaling = .default,
        rmsNormEpsilon: Double = 1e-5,
        tieWordEmbeddings: Bool = true,
        attentionBias: Bool? = nil,
        maximumPositions: Int = 2048,
        initializerRange: Double = 0.02,
        bosTokenID: TokenID? = nil,
        eosTokenIDs: [TokenID] = [],
        padTokenID: TokenID? = nil,
        torchDtype: String = "float32"
    ) {
        self.modelType = modelType
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layers = layers
        self.heads = heads
        self.keyValueHeads = keyValueHeads ?? heads
        self.headDimension = headDimension ?? (heads > 0 ? hiddenSize / heads : 0)
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.rmsNormEpsilon = rmsNormEpsilon
        self.tieWordEmbeddings = tieWordEmbeddings
        self.attentionBias = attentionBias ?? (modelType == .qwen2)
        self.maximumPositions = maximumPositions
        self.initializerRange = initializerRange
        self.bosTokenID = bosTokenID
        self.eosTokenIDs = eosTokenIDs
        self.padTokenID = padTokenID
        self.torchDtype = torchDtype
    }

    /// How many weights a model of this shape has; a tied output projection counts once.
    public var parameterCount: Int {
        let attention = hiddenSize * headDimension * (2 * heads + 2 * keyValueHeads)
        let biases = attentionBias ? headDimension * (heads + 2 * keyValueHeads) : 0
        let headNorms = modelType.normsHeads ? 2 * headDimension : 0
        let layer = attention + biases + headNorms + 3 * hiddenSize * intermediateSize + 2 * hiddenSize
        return vocabularySize * hiddenSize * (tieWordEmbeddings ? 1 : 2) + layers * layer + hiddenSize
    }

    /// Checks sizes and how they fit together; every loader and initialiser calls it before it allocates.
    ///
    /// - Throws: `ModelFileError` that names the first field that is wrong.
    public func validate(place: String = "model configuration") throws {
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
            guard range.contains(value) else {
                throw ModelFileError(
                    .malformed,
                    place: place,
                    "\(name) is \(value), outside \(range.lowerBound)...\(range.upperBound)"
                )
            }
        }
        func fail(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: place, message) }
        try check("vocab_size", vocabularySize, 1...4_000_000)
        try check("hidden_size", hiddenSize, 1...65_536)
        try check("intermediate_size", intermediateSize, 1...1_048_576)
        try check("num_hidden_layers", layers, 1...1024)
        try check("num_attention_heads", heads, 1...1024)
        try check("num_key_value_heads", keyValueHeads, 1...1024)
        try check("head_dim", headDimension, 2...1024)
        try check("max_position_embeddings", maximumPositions, 1...1_000_000_000)
        guard heads.isMultiple(of: keyValueHeads) else {
            throw fail("num_attention_heads (\(heads)) is no multiple of num_key_value_heads (\(keyValueHeads))")
        }
        guard headDimension.isMultiple(of: 2) else {
            throw fail("head_dim is \(headDimension); rotary embedding needs an even one")
        }
        guard ropeTheta.isFinite, ropeTheta > 0 else { throw fail("rope_theta is \(ropeTheta), not a positive number") }
        guard rmsNormEpsilon.isFinite, rmsNormEpsilon >= 0, rmsNormEpsilon < 1 else {
            throw fail("rms_norm_eps is \(rmsNormEpsilon), outside 0..<1")
        }
        guard initializerRange.isFinite, initializerRange >= 0 else {
            throw fail("initializer_range is \(initializerRange), not a finite number from 0 up")
        }
        if case .llama3(let factor, let low, let high, let original) = ropeScaling {
            guard factor.isFinite, factor >= 1, low.isFinite, low > 0, high.isFinite, high > low, original > 0 else {
                throw fail(
                    "rope scaling llama3 wants factor >= 1, high_freq_factor > low_freq_factor > 0 and "
                        + "original_max_position_embeddings > 0; it has \(factor), \(high), \(low), \(original)"
                )
            }
        }
        guard parameterCount <= 1_000_000_000_000 else {
            throw fail("the sizes make \(parameterCount) parameters, more than the limit of 10^12")
        }
    }
}
