import Foundation
import ModelFiles
import Tokenization

/// Typed reads of a configuration file that name the key when a value has the wrong kind.
struct ConfigurationReader {
    let root: JSONNode
    let place: String

    init(json: Data, place: String) throws {
        do {
            root = try JSONNode.parse(json)
        } catch {
            throw ModelFileError(.malformed, place: place, error.description)
        }
        guard root.object != nil else {
            throw ModelFileError(.malformed, place: place, "is \(root.kind), not a JSON object")
        }
        self.place = place
    }

    func malformed(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: place, message) }

    func unsupported(_ message: String) -> ModelFileError { ModelFileError(.unsupported, place: place, message) }

    private func value<T>(
        _ key: String,
        in node: JSONNode? = nil,
        _ kind: String,
        _ read: (JSONNode) -> T?
    ) throws -> T? {
        guard let member = (node ?? root)[key], !member.isNull else { return nil }
        guard let value = read(member) else { throw malformed("\(key) is \(member.kind), not \(kind)") }
        return value
    }

    func integer(_ key: String, in node: JSONNode? = nil) throws -> Int? {
        try value(key, in: node, "an integer", \.integer)
    }

    func double(_ key: String, in node: JSONNode? = nil) throws -> Double? {
        try value(key, in: node, "a finite number", \.double)
    }

    func bool(_ key: String) throws -> Bool? { try value(key, "a boolean", \.bool) }

    func string(_ key: String, in node: JSONNode? = nil) throws -> String? {
        try value(key, in: node, "a string", \.string)
    }

    func requiredInteger(_ key: String) throws -> Int {
        guard let value = try integer(key) else { throw malformed("\(key) is missing") }
        return value
    }

    /// One id, a list of ids, or none; -1 is an old way to say none.
    func tokenIDs(_ key: String) throws -> [TokenID] {
        guard let node = root[key], !node.isNull else { return [] }
        let nodes = node.array ?? [node]
        guard nodes.count <= 1024 else { throw malformed("\(key) lists more than 1024 tokens") }
        return try nodes.compactMap { node in
            guard let id = node.integer.flatMap({ TokenID(exactly: $0) }), id >= -1 else {
                throw malformed("\(key) holds \(node.kind) that is no token id")
            }
            return id == -1 ? nil : id
        }
    }

    func modelType() throws -> ModelConfiguration.ModelType {
        guard let name = try string("model_type") else { throw malformed("model_type is missing") }
        guard let type = ModelConfiguration.ModelType(rawValue: name) else {
            let known = ModelConfiguration.ModelType.allCases.map(\.rawValue).joined(separator: ", ")
            throw unsupported("model_type \(name) is not supported; supported are \(known)")
        }
        return type
    }

    func refuseUnsupported(_ type: ModelConfiguration.ModelType) throws {
        if let activation = try string("hidden_act"), activation != "silu", activation != "swish" {
            throw unsupported("hidden_act \(activation) is not supported; only silu is")
        }
        if try bool("attention_bias") == true, type != .qwen2 {
            throw unsupported("attention_bias true is not supported for \(type.rawValue)")
        }
        if try bool("mlp_bias") == true { throw unsupported("mlp_bias true is not supported") }
        if let quantization = root["quantization_config"], !quantization.isNull {
            let method = try string("quant_method", in: quantization) ?? "unnamed method"
            throw unsupported("quantized weights (\(method)) are not supported; use the unquantized checkpoint")
        }
        switch type {
        case .mistral:
            if let window = try integer("sliding_window") {
                throw unsupported("sliding_window \(window) is not supported; Mistral is run without one (null)")
            }
            // What transformers takes where the key is left out; no shorter text feels it.
            if root["sliding_window"] == nil, try integer("max_position_embeddings") ?? .max > 4096 {
                throw unsupported(
                    "sliding_window is missing, which stands for 4096; write null if the model was made without one"
                )
            }
        case .qwen2, .qwen3:
            if try bool("use_sliding_window") == true { throw unsupported("use_sliding_window true is not supported") }
        case .llama: break
        }
        for layer in root["layer_types"]?.array ?? [] where layer.string != "full_attention" {
            throw unsupported("layer_types \(layer.string ?? layer.kind) is not supported; only full_attention is")
        }
        if let share = try double("partial_rotary_factor"), share != 1 {
            throw unsupported("partial_rotary_factor \(share) is not supported; only 1 is")
        }
    }

    /// Rotary base and scaling from whichever of the two layouts the file has.
    func rope() throws -> (theta: Double, scaling: ModelConfiguration.RopeScaling) {
        for key in ["rope_parameters", "rope_scaling"] {
            guard let node = root[key], !node.isNull else { continue }
            guard node.object != nil else { throw malformed("\(key) is \(node.kind), not an object") }
            let nested = try double("rope_theta", in: node)
            let theta = try nested ?? double("rope_theta") ?? 10_000
            if let share = try double("partial_rotary_factor", in: node), share != 1 {
                throw unsupported("\(key).partial_rotary_factor \(share) is not supported; only 1 is")
            }
            switch try string("rope_type", in: node) ?? string("type", in: node) ?? "default" {
            case "default": return (theta, .default)
            case "llama3":
                guard let factor = try double("factor", in: node), let low = try double("low_freq_factor", in: node),
                    let high = try double("high_freq_factor", in: node),
                    let original = try integer("original_max_position_embeddings", in: node)
                else {
                    throw malformed(
                        "\(key) of type llama3 lacks factor, low_freq_factor, high_freq_factor or "
                            + "original_max_position_embeddings"
                    )
                }
                return (
                    theta, .llama3(factor: factor, low: low, high: high, originalMaximumPositions: original)
                )
            case let other:
                throw unsupported("\(key) of type \(other) is not supported; default and llama3 are")
            }
        }
        return (try double("rope_theta") ?? 10_000, .default)
    }
}
