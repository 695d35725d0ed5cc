public import Schemas

/// Which key steps a run learns from.
public struct KeyStepQuery: Sendable, Hashable {
    /// The dataset, of which the training problems count.
    public var dataset: String
    /// The fingerprint of the tokenizer.
    public var tokenizer: String
    /// How ties between alignments were decided.
    public var tieRule: String
    /// How the pairs came to be; nil for either way.
    public var method: DualBody.Method?
    /// The patterns of mistakes that are kept; empty for all.
    public var mistakes: [String]

    /// A query from its parts.
    public init(
        dataset: String,
        tokenizer: String,
        tieRule: String = "edit",
        method: DualBody.Method? = nil,
        mistakes: [String] = []
    ) {
        self.dataset = dataset
        self.tokenizer = tokenizer
        self.tieRule = tieRule
        self.method = method
        self.mistakes = mistakes
    }

    /// What the key-step stage of a run asks for.
    public init(_ run: RunEvent) {
        let stage = run.stages.krsl
        self.init(
            dataset: run.dataset,
            tokenizer: run.student.tokenizerFingerprint,
            tieRule: stage?.tieRule ?? "edit",
            // "all" is no method.
            method: stage?.pairs.flatMap { DualBody.Method(rawValue: $0) },
            mistakes: stage?.mistakes ?? []
        )
    }
}
