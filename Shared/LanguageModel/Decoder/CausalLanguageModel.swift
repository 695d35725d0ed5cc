public import Foundation
public import TensorEngine
import Tokenization

/// A decoder of the Llama family (also Mistral without a window, Qwen2 with its biases, and Qwen3 with its query and key
/// norms), in float32.
///
/// Weights carry Hugging Face's names and layouts. A model belongs to one thread at a time.
public final class CausalLanguageModel {
    /// Sizes and constants.
    public let configuration: ModelConfiguration
    /// The threads and memory that the model's tensors live in.
    public let context: ComputeContext
    /// Every weight under its Hugging Face name, in a fixed order; a tied output projection is not listed.
    public let parameters: [(name: String, tensor: Tensor)]

    let embedding: Tensor
    let layers: [DecoderLayer]
    let finalNorm: Tensor
    let outputProjection: Tensor?
    let rotary: RotaryTable
    /// The LoRA adapter that the model computes with and that alone trains; see ``attach(_:)``.
    public internal(set) var adapter: LoRAAdapter?

    /// The projection from the last hidden state to logits: [vocabulary, hidden].
    public var outputWeight: Tensor { outputProjection ?? embedding }

    /// A freshly drawn model: normal weights of the configuration's `initializerRange`, norms 1, biases 0.
    ///
    /// - Throws: `ModelFileError` when the sizes do not fit together.
    public convenience init(configuration: ModelConfiguration, seed: UInt64) throws {
        try self.init(configuration: configuration, seed: seed, context: ComputeContext())
    }

    /// A freshly drawn model in a given context.
    ///
    /// - Throws: `ModelFileError` when the sizes do not fit together.
    public convenience init(configuration: ModelConfiguration, seed: UInt64, context: ComputeContext) throws {
        try self.init(configuration: configuration, context: context)
        var generator = SeededGenerator(seed: seed)
        for (name, tensor) in parameters {
            tensor.withMutableValues { values in
                if tensor.shape.count == 1 {
                    values.update(repeating: name.hasSuffix("bias") ? 0 : 1)
                } else {
                    for index in values.indices {
                        values[index] = Float(generator.nextNormal() * configuration.initializerRange)
                    }
                }
            }
        }
    }

    /// The shape without values: every weight is zero.
    init(configuration: ModelConfiguration, context: ComputeContext) throws {
        try configuration.validate()
        self.configuration = configuration
        self.context = context
        var list: [(name: String, tensor: Tensor)] = []
        func parameter(_ name: String, _ shape: [Int]) -> Tensor {
            let tensor = Tensor(zeros: shape, context: context, requiresGradient: true)
            list.append((name, tensor))
            return tensor
        }
        let layout = DecoderLayout(configuration, make: parameter)
        embedding = layout.embedding
        layers = layout.layers
        finalNorm = layout.finalNorm
        outputProjection = layout.outputProjection
        rotary = RotaryTable(inverseFrequencies: configuration.inverseFrequencies)
        parameters = list
    }

    /// The same weights as those of `other`, not copied, and no adapter.
    init(sharing other: CausalLanguageModel) {
        configuration = other.configuration
        context = other.context
        parameters = other.parameters
        embedding = other.embedding
        layers = other.layers
        finalNorm = other.finalNorm
        outputProjection = other.outputProjection
        rotary = other.rotary
    }

    /// Reads a model folder in Hugging Face layout.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(folder: URL) throws -> CausalLanguageModel {
        try load(folder: folder, context: ComputeContext())
    }

    /// Reads a model folder in Hugging Face layout into a given context.
    ///
    /// - Throws: `ModelFileError` that names the file and what is wrong with it.
    public static func load(folder: URL, context: ComputeContext) throws -> CausalLanguageModel {
        let configuration = try ModelConfiguration(folder: folder)
        let checkpoint = try SafetensorsCheckpoint(folder: folder)
        // Headers against configuration first: sizes that the files do not have must not cost the memory they ask for.
        let sources = try sources(of: configuration, in: checkpoint)
        let model = try CausalLanguageModel(configuration: configuration, context: context)
        for (name, tensor) in model.parameters {
            let source = sources[name] ?? name
            try tensor.withMutableValues { try checkpoint.read(source, into: $0) }
            checkpoint.release(source)
        }
        return model
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

    /// Writes config.json, generation_config.json and model.safetensors into `folder`, which is made if needed.
    ///
    /// With an adapter attached, the weights are written with it merged in, one at a time; the model itself stays as it
    /// is. (``LoRAAdapter/save(to:elementType:)`` writes the adapter alone.)
    /// - Parameters:
    ///   - folder: Where to.
    ///   - elementType: How the weights are stored: float32, bfloat16 or float16, rounded to nearest.
    /// - Throws: `ModelFileError`, with code `.unsupported` for another element type, or a file error.
    public func save(to folder: URL, elementType: SafetensorsFile.ElementType = .float32) throws {
        guard let dtype = elementType.torchName else {
            throw ModelFileError(
                .unsupported,
                place: folder.path,
                "weights cannot be saved as \(elementType.rawValue); F32, BF16 and F16 can"
            )
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var stored = configuration
        stored.torchDtype = dtype
        let shapes = parameters.map(\.tensor.shape)
        try SafetensorsWriter.write(
            zip(effectiveParameters, shapes).map { parameter, shape in
                SafetensorsWriter.Item(name: parameter.name, shape: shape, elementType: elementType) { body in
                    try parameter.tensor().withValues { try body($0) }
                }
            },
            to: folder.appendingPathComponent(ModelFolder.weightsFile)
        )
        try GenerationConfiguration(stored).save(to: folder)
        try stored.save(to: folder)
    }

    /// A model with its own copy of the weights, and of the adapter where one is attached, in the same context.
    public func copy() -> CausalLanguageModel {
        // The configuration was validated when this model was made.
        guard let twin = try? CausalLanguageModel(configuration: configuration, context: context) else { return self }
        for (mine, theirs) in zip(parameters, twin.parameters) {
            mine.tensor.withValues { source in
                theirs.tensor.withMutableValues { _ = $0.update(fromContentsOf: source) }
            }
        }
        if let adapter { try? twin.attach(adapter.copy()) }
        return twin
    }

    typealias DecoderLayer = DecoderLayout<Tensor>.Layer
}

extension ModelConfiguration {
    /// The rotary inverse frequencies, [headDimension / 2], with Llama 3's scaling where it is asked for.
    public var inverseFrequencies: [Float] {
        (0..<headDimension / 2).map { index in
            let plain = Float(1 / pow(ropeTheta, Double(2 * index) / Double(headDimension)))
            guard case .llama3(let factor, let low, let high, let original) = ropeScaling else { return plain }
            let wavelength = 2 * Double.pi / Double(plain)
            if wavelength < Double(original) / high { return plain }
            if wavelength > Double(original) / low { return Float(Double(plain) / factor) }
            let smooth = (Double(original) / wavelength - low) / (high - low)
            return Float((1 - smooth) * Double(plain) / factor + smooth * Double(plain))
        }
    }
}
