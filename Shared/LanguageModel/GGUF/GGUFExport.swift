public import Foundation
public import ModelFiles
import TensorEngine
import Tokenization

/// Writes a model as a GGUF file that llama.cpp computes the same with.
public enum GGUFExport {
    /// Writes the model of a folder.
    ///
    /// - Parameters:
    ///   - folder: A model folder.
    ///   - file: Where to; an existing file is replaced only by a whole one.
    ///   - type: How matrices are stored: F16, BF16 or Q8_0. Norms and biases are float32, as llama.cpp wants them.
    /// - Throws: `ModelFileError` for another type, a model or tokenizer that llama.cpp has no equal of, or a value that the
    ///   type cannot hold.
    public static func write(folder: URL, to file: URL, type: GGUFElementType) throws {
        guard [.float16, .bfloat16, .q80].contains(type) else {
            throw ModelFileError(
                .unsupported,
                place: file.path,
                "weights cannot be written as \(type.name); F16, BF16 and Q8_0 can"
            )
        }
        let model = try CausalLanguageModel.load(folder: folder, weights: .asStored)
        let tokenizer = try Tokenizer(folder: folder)
        let configuration = model.configuration
        var items = model.parameters.compactMap { parameter in
            GGUFNames.gguf(parameter.name).map { name in
                item(name, of: parameter, configuration, type: type)
            }
        }
        if case .llama3 = configuration.ropeScaling {
            let factors = configuration.ropeScaling.factors(
                theta: configuration.ropeTheta,
                dimension: configuration.headDimension
            )
            items.append(
                GGUFWriter.Item(
                    name: GGUFModelFolder.ropeFactorsName,
                    shape: [factors.count],
                    values: factors.map { Float($0) }
                )
            )
        }
        try GGUFWriter.write(
            items,
            metadata: metadata(configuration, type: type, name: folder.lastPathComponent)
                + tokenizer.ggufMetadata(vocabularySize: configuration.vocabularySize, place: folder.path)
                + chat(folder, tokenizer),
            to: file
        )
    }

    private static func item(
        _ name: String,
        of parameter: (name: String, tensor: Tensor),
        _ configuration: ModelConfiguration,
        type: GGUFElementType
    ) -> GGUFWriter.Item {
        let shape = parameter.tensor.shape
        let tensor = parameter.tensor
        // Blocks of Q8_0 must fill a row.
        let fits = shape.count > 1 && (shape.last ?? 0).isMultiple(of: type.blockSize)
        return GGUFWriter.Item(
            name: name,
            shape: shape,
            elementType: shape.count < 2 ? .float32 : fits ? type : .float16
        ) { body in
            var values = tensor.elementType == .float32 ? tensor.values : tensor.converted(to: .float32).values
            if let heads = GGUFWeights.movedHeads(parameter.name, configuration) {
                values.withUnsafeMutableBufferPointer {
                    GGUFWeights.neighboursFromHalves(
                        $0,
                        heads: heads,
                        rows: shape[0],
                        columns: shape.dropFirst().reduce(1, *)
                    )
                }
            }
            try values.withUnsafeBufferPointer(body)
        }
    }

    private static func metadata(
        _ configuration: ModelConfiguration,
        type: GGUFElementType,
        name: String
    ) -> [(key: String, value: GGUFValue)] {
        let architecture =
            switch configuration.modelType {
            case .llama, .mistral: "llama"
            case .qwen2: "qwen2"
            case .qwen3: "qwen3"
            }
        func number(_ key: String, _ value: Int) -> (key: String, value: GGUFValue) {
            ("\(architecture).\(key)", .uint32(UInt32(clamping: value)))
        }
        // llama.cpp's numbers of the types that most of a file's weights have.
        let fileType: UInt32 = type == .float16 ? 1 : type == .q80 ? 7 : 32
        return [
            ("general.architecture", .text(architecture)),
            ("general.type", .text("model")),
            ("general.name", .text(name)),
            ("general.file_type", .uint32(fileType)),
            ("general.quantization_version", .uint32(2)),
            number("block_count", configuration.layers),
            number("context_length", configuration.maximumPositions),
            number("embedding_length", configuration.hiddenSize),
            number("feed_forward_length", configuration.intermediateSize),
            number("attention.head_count", configuration.heads),
            number("attention.head_count_kv", configuration.keyValueHeads),
            number("attention.key_length", configuration.headDimension),
            number("attention.value_length", configuration.headDimension),
            number("rope.dimension_count", configuration.headDimension),
            number("vocab_size", configuration.vocabularySize),
            ("\(architecture).rope.freq_base", .float32(Float(configuration.ropeTheta))),
            ("\(architecture).attention.layer_norm_rms_epsilon", .float32(Float(configuration.rmsNormEpsilon))),
        ]
    }

    /// The chat template, and the token that ends a turn where that is not the end of a text.
    private static func chat(_ folder: URL, _ tokenizer: Tokenizer) throws -> [(key: String, value: GGUFValue)] {
        guard let encoder = try? ChatEncoder(folder: folder, tokenizer: tokenizer) else { return [] }
        var pairs: [(key: String, value: GGUFValue)] = [("tokenizer.chat_template", .text(encoder.template.source))]
        if let end = encoder.endTokens.first, end != tokenizer.eosTokenID {
            pairs.append(("tokenizer.ggml.eot_token_id", .uint32(UInt32(end))))
        }
        return pairs
    }
}
