public import Foundation
public import ModelFiles
import Tokenization

extension LoRAConfiguration {
    /// Settings that do not change what an adapter computes.
    private static let harmless: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "inference_mode", "megatron_core",
        "peft_version", "qalora_group_size", "revision", "runtime_config", "task_type",
    ]
    /// Ways to draw the first weights that leave the base model as it was.
    private static let harmlessInitializations: Set<String> = ["gaussian", "orthogonal", "eva"]

    /// Reads `adapter_config.json` of a PEFT folder.
    ///
    /// `layers` is how many the model has that the adapter is for, where that is known.
    /// - Throws: ``ModelFileError``: `.inaccessible`, `.malformed` (names the key), `.unsupported` (names the feature).
    public init(folder: URL, layers: Int? = nil) throws {
        let file = folder.appendingPathComponent(ModelFolder.adapterConfigurationFile)
        try self.init(json: ModelFolder.read(file, limit: 16 << 20), place: file.path, layers: layers)
    }

    /// Reads the content of an `adapter_config.json`; `place` names it in errors.
    ///
    /// Whatever is asked for beyond plain LoRA is refused by name, also when it is not known here.
    public init(json: Data, place: String = ModelFolder.adapterConfigurationFile, layers: Int? = nil) throws {
        let reader = try ConfigurationReader(json: json, place: place)
        guard let type = try reader.string("peft_type") else { throw reader.malformed("peft_type is missing") }
        guard type == "LORA" else { throw reader.unsupported("peft_type \(type) is not supported; only LORA is") }
        if let task = try reader.string("task_type"), task != "CAUSAL_LM" {
            throw reader.unsupported("task_type \(task) is not supported; only CAUSAL_LM is")
        }
        if try reader.bool("use_dora") == true { throw reader.unsupported("use_dora (DoRA) is not supported") }
        if let bias = try reader.string("bias"), bias != "none" {
            throw reader.unsupported("bias \(bias) is not supported; only none is")
        }
        try Self.refuseUnknown(reader)
        let names: [String]
        if let one = reader.root["target_modules"]?.string {
            guard one == "all-linear" else {
                throw reader.unsupported("target_modules as the pattern \(one) is not supported; list the modules")
            }
            names = [one]
        } else if let list = reader.root["target_modules"]?.array {
            names = try list.map { node in
                guard let name = node.string else { throw reader.malformed("target_modules holds \(node.kind)") }
                return name
            }
        } else {
            throw reader.malformed("target_modules is missing or no list of names")
        }
        guard let alpha = try reader.double("lora_alpha") else { throw reader.malformed("lora_alpha is missing") }
        self.init(
            rank: try reader.requiredInteger("r"),
            alpha: alpha,
            dropout: try reader.double("lora_dropout") ?? 0,
            targets: try Self.targets(named: names, place: place, layers: layers),
            isRankStabilized: try reader.bool("use_rslora") ?? false,
            baseModel: try reader.string("base_model_name_or_path")
        )
        try validate(place: place)
    }

    private static func refuseUnknown(_ reader: ConfigurationReader) throws {
        let read: Set<String> = [
            "bias", "init_lora_weights", "lora_alpha", "lora_dropout", "peft_type", "r", "target_modules", "use_rslora",
        ]
        for member in reader.root.object ?? [] {
            let key = String(decoding: member.key, as: UTF8.self)
            if read.contains(key) || harmless.contains(key) || isUnset(member.value) { continue }
            throw reader.unsupported("\(key) is set, which is not supported")
        }
        // The others replace the base's weights by what their adapter leaves over.
        if let way = reader.root["init_lora_weights"]?.string, !harmlessInitializations.contains(way) {
            throw reader.unsupported("init_lora_weights \(way) is not supported; it changes the base model")
        }
    }

    private static func isUnset(_ node: JSONNode) -> Bool {
        if node.isNull || node.bool == false { return true }
        return node.array?.isEmpty == true || node.object?.isEmpty == true
    }

    /// The content of an `adapter_config.json` that PEFT reads.
    public func json() -> Data {
        ModelFolder.jsonObject([
            ("alpha_pattern", "{}"),
            ("auto_mapping", "null"),
            ("base_model_name_or_path", baseModel.map { JSONNode.quoted($0) } ?? "null"),
            ("bias", "\"none\""),
            ("fan_in_fan_out", "false"),
            ("inference_mode", "true"),
            ("init_lora_weights", "true"),
            ("layers_pattern", "null"),
            ("layers_to_transform", "null"),
            ("lora_alpha", Int(exactly: alpha).map { "\($0)" } ?? "\(alpha)"),
            ("lora_dropout", "\(dropout)"),
            ("modules_to_save", "null"),
            ("peft_type", "\"LORA\""),
            ("r", "\(rank)"),
            ("rank_pattern", "{}"),
            ("revision", "null"),
            ("target_modules", "[\(targets.map { JSONNode.quoted($0.rawValue) }.joined(separator: ", "))]"),
            ("task_type", "\"CAUSAL_LM\""),
            ("use_dora", "false"),
            ("use_rslora", "\(isRankStabilized)"),
        ])
    }
}
