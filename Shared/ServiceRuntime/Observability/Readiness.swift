import Synchronization

/// The named checks that must pass before a service is ready.
public final class Readiness: Sendable {
    /// The outcome of one check.
    public struct Result: Sendable, Hashable {
        /// The check's name.
        public let name: String
        /// Whether it passed.
        public let isReady: Bool
        /// Why it did not.
        public let detail: String?
    }

    private struct Check: Sendable {
        let name: String
        let call: BoundedCall<Void>
    }

    private struct State {
        var checks: [Check] = []
        var isShuttingDown = false
    }

    private let state = Mutex(State())
    private let timeout: Duration

    /// Makes a list without checks; a check that takes longer than the timeout has failed.
    public init(timeout: Duration = .seconds(2)) { self.timeout = timeout }

    /// Adds a check, in place of one with the same name; it passes when its body does not throw.
    public func register(_ name: String, check: @escaping @Sendable () async throws -> Void) {
        state.withLock { state in
            state.checks.removeAll { $0.name == name }
            state.checks.append(Check(name: name, call: BoundedCall(check)))
        }
    }

    /// Says that the service is on its way down: it is not ready any more.
    public func beginShutdown() { state.withLock { $0.isShuttingDown = true } }

    /// Runs all checks at once and tells their outcomes, sorted by name.
    public func results() async -> [Result] {
        let (checks, isShuttingDown) = state.withLock { ($0.checks, $0.isShuttingDown) }
        var results = await withTaskGroup(of: Result.self) { group in
            for check in checks {
                group.addTask { await self.run(check) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        if isShuttingDown { results.append(Result(name: "lifecycle", isReady: false, detail: "shutting down")) }
        return results.sorted { $0.name < $1.name }
    }

    private func run(_ check: Check) async -> Result {
        switch await check.call.outcome(within: timeout) {
        case .value: Result(name: check.name, isReady: true, detail: nil)
        case .failure(let error):
            Result(name: check.name, isReady: false, detail: String("\(error)".prefix(500)))
        case .late:
            Result(name: check.name, isReady: false, detail: "took longer than \(timeout.configurationText)")
        }
    }
}
