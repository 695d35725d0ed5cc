public import LanguageModel
public import TensorEngine

extension CausalLanguageModel {
    /// What the model's log-probabilities as a reference are known under; see ``PreferenceExample/referenceHash``.
    ///
    /// Its content hash, with `+bf16` after it where products are in bfloat16: the same weights then say something else.
    public func referenceHash(precision: MatrixPrecision) -> String {
        contentHash() + (precision == .bfloat16 ? "+bf16" : "")
    }
}
