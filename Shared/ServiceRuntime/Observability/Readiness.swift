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

    private struct Check {
        let name: String
        let body: @Sendable () async throws -> Void
        var isRunning = false
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
            state.checks.append(Check(name: name, body: check))
        }
    }

    /// Says that the service is on its way down: it is not ready any more.
    public func beginShutdown() { state.withLock { $0.isShuttingDown = true } }

    /// Runs all checks at once and tells their outcomes, sorted by name.
    public func results() async -> [Result] {
        let (names, isShuttingDown) = state.withLock { ($0.checks.map(\.name), $0.isShuttingDown) }
        var results = await withTaskGroup(of: Result.self) { group in
            for name in names {
                group.addTask { await self.run(name) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        if isShuttingDown { results.append(Result(name: "lifecycle", isReady: false, detail: "shutting down")) }
        return results.sorted { $0.name < $1.name }
    }

    /// One run of a check at a time, so that a check that hangs does not pile up.
    private func run(_ name: String) async -> Result {
        let body = state.withLock { state -> (@Sendable () async throws -> Void)? in
            guard let index = state.checks.firstIndex(where: { $0.name == name }), !state.checks[index].isRunning
            else { return nil }
            state.checks[index].isRunning = true
            return state.checks[index].body
        }
        guard let body else { return Result(name: name, isReady: false, detail: "the last check has not ended yet") }
        let timeout = timeout
        let outcome = OneShot<Result>()
        let work = Task {
            do {
                try await body()
                outcome.complete(Result(name: name, isReady: true, detail: nil))
            } catch {
                outcome.complete(Result(name: name, isReady: false, detail: String("\(error)".prefix(500))))
            }
            state.withLock { state in
                if let index = state.checks.firstIndex(where: { $0.name == name }) {
                    state.checks[index].isRunning = false
                }
            }
        }
        let clock = Task {
            try await Task.sleep(for: timeout)
            outcome.complete(
                Result(name: name, isReady: false, detail: "took longer than \(timeout.configurationText)")
            )
            work.cancel()
        }
        defer { clock.cancel() }
        return await outcome.value
    }
}

/// A value that is given once and awaited by any number of tasks.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case waiting([CheckedContinuation<Value, Never>])
        case completed(Value)
    }

    private let state = Mutex(State.waiting([]))

    /// Gives the value; only the first one counts.
    func complete(_ value: Value) {
        let waiting = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard case .waiting(let waiting) = state else { return [] }
            state = .completed(value)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state -> Value? in
                    switch state {
                    case .completed(let value): return value
                    case .waiting(let waiting):
                        state = .waiting(waiting + [continuation])
                        return nil
                    }
                }
                if let value { continuation.resume(returning: value) }
            }
        }
    }
}
