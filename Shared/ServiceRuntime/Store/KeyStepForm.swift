public import Schemas

/// A form in which the key steps of a pair are located.
public struct KeyStepForm: Sendable, Hashable {
    /// The fingerprint of the tokenizer.
    public var tokenizer: String
    /// How ties between alignments are decided.
    public var tieRule: String
    /// How the pair is written, as in ``Schemas/KeyStepsEvent/format``; empty for the chains as they came.
    public var format: String

    /// Names a form.
    public init(tokenizer: String, tieRule: String = "edit", format: String) {
        self.tokenizer = tokenizer
        self.tieRule = tieRule
        self.format = format
    }

    /// The form that a stage on key steps asks for.
    public init(_ method: KeyStepMethod, of run: RunEvent) {
        self.init(
            tokenizer: run.student.tokenizerFingerprint,
            tieRule: method.tieRule ?? "edit",
            format: KeyStepsEvent.format(
                template: method.form == "templates",
                bare: run.promptStyle != "short"
            )
        )
    }
}
