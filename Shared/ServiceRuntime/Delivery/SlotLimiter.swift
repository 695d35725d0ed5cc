import DequeModule
import Synchronization

/// A counting semaphore for tasks: `acquire` waits while too few slots are free, strictly in order of arrival.
///
/// Nobody overtakes a task that waits for many slots, so that it gets them.
final class SlotLimiter: Sendable {
    private struct Waiter {
        let id: Int
        let slots: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var free: Int
        var lastWaiter = 0
        var waiting: Deque<Waiter> = []

        /// Gives the free slots to those who wait, in order.
        mutating func grant() -> [Waiter] {
            var served: [Waiter] = []
            while let next = waiting.first, next.slots <= free {
                free -= next.slots
                served.append(waiting.removeFirst())
            }
            return served
        }
    }

    /// The slots that there are.
    let limit: Int
    private let state: Mutex<State>

    init(limit: Int) {
        self.limit = max(1, limit)
        state = Mutex(State(free: max(1, limit)))
    }

    /// The tasks that wait now.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// The slots that are taken now.
    var taken: Int { state.withLock { limit - $0.free } }

    /// Takes slots: all of them where more are asked for.
    ///
    /// Throws `CancellationError` when the task is cancelled before it has them.
    func acquire(_ slots: Int = 1) async throws {
        let slots = min(slots, limit)
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    // Looked at under the lock: a cancellation after this finds the waiter in the queue.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.waiting.isEmpty, state.free >= slots {
                        state.free -= slots
                        return .success(())
                    }
                    state.waiting.append(Waiter(id: id, slots: slots, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let (gone, served) = state.withLock { state -> (Waiter?, [Waiter]) in
                guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return (nil, []) }
                let gone = state.waiting.remove(at: index)
                // It may have been the one in the way.
                return (gone, state.grant())
            }
            gone?.continuation.resume(throwing: CancellationError())
            for waiter in served { waiter.continuation.resume() }
        }
    }

    /// Gives slots back, as many as were asked for.
    func release(_ slots: Int = 1) {
        let served = state.withLock { state in
            state.free += min(slots, limit)
            return state.grant()
        }
        for waiter in served { waiter.continuation.resume() }
    }
}
