public import Foundation
import ModelFiles
public import TensorEngine

/// How the weights of linear layers and embeddings are kept in memory; norms and biases are always float32.
public enum WeightStorage: String, Sendable, CaseIterable {
    /// Float32 whatever the files hold: for full fine-tuning.
    case float32
    /// What the files hold in bfloat16 stays so, read in place without a copy where it lies as the model needs it; all
    /// else is float32.
    case asStored
    /// Bfloat16: read in place where the files hold it, else rounded to nearest.
    case bfloat16
}

extension CausalLanguageModel {
    /// Reads a model: a folder in Hugging Face layout, whose weights may also be one `model.gguf`, or a GGUF file.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(folder: URL, weights: WeightStorage = .float32) throws -> CausalLanguageModel {
        try load(folder: folder, context: ComputeContext(), weights: weights)
    }

    /// Reads a model into a given context: a folder in Hugging Face layout, whose weights may also be one `model.gguf`, or
    /// a GGUF file.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(
        folder: URL,
        context: ComputeContext,
        weights: WeightStorage = .float32
    ) throws -> CausalLanguageModel {
        var configuration = try ModelConfiguration(folder: folder)
        let source = try WeightFiles.open(folder: folder, configuration: configuration)
        if try hasHeadOfItsOwn(configuration, source) { configuration.tieWordEmbeddings = false }
        // Headers against configuration first: sizes that the files do not have must not cost the memory they ask for.
        let names = try sources(of: configuration, in: source)
        return try CausalLanguageModel(configuration: configuration, context: context) { name, shape in
            let stored = names[name] ?? name
            let isMatrix = shape.count > 1
            if isMatrix, weights != .float32, let mapped = try source.mappedBFloat16(stored) {
                let block = HalfBlock(borrowing: mapped.values, count: mapped.count, owner: mapped.owner)
                return Tensor(block, shape: shape, context: context)
            }
            let tensor = Tensor(uninitialized: shape, context: context)
            try tensor.withMutableValues { try source.read(stored, into: $0) }
            source.release(stored)
            // Values of bfloat16 that did not lie as they are needed are the same values.
            let isBFloat16 = weights == .bfloat16 || weights == .asStored && source.typeName(stored) == "BF16"
            return isMatrix && isBFloat16 ? tensor.converted(to: .bfloat16) : tensor
        }
    }

    /// Checks a folder's weights against its configuration without reading them.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func inspect(folder: URL) throws -> ModelFilesSummary {
        let configuration = try ModelConfiguration(folder: folder)
        let source = try WeightFiles.open(folder: folder, configuration: configuration)
        let names = try sources(of: configuration, in: source)
        // Norms are kept exactly by most formats; the matrices say what the model is stored as.
        var counts: [String: Int] = [:]
        for name in names.values {
            guard let shape = source.shape(name), shape.count > 1, let type = source.typeName(name) else { continue }
            counts[type, default: 0] += shape.reduce(1, *)
        }
        let main = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "F32"
        let isGGUF = source is GGUFWeights
        return ModelFilesSummary(
            format: "\(isGGUF ? "GGUF" : "safetensors") \(main)",
            isGGUF: isGGUF,
            storedBytes: main == "BF16" ? 2 : 4
        )
    }

    /// Whether a folder whose configuration ties the output projection to the embedding holds another projection.
    ///
    /// `transformers` computes with the file's then, and so must a model that was trained apart.
    private static func hasHeadOfItsOwn(_ configuration: ModelConfiguration, _ source: any WeightSource) throws -> Bool
    {
        let (head, embedding) = ("lm_head.weight", "model.embed_tokens.weight")
        guard configuration.tieWordEmbeddings, let shape = source.shape(head), source.shape(embedding) == shape,
            shape == [configuration.vocabularySize, configuration.hiddenSize], source.isReadable(head),
            source.isReadable(embedding)
        else { return false }
        let count = shape.reduce(1, *)
        func values(_ name: String) throws -> [Float] {
            try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                try source.read(name, into: UnsafeMutableBufferPointer(rebasing: buffer.prefix(count)))
                initialized = count
            }
        }
        let (first, second) = (try values(head), try values(embedding))
        return !zip(first, second).allSatisfy { $0.bitPattern == $1.bitPattern }
    }

    /// Checks names, shapes and element types of a folder's weights, and says under which name to read each.
    private static func sources(
        of configuration: ModelConfiguration,
        in source: any WeightSource
    ) throws -> [String: String] {
        func failure(_ code: ModelFileError.Code, _ message: String) -> ModelFileError {
            ModelFileError(code, place: source.place, message)
        }
        var expected: [(name: String, shape: [Int])] = []
        _ = DecoderLayout<Void>(configuration) { name, shape in expected.append((name, shape)) }
        var names: [String: String] = [:]
        for (name, shape) in expected {
            var stored = name
            // Sharing one storage, PyTorch may have saved a tied projection under either name.
            if source.shape(name) == nil, name == "model.embed_tokens.weight", configuration.tieWordEmbeddings {
                stored = "lm_head.weight"
            }
            guard let found = source.shape(stored) else {
                throw failure(.malformed, "the weight \(source.storedName(name)) is missing")
            }
            guard found == shape else {
                throw failure(
                    .malformed,
                    "the weight \(source.storedName(name)) has shape \(found); the configuration asks for \(shape)"
                )
            }
            guard source.isReadable(stored) else {
                throw failure(
                    .unsupported,
                    "the weight \(source.storedName(name)) has element type \(source.typeName(stored) ?? "?"); F32, BF16 and "
                        + "F16 can be read"
                )
            }
            names[name] = stored
        }
        // Weights that nothing computes with would change the model's answers unseen. Old files store the rotary
        // frequencies, which follow from the configuration, and a tied projection may be there twice.
        for name in source.names
        where names[name] == nil && name != "lm_head.weight" && !name.hasSuffix(".rotary_emb.inv_freq") {
            throw failure(
                .unsupported,
                "holds the weight \(source.storedName(name)), which the configuration does not ask for"
            )
        }
        return names
    }
}

/// How a model's files hold its weights.
public struct ModelFilesSummary: Sendable, Equatable {
    /// The file format and the element type of most weights: `safetensors BF16`, `GGUF Q4_K`.
    public let format: String
    /// Whether the weights are a GGUF file.
    public let isGGUF: Bool
    /// Bytes that a weight takes where it is computed with as it is stored: 2 for bfloat16, else 4.
    public let storedBytes: Int
}
