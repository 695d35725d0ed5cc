public import Foundation
import ModelFiles
import Tokenization

extension ModelConfiguration {
    /// Reads `config.json` in the 4.x layout (`rope_theta`, `rope_scaling`, `torch_dtype`) or the 5.x one
    /// (`rope_parameters`, `dtype`); of a GGUF file, or a folder that has nothing else, its metadata.
    ///
    /// - Throws: `ModelFileError`: `.inaccessible`, `.malformed` (names the key), `.unsupported` (names the feature).
    public init(folder: URL) throws {
        if let url = ModelFolder.ggufAlone(folder, without: ModelFolder.configurationFile) {
            try self.init(gguf: GGUFFile(url: url))
            return
        }
        let file = folder.appendingPathComponent(ModelFolder.configurationFile)
        try self.init(json: ModelFolder.read(file, limit: 16 << 20), place: file.path)
    }

    /// Reads the content of a `config.json`; `place` names it in errors.
    public init(json: Data, place: String = "config.json") throws {
        let reader = try ConfigurationReader(json: json, place: place)
        let type = try reader.modelType()
        try reader.refuseUnsupported(type)
        let heads = try reader.requiredInteger("num_attention_heads")
        let hidden = try reader.requiredInteger("hidden_size")
        // Where Qwen3's files leave it out, transformers takes 128 and not hidden_size / heads.
        let headDimension = try reader.integer("head_dim") ?? (type == .qwen3 ? 128 : nil)
        if headDimension == nil, heads > 0, !hidden.isMultiple(of: heads) {
            throw reader.malformed(
                "hidden_size (\(hidden)) is no multiple of num_attention_heads (\(heads)) and there is no head_dim"
            )
        }
        let rope = try reader.rope()
        let maximumPositions = try reader.integer("max_position_embeddings") ?? Self.usualPositions(type)
        let dtype = try reader.string("torch_dtype") ?? reader.string("dtype") ?? "float32"
        self.init(
            modelType: type,
            vocabularySize: try reader.requiredInteger("vocab_size"),
            hiddenSize: hidden,
            intermediateSize: try reader.requiredInteger("intermediate_size"),
            layers: try reader.requiredInteger("num_hidden_layers"),
            heads: heads,
            keyValueHeads: try reader.integer("num_key_value_heads"),
            headDimension: headDimension,
            ropeTheta: rope.theta,
            ropeScaling: rope.scaling,
            rmsNormEpsilon: try reader.double("rms_norm_eps") ?? 1e-6,
            tieWordEmbeddings: try reader.bool("tie_word_embeddings") ?? false,
            maximumPositions: maximumPositions,
            initializerRange: try reader.double("initializer_range") ?? 0.02,
            bosTokenID: try reader.tokenIDs("bos_token_id").first,
            eosTokenIDs: try reader.tokenIDs("eos_token_id"),
            padTokenID: try reader.tokenIDs("pad_token_id").first,
            torchDtype: dtype
        )
        try validate(place: place)
    }

    private static func usualPositions(_ type: ModelType) -> Int {
        switch type {
        case .llama: 2048
        case .mistral: 131_072
        case .qwen2, .qwen3: 32_768
        }
    }

    /// The content of a `config.json` in the 4.x layout, which every release of `transformers` reads.
    public func json() -> Data {
        let bos: String = bosTokenID.map { String($0) } ?? "null"
        let pad: String = padTokenID.map { String($0) } ?? "null"
        var members: [(String, String)] = [
            ("architectures", "[\(JSONNode.quoted(modelType.architecture))]"),
            ("attention_dropout", "0.0"),
            ("bos_token_id", bos),
            ("eos_token_id", eosTokenIDs.jsonTokenIDs),
            ("head_dim", "\(headDimension)"),
            ("hidden_act", "\"silu\""),
            ("hidden_size", "\(hiddenSize)"),
            ("initializer_range", "\(initializerRange)"),
            ("intermediate_size", "\(intermediateSize)"),
            ("max_position_embeddings", "\(maximumPositions)"),
            ("model_type", JSONNode.quoted(modelType.rawValue)),
            ("num_attention_heads", "\(heads)"),
            ("num_hidden_layers", "\(layers)"),
            ("num_key_value_heads", "\(keyValueHeads)"),
            ("pad_token_id", pad),
            ("rms_norm_eps", "\(rmsNormEpsilon)"),
            ("rope_theta", "\(ropeTheta)"),
            ("rope_scaling", ropeScaling.json),
            ("tie_word_embeddings", "\(tieWordEmbeddings)"),
            ("torch_dtype", JSONNode.quoted(torchDtype)),
            ("use_cache", "true"),
            ("vocab_size", "\(vocabularySize)"),
        ]
        switch modelType {
        case .llama: members += [("attention_bias", "false"), ("mlp_bias", "false")]
        case .mistral: members += [("sliding_window", "null")]
        case .qwen2: members += [("sliding_window", "null"), ("use_sliding_window", "false")]
        case .qwen3:
            members += [
                ("attention_bias", "false"), ("sliding_window", "null"), ("use_sliding_window", "false"),
            ]
        }
        return ModelFolder.jsonObject(members)
    }

    /// Writes `config.json` into `folder`, atomically.
    public func save(to folder: URL) throws {
        try validate(place: "model configuration to save")
        try AtomicFile.write(json(), to: folder.appendingPathComponent(ModelFolder.configurationFile))
    }
}

extension ModelConfiguration.RopeScaling {
    fileprivate var json: String {
        switch self {
        case .default: "null"
        case .llama3(let factor, let low, let high, let original):
            """
            {"rope_type": "llama3", "factor": \(factor), "low_freq_factor": \(low), "high_freq_factor": \(high), \
            "original_max_position_embeddings": \(original)}
            """
        }
    }
}

extension [TokenID] {
    /// `null`, one number, or a list, as `transformers` writes `eos_token_id`.
    var jsonTokenIDs: String {
        switch count {
        case 0: "null"
        case 1: "\(self[0])"
        default: "[\(map { "\($0)" }.joined(separator: ", "))]"
        }
    }
}
