import Synchronization

/// A call that is waited for no longer than a time, and of which one runs at a time: one that hangs does not pile up.
final class BoundedCall<Value: Sendable>: Sendable {
    /// How a call ended for those who waited for it.
    enum Outcome: Sendable {
        case value(Value)
        case failure(any Error)
        /// It took longer than the time; it is cancelled, and may go on where it takes no notice.
        case late
    }

    private let body: @Sendable () async throws -> Value
    private let current = Mutex<OneShot<Outcome>?>(nil)

    init(_ body: @escaping @Sendable () async throws -> Value) { self.body = body }

    /// Calls, or waits for the call that is under way.
    func outcome(within limit: Duration) async -> Outcome {
        let (outcome, isNew) = current.withLock { current -> (OneShot<Outcome>, Bool) in
            if let current { return (current, false) }
            let new = OneShot<Outcome>()
            current = new
            return (new, true)
        }
        guard isNew else { return await outcome.value }
        let work = Task {
            do {
                outcome.complete(.value(try await body()))
            } catch {
                outcome.complete(.failure(error))
            }
            current.withLock { $0 = nil }
        }
        let clock = Task {
            try await Task.sleep(for: limit)
            outcome.complete(.late)
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
