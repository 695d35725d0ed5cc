import DequeModule
import Synchronization

/// A counting semaphore for tasks: `acquire` waits while all slots are taken, in order of arrival.
final class SlotLimiter: Sendable {
    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var free: Int
        var lastWaiter = 0
        var waiting: Deque<Waiter> = []
    }

    private let state: Mutex<State>

    init(limit: Int) {
        state = Mutex(State(free: max(1, limit)))
    }

    /// The tasks that wait now.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Takes a slot.
    ///
    /// Throws `CancellationError` when the task is cancelled before it has one.
    func acquire() async throws {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    // Looked at under the lock: a cancellation after this finds the waiter in the queue.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.free > 0 {
                        state.free -= 1
                        return .success(())
                    }
                    state.waiting.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiting.remove(at: index)
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    func release() {
        let next = state.withLock { state -> Waiter? in
            if let next = state.waiting.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.continuation.resume()
    }
}
