/// That the teacher is to be asked about a problem which was stored without these parts, since a run needs them now.
///
/// Record key: the problem's id.
public struct TeachingOrderEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.teachingOrder

    /// The order's id.
    public var id: String
    /// The problem.
    public var problemId: String
    /// What is to be asked for.
    public var parts: [TeachingPart]
    /// How the problem, which has no answer, gets one.
    ///
    /// What else is needed is ordered once it is there.
    public var agreement: RunAgreement?
    /// The run that needs it, and pays for it.
    public var runId: String?

    /// Makes an order.
    public init(
        id: String,
        problemId: String,
        parts: [TeachingPart],
        agreement: RunAgreement? = nil,
        runId: String? = nil
    ) {
        self.agreement = agreement
        self.id = id
        self.problemId = problemId
        self.parts = parts
        self.runId = runId
    }

    /// The problem's id.
    public var key: String { problemId }

    /// Checks ids, and that there is something to ask for.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(problemId, "problemId")
        try check.require(!parts.isEmpty || agreement != nil, "parts", "must hold at least one part")
        try agreement?.validate(check, "agreement")
        try check.identifier(runId, "runId")
    }
}
