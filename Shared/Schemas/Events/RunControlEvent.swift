/// What a person tells a run that goes on: to end, to start its next round, or which student is the best one.
///
/// Record key: the run's id.
public struct RunControlEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.runControl
    /// An option that nothing reads is a mistake, not a later version's field.
    public static let refusesUnknownKeys = true

    /// The order's id.
    public var id: String
    /// The run.
    public var runId: String
    /// What is to be done.
    public var action: Action
    /// The round that `promote` and `reject` are about; the last one that was judged when it is not there.
    public var round: Int?
    /// Why; it stands in the verdict's event, or with the run.
    public var reason: String?
    /// Who says so.
    public var by: String?
    /// The budget that `setTeacherBudget` sets; none bounds the run any more when it is not there.
    public var teacherBudget: RunTeacherBudget?

    /// What is to be done.
    public enum Action: String, Sendable, Hashable, Codable, CaseIterable {
        /// Nothing further is trained, scored or taught for the run; what is there stays.
        case cancel
        /// The next round starts now, if the last one is over.
        case startRound
        /// The round's candidate is the champion.
        case promote
        /// The round's candidate is not the champion; the one before it is.
        case reject
        /// The teacher may cost so much for the run; what waited for it goes on.
        case setTeacherBudget
    }

    /// Makes an order.
    public init(
        id: String,
        runId: String,
        action: Action,
        round: Int? = nil,
        reason: String? = nil,
        by: String? = nil,
        teacherBudget: RunTeacherBudget? = nil
    ) {
        self.id = id
        self.runId = runId
        self.action = action
        self.round = round
        self.reason = reason
        self.by = by
        self.teacherBudget = teacherBudget
    }

    /// The run's id.
    public var key: String { runId }

    /// Checks ids and that the order has only what it reads.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(runId, "runId")
        try check.atLeast(round, 1, "round")
        try check.require(
            round == nil || action == .promote || action == .reject,
            "round",
            "is read with promote and reject; leave it out"
        )
        try check.require(
            teacherBudget == nil || action == .setTeacherBudget,
            "teacherBudget",
            "is read with setTeacherBudget; leave it out"
        )
        try teacherBudget?.validate(check, "teacherBudget")
        try check.notBlank(reason, "reason")
        try check.notBlank(by, "by")
    }
}
