import Foundation
package import ModelFiles
import Tokenization

extension ModelConfiguration {
    /// The configuration that a GGUF file's metadata and tensors tell.
    ///
    /// - Throws: `ModelFileError`: `.malformed` (names the key), `.unsupported` (names the feature).
    package init(gguf file: GGUFFile) throws {
        let reader = try GGUFConfigurationReader(file)
        try reader.refuseUnsupported()
        let heads = try reader.integer("attention.head_count")
        let hidden = try reader.integer("embedding_length")
        let headDimension = try reader.headDimension(heads: heads, hidden: hidden)
        self.init(
            modelType: reader.modelType,
            vocabularySize: try reader.vocabularySize(),
            hiddenSize: hidden,
            intermediateSize: try reader.integer("feed_forward_length"),
            layers: try reader.integer("block_count"),
            heads: heads,
            keyValueHeads: try reader.optionalInteger("attention.head_count_kv"),
            headDimension: headDimension,
            ropeTheta: try file.metadata.double(reader.key("rope.freq_base")) ?? 10_000,
            rmsNormEpsilon: try reader.epsilon(),
            tieWordEmbeddings: file.entry("output.weight") == nil,
            maximumPositions: try reader.integer("context_length"),
            torchDtype: reader.dtype
        )
        try reader.readTokenIDs(into: &self)
        try validate(place: file.url.path)
        ropeScaling = try reader.ropeScaling(self)
        try validate(place: file.url.path)
    }

    /// The architecture's name in GGUF: Mistral's models are llama's there.
    var ggufArchitecture: String { modelType == .mistral ? ModelType.llama.rawValue : modelType.rawValue }

    /// Holds what decides about the order of rows against a GGUF file: the shapes of its tensors do not tell it.
    func checkHeads(of file: GGUFFile) throws {
        let theirs = try ModelConfiguration(gguf: file)
        guard theirs.ggufArchitecture == ggufArchitecture, theirs.heads == heads,
            theirs.keyValueHeads == keyValueHeads, theirs.headDimension == headDimension
        else {
            throw ModelFileError(
                .malformed,
                place: file.url.path,
                "holds a model of architecture \(theirs.ggufArchitecture) with \(theirs.heads) heads, "
                    + "\(theirs.keyValueHeads) for keys and values, of width \(theirs.headDimension); the configuration "
                    + "says \(ggufArchitecture), \(heads), \(keyValueHeads) and \(headDimension)"
            )
        }
    }
}

/// Typed reads of the keys that stand under the architecture's name.
private struct GGUFConfigurationReader {
    let file: GGUFFile
    let modelType: ModelConfiguration.ModelType
    private let architecture: String

    init(_ file: GGUFFile) throws {
        self.file = file
        guard let architecture = try file.metadata.string("general.architecture") else {
            throw file.metadata.malformed("general.architecture is missing: the file holds no model")
        }
        let known: [ModelConfiguration.ModelType] = [.llama, .qwen2, .qwen3]
        guard let type = known.first(where: { $0.rawValue == architecture }) else {
            throw file.metadata.unsupported(
                "architecture \(architecture) is not supported; supported are "
                    + "\(known.map(\.rawValue).joined(separator: ", ")) (Mistral's models are llama's)"
            )
        }
        self.architecture = architecture
        modelType = type
    }

    func key(_ name: String) -> String { "\(architecture).\(name)" }

    func integer(_ name: String) throws -> Int { try file.metadata.requiredInteger(key(name)) }

    func optionalInteger(_ name: String) throws -> Int? { try file.metadata.integer(key(name)) }

