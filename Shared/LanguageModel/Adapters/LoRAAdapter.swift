public import Foundation
public import ModelFiles
public import TensorEngine

/// The trainable low-rank matrices of a LoRA adapter.
///
/// An adapter lives in the context of the model that it is made for, and is used through
/// ``CausalLanguageModel/attach(_:)``.
public final class LoRAAdapter {
    /// A and B of one linear layer.
    struct Pair {
        /// A: [rank, in].
        let down: Tensor
        /// B: [out, rank].
        let up: Tensor
    }

    /// Shape and constants.
    public let configuration: LoRAConfiguration
    /// Every matrix under PEFT's name (`base_model.model.….lora_A.weight`), layer after layer: lora_A [rank, in],
    /// lora_B [out, rank].
    public let parameters: [(name: String, tensor: Tensor)]

    let pairs: [[LoRAConfiguration.Target: Pair]]
    let shape: ModelConfiguration
    let context: ComputeContext
    private var dropoutSeed: UInt64 = 0
    private var dropoutStep: UInt64 = 0
    private var dropoutPass: UInt64 = 0

    /// A fresh adapter as PEFT draws one: A uniform in ±1/√in, B zero, so that it changes nothing yet.
    ///
    /// - Throws: ``ModelFileError`` for a configuration outside its ranges.
    public convenience init(
        configuration: LoRAConfiguration,
        for model: CausalLanguageModel,
        seed: UInt64
    ) throws {
        try self.init(configuration: configuration, shape: model.configuration, context: model.context)
        var generator = SeededGenerator(seed: seed, stream: 0x4C6F_5241)
        for layer in pairs {
            for target in configuration.targets {
                guard let down = layer[target]?.down else { continue }
                let bound = 1 / Double(down.columns).squareRoot()
                down.withMutableValues { values in
                    for index in values.indices {
                        values[index] = Float((2 * generator.nextUniform() - 1) * bound)
                    }
                }
            }
        }
    }

    /// An adapter of zeros.
    convenience init(configuration: LoRAConfiguration, shape: ModelConfiguration, context: ComputeContext) throws {
        try configuration.validate()
        self.init(validated: configuration, shape: shape, context: context)
    }

    /// An adapter of zeros of a configuration that was validated.
    private init(validated configuration: LoRAConfiguration, shape: ModelConfiguration, context: ComputeContext) {
        self.configuration = configuration
        self.shape = shape
        self.context = context
        var list: [(name: String, tensor: Tensor)] = []
        pairs = (0..<shape.layers).map { index in
            var layer: [LoRAConfiguration.Target: Pair] = [:]
            for target in configuration.targets {
                let size = shape.size(of: target)
                let pair = Pair(
                    down: Tensor(zeros: [configuration.rank, size.inputs], context: context, requiresGradient: true),
                    up: Tensor(zeros: [size.outputs, configuration.rank], context: context, requiresGradient: true)
                )
                let prefix = "base_model.model.model.layers.\(index).\(target.path)."
                list.append((prefix + "lora_A.weight", pair.down))
                list.append((prefix + "lora_B.weight", pair.up))
                layer[target] = pair
            }
            return layer
        }
        parameters = list
    }

