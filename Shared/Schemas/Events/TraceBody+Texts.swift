extension TraceBody {
    /// The texts that a student may learn from: what its tokenizer should know.
    public var texts: [String] {
        switch self {
        case .chainOfThought(let body): [body.text]
        case .dual(let body): [body.right, body.wrong]
        case .template(let body): body.steps.flatMap { [$0.text] + $0.keyNotes } + [body.generalization]
        case .inspectorVerdict: []
        case .correction(let body): body.steps + [body.cause, body.correction]
        }
    }
}
