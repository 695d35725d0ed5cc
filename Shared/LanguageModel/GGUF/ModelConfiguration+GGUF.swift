import Foundation
package import ModelFiles
import Tokenization

extension ModelConfiguration {
    /// The configuration that a GGUF file's metadata and tensors describe.
    ///
    /// - Throws: `ModelFileError` that names the key and what is wrong with it or not supported.
    package init(gguf file: GGUFFile) throws {
        let metadata = file.metadata
        guard let architecture = try metadata.string("general.architecture") else {
            throw metadata.malformed("general.architecture is missing")
        }
        let types: [String: ModelType] = ["llama": .llama, "qwen2": .qwen2, "qwen3": .qwen3]
        guard let type = types[architecture] else {
            throw metadata.unsupported(
                "the architecture \(architecture) is not supported; \(types.keys.sorted().joined(separator: ", ")) are"
            )
        }
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        func number(_ name: String) throws -> Int { try metadata.requiredInteger(key(name)) }
        if let experts = try metadata.integer(key("expert_count")), experts > 0 {
            throw metadata.unsupported("has \(experts) experts; mixtures of experts are not supported")
        }
        let hidden = try number("embedding_length")
        let heads = try number("attention.head_count")
        guard heads > 0 else { throw metadata.malformed("\(key("attention.head_count")) is \(heads)") }
        let dimension = try metadata.integer(key("attention.key_length")) ?? hidden / heads
        for name in ["attention.value_length", "rope.dimension_count"] {
            if let other = try metadata.integer(key(name)), other != dimension {
                throw metadata.unsupported(
                    "\(key(name)) is \(other) where a head has \(dimension); they must be the same"
                )
            }
        }
        if let scaling = try metadata.string(key("rope.scaling.type")), scaling != "none" {
            throw metadata.unsupported("\(key("rope.scaling.type")) \(scaling) is not supported")
        }
        if let window = try metadata.integer(key("attention.sliding_window")), window > 0 {
            throw metadata.unsupported("has an attention window of \(window) tokens; only full attention is supported")
        }
        let tokens = try metadata["tokenizer.ggml.tokens"].flatMap { _ in
            try metadata.strings("tokenizer.ggml.tokens")?.count
        }
        let rows = file.entry("token_embd.weight")?.shape.first
        let theta = try metadata.double(key("rope.freq_base")) ?? 10_000
        func id(_ name: String) throws -> TokenID? {
            let id = try metadata.integer("tokenizer.ggml.\(name)_token_id")
            return id.flatMap { $0 >= 0 && $0 != Int(UInt32.max) ? TokenID(exactly: $0) : nil }
        }
        self.init(
            modelType: type,
            vocabularySize: try metadata.integer(key("vocab_size")) ?? rows ?? tokens ?? 0,
            hiddenSize: hidden,
            intermediateSize: try number("feed_forward_length"),
            layers: try number("block_count"),
            heads: heads,
            keyValueHeads: try metadata.integer(key("attention.head_count_kv")),
            headDimension: dimension,
            ropeTheta: theta,
            ropeScaling: try Self.ropeScaling(file, theta: theta, dimension: dimension),
            rmsNormEpsilon: try metadata.double(key("attention.layer_norm_rms_epsilon")) ?? 1e-6,
            tieWordEmbeddings: file.entry("output.weight") == nil,
            maximumPositions: try number("context_length"),
            bosTokenID: try id("bos"),
            eosTokenIDs: try id("eos").map { [$0] } ?? [],
            padTokenID: try id("padding")
        )
        try validate(place: file.url.path)
    }

    /// The scaling behind a file's factors of the rotary frequencies (Llama 3.1's), which are all that it keeps of it.
    ///
    /// - Throws: `ModelFileError` where the factors are not those of Llama 3's kind of scaling.
    private static func ropeScaling(_ file: GGUFFile, theta: Double, dimension: Int) throws -> RopeScaling {
        guard file.entry(GGUFModelFolder.ropeFactorsName) != nil else { return .default }
        let factors = try file.floats(GGUFModelFolder.ropeFactorsName)
        guard factors.count == dimension / 2, let most = factors.max(), most.isFinite, most >= 1 else {
            throw file.metadata.malformed(
                "\(GGUFModelFolder.ropeFactorsName) has no \(dimension / 2) factors from 1 up"
            )
        }
        if factors.allSatisfy({ $0 == 1 }) { return .default }
        // Published models differ in the factor and the length of pretraining.
        for original in [8192, 4096, 2048, 16_384, 32_768, 256, 512, 1024] {
            let scaling = RopeScaling.llama3(
                factor: Double(most),
                low: 1,
                high: 4,
                originalMaximumPositions: original
            )
            let expected = scaling.factors(theta: theta, dimension: dimension)
            if zip(expected, factors).allSatisfy({ abs($0 - Double($1)) <= 1e-4 * abs($0) }) { return scaling }
        }
        throw file.metadata.unsupported("\(GGUFModelFolder.ropeFactorsName) are not those of Llama 3's scaling")
    }
}

extension ModelConfiguration.RopeScaling {
    /// What each rotary frequency is divided by, [dimension / 2].
    func factors(theta: Double, dimension: Int) -> [Double] {
        (0..<dimension / 2).map { index in
            guard case .llama3(let factor, let low, let high, let original) = self else { return 1 }
            let wavelength = 2 * Double.pi * pow(theta, Double(2 * index) / Double(dimension))
            if wavelength < Double(original) / high { return 1 }
            if wavelength > Double(original) / low { return factor }
            let smooth = (Double(original) / wavelength - low) / (high - low)
            return 1 / ((1 - smooth) / factor + smooth)
        }
    }
}
