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
    /// The run that needs it, and pays for it.
    public var runId: String?

    /// Makes an order.
    public init(id: String, problemId: String, parts: [TeachingPart], runId: String? = nil) {
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
        try check.require(!parts.isEmpty, "parts", "must hold at least one part")
        try check.identifier(runId, "runId")
    }
}
