/// What is told of a teacher's calls while they are under way.
public struct CallHooks: Sendable {
    /// Called when a call may begin, and before it does; what it throws calls it off.
    public let begins: @Sendable () async throws -> Void
    /// Called for each call that gave no answer and may have cost something all the same.
    public let failed: @Sendable (FailedCall) async throws -> Void
    /// Called with the answer before another call may begin in its place, so that what it cost is known by then.
    public let answered: @Sendable (ChatReply) async throws -> Void
    /// Called with the answer to a question that only finds out whether the server answers at all.
    public let probed: @Sendable (ChatReply) async throws -> Void

    /// Makes hooks; by default nothing is told.
    public init(
        begins: @escaping @Sendable () async throws -> Void = {},
        failed: @escaping @Sendable (FailedCall) async throws -> Void = { _ in },
        answered: @escaping @Sendable (ChatReply) async throws -> Void = { _ in },
        probed: @escaping @Sendable (ChatReply) async throws -> Void = { _ in }
    ) {
        self.begins = begins
        self.failed = failed
        self.answered = answered
        self.probed = probed
    }
}
