import LanguageModel
import ModelFiles
import TensorEngine

/// What a training run must know about a LoRA adapter.
enum LoRATraining {
    /// Checks that the model still has the adapter that a run was made for.
    ///
    /// - Throws: ``TrainingError`` when it was attached, replaced or taken off since: the optimizer would update weights
    ///   that nothing computes with.
    static func check(_ model: CausalLanguageModel, _ adapter: LoRAAdapter?) throws {
        guard model.adapter === adapter else {
            throw TrainingError.invalidOption(
                "the model's LoRA adapter was changed after the trainer was made; make the trainer afterwards"
            )
        }
    }

    /// The adapter's settings and the frozen weights below it: a checkpoint holds neither, and means nothing without them.
    static func fingerprint(_ model: CausalLanguageModel, _ adapter: LoRAAdapter?) -> String {
        guard let configuration = adapter?.configuration else { return "" }
        var base = ContentDigest()
        for (_, tensor) in model.parameters { tensor.withValues { base.add($0) } }
        let targets = configuration.targets.map(\.rawValue).joined(separator: ",")
        return "lora r=\(configuration.rank) scaling=\(configuration.scaling) dropout=\(configuration.dropout) "
            + "targets=\(targets) base=\(base.hex)"
    }
}