    /// Reads an adapter folder in PEFT's layout: adapter_config.json and adapter_model.safetensors.
    ///
    /// - Throws: ``ModelFileError`` that names the file and what is wrong with it. What is not supported is refused
    ///   before any weight is read.
    public static func load(folder: URL, for model: CausalLanguageModel) throws -> LoRAAdapter {
        let shape = model.configuration
        let configuration = try LoRAConfiguration(folder: folder, layers: shape.layers)
        let file = try SafetensorsFile(url: folder.appendingPathComponent(ModelFolder.adapterWeightsFile))
        func failure(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: file.url.path, message) }
        // Checked by name first: a wrong rank must not cost the memory that it asks for.
        var expected: [String: [Int]] = [:]
        for index in 0..<shape.layers {
            for target in configuration.targets {
                let size = shape.size(of: target)
                let prefix = "base_model.model.model.layers.\(index).\(target.path)."
                expected[prefix + "lora_A.weight"] = [configuration.rank, size.inputs]
                expected[prefix + "lora_B.weight"] = [size.outputs, configuration.rank]
            }
        }
        for (name, wanted) in expected.sorted(by: { $0.key < $1.key }) {
            guard let entry = file.entry(name) else { throw failure("the weight \(name) is missing") }
            guard entry.shape == wanted else {
                throw failure("the weight \(name) has shape \(entry.shape); adapter and model ask for \(wanted)")
            }
        }
        for entry in file.entries where expected[entry.name] == nil {
            throw failure("holds \(entry.name), which \(ModelFolder.adapterConfigurationFile) does not ask for")
        }
        let adapter = try LoRAAdapter(configuration: configuration, shape: shape, context: model.context)
        for (name, tensor) in adapter.parameters { try tensor.withMutableValues { try file.read(name, into: $0) } }
        return adapter
    }

    /// Writes adapter_config.json and adapter_model.safetensors in PEFT's layout into `folder`, which is made if needed.
    ///
    /// - Parameters:
    ///   - folder: Where to.
    ///   - elementType: How the weights are stored: float32, bfloat16 or float16.
    /// - Throws: ``ModelFileError`` or a file error.
    public func save(to folder: URL, elementType: SafetensorsFile.ElementType = .float32) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try SafetensorsWriter.write(
            parameters.map { name, tensor in
                SafetensorsWriter.Item(name: name, shape: tensor.shape, elementType: elementType) { body in
                    try tensor.withValues { try body($0) }
                }
            },
            to: folder.appendingPathComponent(ModelFolder.adapterWeightsFile)
        )
        try AtomicFile.write(
            configuration.json(),
            to: folder.appendingPathComponent(ModelFolder.adapterConfigurationFile)
        )
    }

    /// An adapter with its own copy of the matrices, in the same context.
    public func copy() -> LoRAAdapter {
        let twin = LoRAAdapter(validated: configuration, shape: shape, context: context)
        for (mine, theirs) in zip(parameters, twin.parameters) {
            mine.tensor.withValues { source in
                theirs.tensor.withMutableValues { _ = $0.update(fromContentsOf: source) }
            }
        }
        twin.dropoutSeed = dropoutSeed
        twin.dropoutStep = dropoutStep
        twin.dropoutPass = dropoutPass
        return twin
    }

    /// Sets which elements dropout leaves out in the forward passes from now on that record derivatives.
    ///
    /// A trainer says its seed and step before each update, so that a resumed run drops the same ones.
    public func beginStep(_ step: Int, seed: UInt64) {
        dropoutSeed = seed
        dropoutStep = UInt64(clamping: step)
        dropoutPass = 0
    }

    /// Counts the passes of a step, each of which drops other elements.
    func nextPass() -> UInt64 {
        defer { dropoutPass += 1 }
        return dropoutPass
    }

    /// The change of one layer; nil where the adapter makes none.
    func update(layer: Int, target: LoRAConfiguration.Target, pass: UInt64) -> LowRankUpdate? {
        guard let pair = pairs[layer][target] else { return nil }
        var dropout: DropoutMask?
        if configuration.dropout > 0 {
            let position = LoRAConfiguration.Target.allCases.firstIndex(of: target) ?? 0
            dropout = DropoutMask(
                probability: configuration.dropout,
                seed: dropoutSeed &+ dropoutStep &* 0xD6E8_FEB8_6659_FD93,
                stream: pass << 32 | UInt64(layer) << 8 | UInt64(position)
            )
        }
        return LowRankUpdate(
            down: pair.down,
            up: pair.up,
            scale: Float(configuration.scaling),
            dropout: dropout
        )
    }
}

extension ModelConfiguration {
    /// Inputs and outputs of one of the linear layers.
    func size(of target: LoRAConfiguration.Target) -> (inputs: Int, outputs: Int) {
        switch target {
        case .query: (hiddenSize, heads * headDimension)
        case .key, .value: (hiddenSize, keyValueHeads * headDimension)
        case .output: (heads * headDimension, hiddenSize)
        case .gate, .up: (hiddenSize, intermediateSize)
        case .down: (intermediateSize, hiddenSize)
        }
    }
}
