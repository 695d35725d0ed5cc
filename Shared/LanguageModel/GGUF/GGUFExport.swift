public import Foundation
public import ModelFiles
import TensorEngine
public import Tokenization

/// Writes models as GGUF files that llama.cpp runs.
public enum GGUFExport {
    /// The element types that weights can be written in.
    public static let elementTypes: [GGUFElementType] = [.float32, .float16, .bfloat16, .q80]

    /// Writes a model and its tokenizer as one GGUF file; an adapter is merged in, the model itself stays as it is.
    ///
    /// As in llama.cpp's converter, norms and biases are always F32, the rows of llama's query and key projections are put
    /// in llama.cpp's order, and a matrix whose rows are no multiple of 32 long is written as F16 where Q8_0 is asked for.
    /// - Parameters:
    ///   - model: What to write.
    ///   - tokenizer: The model's tokenizer.
    ///   - name: What the model is called (`general.name`).
    ///   - type: How matrices are stored.
    ///   - chatTemplate: The chat template (Jinja); nil takes that of the tokenizer.
    ///   - turnEnds: Tokens that end an answer beside those of the configuration.
    ///   - url: Where to.
    /// - Throws: `ModelFileError` for a type that cannot be written or a value too large for it, `TokenizationError` where
    ///   llama.cpp has no equal tokenizer.
    public static func write(
        _ model: CausalLanguageModel,
        tokenizer: Tokenizer,
        name: String,
        type: GGUFElementType = .float16,
        chatTemplate: String? = nil,
        turnEnds: [TokenID] = [],
        to url: URL
    ) throws {
        guard elementTypes.contains(type) else {
            throw ModelFileError(
                .unsupported,
                place: url.path,
                "weights cannot be written as \(type.name); "
                    + "\(elementTypes.map(\.name).joined(separator: ", ")) can"
            )
        }
        let configuration = model.configuration
        let metadata =
            try general(configuration, name: name, type)
            + tokenizer.ggufMetadata(
                rows: configuration.vocabularySize,
                bosTokenID: configuration.bosTokenID,
                eosTokenIDs: configuration.eosTokenIDs + turnEnds,
                padTokenID: configuration.padTokenID,
                chatTemplate: chatTemplate
            )
        var items: [GGUFWriter.Item] = []
        if let factors = RopeFactors.factors(configuration) {
            items.append(.init(name: GGUFTensorNames.ropeFactors, shape: [factors.count], values: factors))
        }
        for (parameter, shape) in zip(model.effectiveParameters, model.parameters.map(\.tensor.shape)) {
            items.append(try item(parameter, shape, configuration, type, place: url.path))
        }
        try GGUFWriter.write(items, metadata: metadata, to: url)
    }

    /// Writes the model of a folder or GGUF file, with its tokenizer and chat template, as one GGUF file.
    ///
    /// - Parameters:
    ///   - folder: Where the model lies.
    ///   - file: Where to; an existing file is replaced only by a whole one.
    ///   - type: How matrices are stored.
    ///   - name: What the model is called; nil takes the folder's name.
    /// - Throws: As ``write(_:tokenizer:name:type:chatTemplate:turnEnds:to:)`` does, and what is wrong with the folder.
    public static func write(folder: URL, to file: URL, type: GGUFElementType, name: String? = nil) throws {
        let tokenizer = try Tokenizer(folder: folder)
        // A model need not have a chat template.
        let chat = try? ChatEncoder(folder: folder, tokenizer: tokenizer)
        let generation = try GenerationConfiguration.load(folder: folder)
        try write(
            CausalLanguageModel.load(folder: folder, weights: .asStored),
            tokenizer: tokenizer,
            name: name ?? folder.deletingPathExtension().lastPathComponent,
            type: type,
            chatTemplate: chat?.template.source,
            turnEnds: (chat?.endTokens ?? []) + (generation?.eosTokenIDs ?? []),
            to: file
        )
    }

    private static func general(
        _ configuration: ModelConfiguration,
        name: String,
        _ elementType: GGUFElementType
    ) -> [(key: String, value: GGUFValue)] {
        let architecture = configuration.ggufArchitecture
        func count(_ key: String, _ value: Int) -> (key: String, value: GGUFValue) {
            ("\(architecture).\(key)", .uint32(UInt32(clamping: value)))
        }
        return [
            ("general.architecture", .text(architecture)),
            ("general.type", .text("model")),
            ("general.name", .text(name)),
            ("general.file_type", .uint32(fileType(elementType))),
            // The version of the quantised types' layouts.
            ("general.quantization_version", .uint32(2)),
            count("vocab_size", configuration.vocabularySize),
            count("context_length", configuration.maximumPositions),
            count("embedding_length", configuration.hiddenSize),
            count("feed_forward_length", configuration.intermediateSize),
            count("block_count", configuration.layers),
            count("attention.head_count", configuration.heads),
            count("attention.head_count_kv", configuration.keyValueHeads),
            count("attention.key_length", configuration.headDimension),
            count("attention.value_length", configuration.headDimension),
            count("rope.dimension_count", configuration.headDimension),
            ("\(architecture).rope.freq_base", .float32(Float(configuration.ropeTheta))),
            ("\(architecture).attention.layer_norm_rms_epsilon", .float32(Float(configuration.rmsNormEpsilon))),
        ]
    }

    /// llama.cpp's number for a file whose matrices are mostly of a type.
    private static func fileType(_ elementType: GGUFElementType) -> UInt32 {
        switch elementType {
        case .float16: 1
        case .q80: 7
        case .bfloat16: 32
        default: 0
        }
    }

    private static func item(
        _ parameter: (name: String, tensor: () -> Tensor),
        _ shape: [Int],
        _ configuration: ModelConfiguration,
        _ elementType: GGUFElementType,
        place: String
    ) throws -> GGUFWriter.Item {
        guard let name = GGUFTensorNames.gguf(parameter.name), let columns = shape.last else {
            throw ModelFileError(.unsupported, place: place, "GGUF has no name for the weight \(parameter.name)")
        }
        var type = shape.count > 1 ? elementType : .float32
        if !columns.isMultiple(of: type.blockSize) { type = .float16 }
        let rows = RotaryRows(parameter.name, configuration)
        return GGUFWriter.Item(name: name, shape: shape, elementType: type) { body in
            try parameter.tensor().withValues { values in
                guard let rows else { return try body(values) }
                var ordered = [Float](repeating: 0, count: values.count)
                ordered.withUnsafeMutableBufferPointer {
                    rows.interleave(values, into: $0, columns: columns)
                }
                try ordered.withUnsafeBufferPointer(body)
            }
        }
    }
}
