public import Foundation
public import ModelFiles
public import TensorEngine
import Tokenization

/// A decoder of the Llama family (also Mistral without a window, Qwen2 with its biases, and Qwen3 with its query and key
/// norms).
///
/// Weights are float32, or those of linear layers and embeddings bfloat16 (see ``WeightStorage``). They carry Hugging
/// Face's names and layouts. A model belongs to one thread at a time.
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
    /// - Parameters:
    ///   - configuration: The shape.
    ///   - seed: The same seed gives the same weights.
    ///   - context: Where the weights live.
    ///   - weights: How those of linear layers and embeddings are stored; bfloat16 ones are the float32 ones rounded.
    /// - Throws: `ModelFileError` when the sizes do not fit together.
    public convenience init(
        configuration: ModelConfiguration,
        seed: UInt64,
        context: ComputeContext,
        weights: ElementType = .float32
    ) throws {
        var generator = SeededGenerator(seed: seed)
        try self.init(configuration: configuration, context: context) { name, shape in
            let tensor = Tensor(uninitialized: shape, context: context)
            tensor.withMutableValues { values in
                if shape.count == 1 {
                    values.update(repeating: name.hasSuffix("bias") ? 0 : 1)
                } else {
                    for index in values.indices {
                        values[index] = Float(generator.nextNormal() * configuration.initializerRange)
                    }
                }
            }
            return shape.count > 1 && weights == .bfloat16 ? tensor.converted(to: .bfloat16) : tensor
        }
    }

    /// A model of weights that `make` gives by name and shape.
    convenience init(
        configuration: ModelConfiguration,
        context: ComputeContext,
        make: (_ name: String, _ shape: [Int]) throws -> Tensor
    ) throws {
        try configuration.validate()
        try self.init(validated: configuration, context: context, make: make)
    }

    /// A model of a configuration that was validated.
    private init(
        validated configuration: ModelConfiguration,
        context: ComputeContext,
        make: (_ name: String, _ shape: [Int]) throws -> Tensor
    ) rethrows {
        self.configuration = configuration
        self.context = context
        var list: [(name: String, tensor: Tensor)] = []
        func parameter(_ name: String, _ shape: [Int]) throws -> Tensor {
            let tensor = try make(name, shape)
            tensor.requiresGradient = tensor.elementType == .float32
            list.append((name, tensor))
            return tensor
        }
        let layout = try DecoderLayout(configuration, make: parameter)
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
    ///
    /// Weights in bfloat16, which do not train, are shared until one of the two changes them.
    public func copy() -> CausalLanguageModel {
        let twin = rebuilt { $0.converted(to: $0.elementType) }
        // Shape and context are this model's own, so that there is nothing to check.
        if let adapter { twin.adopt(adapter.copy()) }
        return twin
    }

    /// The same model with the weights of linear layers and embeddings stored in another type, and no adapter.
    ///
    /// Norms and biases stay float32. To bfloat16 weights are rounded to nearest; such a model computes and generates, and
    /// trains by an adapter only.
    public func storing(_ elementType: ElementType) -> CausalLanguageModel {
        rebuilt { $0.converted(to: $0.shape.count > 1 ? elementType : .float32) }
    }

    private func rebuilt(_ change: (Tensor) -> Tensor) -> CausalLanguageModel {
        var rest = parameters[...]
        // The configuration was validated when this model was made, and weights are asked for in the same order.
        return CausalLanguageModel(validated: configuration, context: context) { _, _ in
            change(rest.removeFirst().tensor)
        }
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