    /// Refuses what would change the computation and is not computed here.
    func refuseUnsupported() throws {
        let metadata = file.metadata
        if let experts = try optionalInteger("expert_count"), experts > 0 {
            throw metadata.unsupported("\(key("expert_count")) \(experts): mixtures of experts are not supported")
        }
        if let window = try optionalInteger("attention.sliding_window"), window > 0,
            try window < integer("context_length")
        {
            throw metadata.unsupported(
                "\(key("attention.sliding_window")) \(window) is not supported; only whole attention is"
            )
        }
        if try metadata.bool(key("attention.causal")) == false {
            throw metadata.unsupported("\(key("attention.causal")) false is not supported; decoders are")
        }
        // Factors that other families of llama.cpp's have: 0 stands for none, 1 changes nothing.
        for name in [
            "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias", "attn_logit_softcapping",
            "final_logit_softcapping", "logit_scale", "residual_scale", "embedding_scale",
        ] {
            if let value = try metadata.double(key(name)), value != 0, value != 1 {
                throw metadata.unsupported("\(key(name)) \(value) is not supported")
            }
        }
        let scaling = try metadata.string(key("rope.scaling.type")) ?? "linear"
        let factor = try metadata.double(key("rope.scaling.factor")) ?? metadata.double(key("rope.scale_linear")) ?? 0
        if scaling != "none", scaling != "linear" || factor != 0 && factor != 1 {
            throw metadata.unsupported(
                "rope scaling of type \(scaling) with factor \(factor) is not supported; "
                    + "none, and Llama 3's by \(GGUFTensorNames.ropeFactors), are"
            )
        }
    }

    func headDimension(heads: Int, hidden: Int) throws -> Int {
        let length = try optionalInteger("attention.key_length")
        guard heads > 0, length != nil || hidden.isMultiple(of: heads) else {
            throw file.metadata.malformed(
                "\(key("embedding_length")) (\(hidden)) is no multiple of \(key("attention.head_count")) (\(heads)) and "
                    + "there is no \(key("attention.key_length"))"
            )
        }
        let dimension = length ?? hidden / heads
        for name in ["attention.value_length", "rope.dimension_count"] {
            guard let other = try optionalInteger(name), other != dimension else { continue }
            throw file.metadata.unsupported(
                "\(key(name)) \(other) is not supported where heads have a width of \(dimension); only the same is"
            )
        }
        return dimension
    }

    func vocabularySize() throws -> Int {
        guard let entry = file.entry("token_embd.weight"), entry.shape.count == 2 else {
            throw file.metadata.malformed("the weight token_embd.weight, whose rows are the vocabulary, is missing")
        }
        return entry.shape[0]
    }

    func epsilon() throws -> Double {
        guard let epsilon = try file.metadata.double(key("attention.layer_norm_rms_epsilon")) else {
            throw file.metadata.malformed("\(key("attention.layer_norm_rms_epsilon")) is missing")
        }
        return epsilon
    }

    /// PyTorch's name of the type that the embedding is stored in; quantised ones are computed in float32.
    var dtype: String {
        switch file.entry("token_embd.weight")?.elementType {
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        default: "float32"
        }
    }

    func readTokenIDs(into configuration: inout ModelConfiguration) throws {
        func id(_ name: String) throws -> TokenID? {
            let key = "tokenizer.ggml.\(name)_token_id"
            // Some converters write -1, or its bits, for none.
            guard let id = try file.metadata.integer(key), id != -1, id != Int(UInt32.max) else { return nil }
            guard (0..<configuration.vocabularySize).contains(id) else {
                throw file.metadata.malformed(
                    "\(key) is \(id), outside the vocabulary of \(configuration.vocabularySize)"
                )
            }
            return TokenID(id)
        }
        configuration.bosTokenID = try id("bos")
        configuration.padTokenID = try id("padding")
        var ends: [TokenID] = []
        for name in ["eos", "eot", "eom"] {
            if let end = try id(name), !ends.contains(end) { ends.append(end) }
        }
        configuration.eosTokenIDs = ends
    }

    func ropeScaling(_ configuration: ModelConfiguration) throws -> ModelConfiguration.RopeScaling {
        guard let entry = file.entry(GGUFTensorNames.ropeFactors) else { return .default }
        guard entry.shape == [configuration.headDimension / 2] else {
            throw file.metadata.malformed(
                "the weight \(entry.name) has shape \(entry.shape); heads ask for [\(configuration.headDimension / 2)]"
            )
        }
        guard let scaling = RopeFactors.scaling(try file.floats(entry.name), configuration) else {
            throw file.metadata.unsupported(
                "the factors of \(entry.name) are none that Llama 3's rope scaling makes, which alone is supported"
            )
        }
        return scaling
    }
}
