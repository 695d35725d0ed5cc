/// A trace that was recorded elsewhere: a chain, a dual pair, a template or a correction of someone's own.
///
/// TeacherIngestion verifies it like a teacher's and sends it on as a ``TraceEvent``. It is also a line of `errata import`
/// and of `errata export`. Which fields are read follows from the kind:
///
/// - `chain-of-thought`: `text`.
/// - `dual`: `right`, `wrong`, and if they are known `method` and `mistake`.
/// - `template`: `text` in the form `<Step1>…<Key>…</Key></Step1>…<Generalized>…</Generalized><Answer>…</Answer>`, or
///   `template` in parts.
/// - `correction`: `correction`, and the attempt that it is about in `attemptId`, if it is one that Errata knows.
///
/// Record key: the problem's id.
public struct RecordedTraceEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.recordedTrace

    /// The trace's id where it was recorded; made of the content when it is not there.
    public var id: String
    /// The problem that it is about.
    public var problemId: String
    /// What it is.
    public var kind: TraceKind
    /// The chain, or the template as a text.
    public var text: String?
    /// The right chain of a pair.
    public var right: String?
    /// The wrong chain of a pair.
    public var wrong: String?
    /// How the pair came to be; `corrupted` when it is not there.
    public var method: DualBody.Method?
    /// The pattern of the pair's mistake, as in ``DualBody/mistake``; found by the numbers when it is not there.
    public var mistake: String?
    /// The template in parts.
    public var template: TemplateBody?
    /// The correction.
    public var correction: CorrectionBody?
    /// The attempt that the correction is about.
    public var attemptId: String?
    /// Who wrote it, a model's name for example.
    public var model: String?

    /// Makes a recorded trace.
    ///
    /// Arguments:
    ///   - id: made of the content where it is nil.
    public init(
        id: String? = nil,
        problemId: String,
        kind: TraceKind,
        text: String? = nil,
        right: String? = nil,
        wrong: String? = nil,
        method: DualBody.Method? = nil,
        mistake: String? = nil,
        template: TemplateBody? = nil,
        correction: CorrectionBody? = nil,
        attemptId: String? = nil,
        model: String? = nil
    ) {
        self.id = ""
        self.problemId = problemId
        self.kind = kind
        self.text = text
        self.right = right
        self.wrong = wrong
        self.method = method
        self.mistake = mistake
        self.template = template
        self.correction = correction
        self.attemptId = attemptId
        self.model = model
        self.id = id ?? contentID
    }

    /// Reads a trace; `id` may be missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decodeIfPresent(String.self, forKey: .id),
            problemId: try container.decode(String.self, forKey: .problemId),
            kind: try container.decode(TraceKind.self, forKey: .kind),
            text: try container.decodeIfPresent(String.self, forKey: .text),
            right: try container.decodeIfPresent(String.self, forKey: .right),
            wrong: try container.decodeIfPresent(String.self, forKey: .wrong),
            method: try container.decodeIfPresent(DualBody.Method.self, forKey: .method),
            mistake: try container.decodeIfPresent(String.self, forKey: .mistake),
            template: try container.decodeIfPresent(TemplateBody.self, forKey: .template),
            correction: try container.decodeIfPresent(CorrectionBody.self, forKey: .correction),
            attemptId: try container.decodeIfPresent(String.self, forKey: .attemptId),
            model: try container.decodeIfPresent(String.self, forKey: .model)
        )
    }

    /// The problem's id.
    public var key: String { problemId }

    private var contentID: String {
        var parts = [kind.rawValue, text ?? "", right ?? "", wrong ?? "", attemptId ?? ""]
        if let template {
            parts += template.steps.flatMap { [$0.text] + $0.keyNotes } + [template.generalization, template.answer]
        }
        if let correction {
            parts += correction.steps
            parts += [
                correction.firstWrongStep.map(String.init) ?? "", correction.cause, correction.correction,
                correction.answer,
            ]
        }
        return DeterministicID.make(cause: problemId, parts: ["recorded"] + parts)
    }

    /// Checks ids, and that what the kind needs is there and nothing else.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(problemId, "problemId")
        try check.identifier(attemptId, "attemptId")
        try check.notBlank(model, "model")
        try check.require(
            kind != .inspectorVerdict,
            "kind",
            "is 'inspector-verdict', which is about a trace of Errata's own; give chain-of-thought, dual, template or correction"
        )
        let fields: [(name: String, isThere: Bool, kinds: [TraceKind])] = [
            ("text", text != nil, [.chainOfThought, .template]), ("right", right != nil, [.dual]),
            ("wrong", wrong != nil, [.dual]), ("method", method != nil, [.dual]), ("mistake", mistake != nil, [.dual]),
            ("template", template != nil, [.template]), ("correction", correction != nil, [.correction]),
            ("attemptId", attemptId != nil, [.correction]),
        ]
        for field in fields where field.isThere {
            try check.require(
                field.kinds.contains(kind),
                field.name,
                "is not read of a trace of kind '\(kind.rawValue)'; leave it out"
            )
        }
        try check.word(mistake, of: StageData.mistakePatterns, "mistake")
        switch kind {
        case .chainOfThought: try need(text, "text", check)
        case .dual:
            try need(right, "right", check)
            try need(wrong, "wrong", check)
        case .template:
            try check.require(
                (text == nil) != (template == nil),
                "template",
                "must be there, or text in its place; not both"
            )
            try check.notBlank(text, "text")
            if let template { try TraceBody.template(template).validate(check, verified: false) }
        case .correction:
            guard let correction else { throw check.failure("correction", "is missing") }
            try TraceBody.correction(correction).validate(check, verified: false)
        case .inspectorVerdict: break
        }
    }

    private func need(_ text: String?, _ field: String, _ check: Validation) throws {
        guard let text else { throw check.failure(field, "is missing") }
        try check.notBlank(text, field)
    }
}
