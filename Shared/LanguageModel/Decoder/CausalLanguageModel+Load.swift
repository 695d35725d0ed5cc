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
        let (configuration, source) = try open(folder)
        // Headers against configuration first: sizes that the files do not have must not cost the memory they ask for.
        let names = try names(of: configuration, in: source)
        return try CausalLanguageModel(configuration: configuration, context: context) { name, shape in
            let stored = names[name] ?? name
            let isMatrix = shape.count > 1
            let isBFloat16 = source.weight(stored)?.isBFloat16 == true
            if isMatrix, isBFloat16, weights != .float32, let mapped = try source.mappedBFloat16(stored) {
                let block = HalfBlock(borrowing: mapped.values, count: mapped.count, owner: mapped.owner)
                return Tensor(block, shape: shape, context: context)
            }
            let tensor = Tensor(uninitialized: shape, context: context)
            try tensor.withMutableValues { try source.read(stored, into: $0) }
            source.release(stored)
            let becomesBFloat16 = isMatrix && (weights == .bfloat16 || weights == .asStored && isBFloat16)
            return becomesBFloat16 ? tensor.converted(to: .bfloat16) : tensor
        }
    }

    /// The configuration and weights of a folder or GGUF file.
    private static func open(_ folder: URL) throws -> (ModelConfiguration, any WeightSource) {
        let configuration = try ModelConfiguration(folder: folder)
        guard let url = ModelFolder.ggufWeights(of: folder) else {
            return (configuration, try SafetensorsCheckpoint(folder: folder))
        }
        let file = try GGUFFile(url: url)
        try configuration.checkHeads(of: file)
        return (configuration, GGUFCheckpoint(file, configuration))
    }

    /// Checks names, shapes and element types of a model's weights, and says under which name to read each.
    private static func names(
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
            if source.weight(name) == nil, name == "model.embed_tokens.weight", configuration.tieWordEmbeddings {
                stored = "lm_head.weight"
            }
            guard let weight = source.weight(stored) else {
                throw failure(.malformed, "the weight \(source.storedName(name)) is missing")
            }
            guard weight.shape == shape else {
                throw failure(
                    .malformed,
                    "the weight \(source.storedName(name)) has shape \(weight.shape); the configuration asks for \(shape)"
                )
            }
            guard weight.isReadable else {
                throw failure(
                    .unsupported,
                    "the weight \(source.storedName(name)) has element type \(weight.typeName); "
                        + "F32, BF16 and F16 can be read"
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
