public import Foundation
import ModelFiles
public import TensorEngine

/// How the weights of linear layers and embeddings are kept in memory; norms and biases are always float32.
public enum WeightStorage: String, Sendable, CaseIterable {
    /// Float32 whatever the files hold: for full fine-tuning.
    case float32
    /// What the files hold in bfloat16 is read in place, without a copy; all else is float32.
    case asStored
    /// Bfloat16: read in place where the files hold it, else rounded to nearest.
    case bfloat16
}

extension CausalLanguageModel {
    /// Reads a model folder in Hugging Face layout.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(folder: URL, weights: WeightStorage = .float32) throws -> CausalLanguageModel {
        try load(folder: folder, context: ComputeContext(), weights: weights)
    }

    /// Reads a model folder in Hugging Face layout into a given context.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(
        folder: URL,
        context: ComputeContext,
        weights: WeightStorage = .float32
    ) throws -> CausalLanguageModel {
        let configuration = try ModelConfiguration(folder: folder)
        let checkpoint = try SafetensorsCheckpoint(folder: folder)
        // Headers against configuration first: sizes that the files do not have must not cost the memory they ask for.
        let sources = try sources(of: configuration, in: checkpoint)
        return try CausalLanguageModel(configuration: configuration, context: context) { name, shape in
            let source = sources[name] ?? name
            let isHalf = checkpoint.entry(source)?.elementType == .bfloat16
            if shape.count > 1, isHalf, weights != .float32, let mapped = try checkpoint.mappedBFloat16(source) {
                let block = HalfBlock(borrowing: mapped.values, count: mapped.count, owner: mapped.owner)
                return Tensor(block, shape: shape, context: context)
            }
            let tensor = Tensor(uninitialized: shape, context: context)
            try tensor.withMutableValues { try checkpoint.read(source, into: $0) }
            checkpoint.release(source)
            return shape.count > 1 && weights == .bfloat16 ? tensor.converted(to: .bfloat16) : tensor
        }
    }

    /// Checks names, shapes and element types of a folder's weights, and says where to read each.
    private static func sources(
        of configuration: ModelConfiguration,
        in checkpoint: SafetensorsCheckpoint
    ) throws -> [String: String] {
        func failure(_ code: ModelFileError.Code, _ message: String) -> ModelFileError {
            ModelFileError(code, place: checkpoint.folder.path, message)
        }
        var expected: [(name: String, shape: [Int])] = []
        _ = DecoderLayout<Void>(configuration) { name, shape in expected.append((name, shape)) }
        var sources: [String: String] = [:]
        for (name, shape) in expected {
            var source = name
            // Sharing one storage, PyTorch may have saved a tied projection under either name.
            if checkpoint.entry(name) == nil, name == "model.embed_tokens.weight", configuration.tieWordEmbeddings {
                source = "lm_head.weight"
            }
            guard let entry = checkpoint.entry(source) else {
                throw failure(.malformed, "the weight \(name) is missing")
            }
            guard entry.shape == shape else {
                throw failure(
                    .malformed,
                    "the weight \(name) has shape \(entry.shape); config.json asks for \(shape)"
                )
            }
            guard entry.elementType.torchName != nil else {
                throw failure(
                    .unsupported,
                    "the weight \(name) has element type \(entry.elementType.rawValue); F32, BF16 and F16 can be read"
                )
            }
            sources[name] = source
        }
        // Weights that nothing computes with would change the model's answers unseen. Old files store the rotary
        // frequencies, which follow from the configuration, and a tied projection may be there twice.
        for name in checkpoint.names
        where sources[name] == nil && name != "lm_head.weight" && !name.hasSuffix(".rotary_emb.inv_freq") {
            throw failure(.unsupported, "holds the weight \(name), which config.json does not ask for")
        }
        return sources
    }
}
