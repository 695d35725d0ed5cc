import ModelFiles

/// The shape and constants of a LoRA adapter (arXiv 2106.09685), as PEFT's `adapter_config.json` has them.
public struct LoRAConfiguration: Sendable, Equatable {
    /// A linear layer of a decoder layer that an adapter can change; the raw value is PEFT's name.
    public enum Target: String, Sendable, CaseIterable, Codable {
        /// Query projection.
        case query = "q_proj"
        /// Key projection.
        case key = "k_proj"
        /// Value projection.
        case value = "v_proj"
        /// Attention's output projection.
        case output = "o_proj"
        /// Gate of the feed-forward layer.
        case gate = "gate_proj"
        /// Up projection of the feed-forward layer.
        case up = "up_proj"
        /// Down projection of the feed-forward layer.
        case down = "down_proj"

        /// The module's path inside a decoder layer, such as `self_attn.q_proj`.
        public var path: String {
            switch self {
            case .query, .key, .value, .output: "self_attn.\(rawValue)"
            case .gate, .up, .down: "mlp.\(rawValue)"
            }
        }
    }

    /// Width of the bottleneck.
    public var rank: Int
    /// Numerator of the scaling.
    public var alpha: Double
    /// The chance of an element of the adapter's input to become 0 while training, in 0..<1.
    public var dropout: Double
    /// The layers that are changed, in the order of ``Target``.
    public var targets: [Target]
    /// Whether alpha is divided by √rank (Kalajdzievski 2023, rsLoRA) rather than by rank.
    public var isRankStabilized: Bool
    /// Name or path of the model that the adapter belongs to, for tools; not used here.
    public var baseModel: String?

    /// A configuration; the defaults are a rank of 16 with a scaling of 2 on every linear layer.
    public init(
        rank: Int = 16,
        alpha: Double = 32,
        dropout: Double = 0,
        targets: [Target] = Target.allCases,
        isRankStabilized: Bool = false,
        baseModel: String? = nil
    ) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = Target.allCases.filter(targets.contains)
        self.isRankStabilized = isRankStabilized
        self.baseModel = baseModel
    }

    /// The factor on B · A: alpha / rank, or alpha / √rank where the rank is stabilised.
    public var scaling: Double {
        alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank))
    }

    /// The targets that `names` stand for: PEFT's module names (`q_proj`, `self_attn.q_proj`), `all-linear`, or the
    /// paths of a module in all layers (`model.layers.0.self_attn.q_proj`, …), as PEFT writes them for small models.
    ///
    /// - Throws: ``ModelFileError`` with code `.unsupported` that names the first name it does not know, says that there
    ///   is none, or names a module that has a path in some layers only.
    ///
    /// `layers` is how many the model has; nil takes the highest that is named for the last.
    public static func targets(
        named names: [String],
        place: String = "LoRA targets",
        layers layerCount: Int? = nil
    ) throws -> [Target] {
        guard !names.isEmpty else {
            throw ModelFileError(.unsupported, place: place, "target_modules is empty; name at least one")
        }
        var chosen: Set<Target> = []
        var layers: [Target: Set<Int>] = [:]
        for name in names {
            if name == "all-linear" {
                chosen.formUnion(Target.allCases)
            } else if let target = Target.allCases.first(where: { $0.rawValue == name || $0.path == name }) {
                chosen.insert(target)
            } else if let (layer, target) = modulePath(name) {
                layers[target, default: []].insert(layer)
            } else {
                let known = Target.allCases.map(\.rawValue).joined(separator: ", ")
                throw ModelFileError(
                    .unsupported,
                    place: place,
                    "target_modules names \(name), which is not supported; supported are \(known) and all-linear"
                )
            }
        }
        let count = layerCount ?? layers.values.reduce(0) { max($0, ($1.max() ?? 0) + 1) }
        for target in Target.allCases where !chosen.contains(target) {
            guard let own = layers[target] else { continue }
            guard own == Set(0..<count) else {
                throw ModelFileError(
                    .unsupported,
                    place: place,
                    "target_modules names \(target.rawValue) in \(own.count) of \(count) layers; an adapter changes it in "
                        + "all layers or none"
                )
            }
            chosen.insert(target)
        }
        return Target.allCases.filter(chosen.contains)
    }

    /// Layer and target of a path such as `model.layers.0.self_attn.q_proj`.
    private static func modulePath(_ name: String) -> (layer: Int, target: Target)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "model", parts[1] == "layers",
            let layer = Int(parts[2]), (0..<1024).contains(layer),
            let target = Target.allCases.first(where: { $0.path == parts[3...].joined(separator: ".") })
        else { return nil }
        return (layer, target)
    }

    /// Checks every range.
    ///
    /// - Throws: ``ModelFileError`` that names the first field that is wrong.
    public func validate(place: String = "LoRA configuration") throws {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws {
            if !holds { throw ModelFileError(.malformed, place: place, message()) }
        }
        try check((1...65_536).contains(rank), "r is \(rank), outside 1...65536")
        try check(alpha.isFinite && alpha > 0, "lora_alpha is \(alpha), not a positive number")
        try check(dropout >= 0 && dropout < 1, "lora_dropout is \(dropout), outside 0..<1")
        try check(!targets.isEmpty, "target_modules is empty")
    }
}
