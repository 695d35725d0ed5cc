import LanguageModel

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
}
