/// That a teacher is not asked for now, or is asked again: its server is away or refuses, or a budget is spent.
///
/// What waits is not lost; it goes on when the pause ends. Record key: what is paused.
public struct PauseEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.pause

    /// The event's id.
    public var id: String
    /// What is paused: a server's address, `budget` (the day's), or `run:ID` (the run's budget).
    public var scope: String
    /// Whether it is paused or asked again.
    public var state: State
    /// Why; not there where it is asked again.
    public var reason: String?

    /// Whether a teacher is asked.
    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        /// It is not asked from now on.
        case paused
        /// It is asked again.
        case resumed
    }

    /// Makes an event.
    public init(id: String, scope: String, state: State, reason: String? = nil) {
        self.id = id
        self.scope = scope
        self.state = state
        self.reason = reason
    }

    /// What is paused.
    public var key: String { scope }

    /// Checks the id, and that a pause says why.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.notBlank(scope, "scope")
        try check.notBlank(reason, "reason")
        try check.require(state == .resumed || reason != nil, "reason", "must say why state is paused")
    }
}
