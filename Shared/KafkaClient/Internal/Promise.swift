import Dispatch
import Synchronization

/// A one-shot result that a callback completes and tasks await; the first completion wins.
///
/// Every record has one, so that it stands in this module, where it is specialised.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiters: [CheckedContinuation<Value, any Error>] = []
    }

    private let state = Mutex(State())

    /// Completes it once; later calls change nothing.
    func complete(_ result: Result<Value, any Error>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
            guard state.result == nil else { return [] }
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// Awaits the result, also in a cancelled task.
    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<Value, any Error>? in
                if state.result == nil { state.waiters.append(continuation) }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// Awaits the result; cancelling the task completes the promise for everybody who awaits it, so that this is only
    /// for a promise with one waiter.
    func cancellableValue() async throws -> Value {
        try await withTaskCancellationHandler {
            try await value()
        } onCancel: {
            complete(.failure(CancellationError()))
        }
    }
}

/// Runs calls that block outside the cooperative thread pool.
enum BlockingCalls {
    private static let queue = DispatchQueue(label: "errata.kafka.blocking", attributes: .concurrent)

    /// Runs `body` on a thread of its own and awaits what it gives.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let promise = Promise<Value>()
        queue.async { promise.complete(Result { try body() }) }
        return try await promise.value()
    }
}

extension Duration {
    /// Whole milliseconds, within what librdkafka takes.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        let value = Double(seconds) * 1_000 + Double(attoseconds) / 1e15
        return Int32(min(max(value.rounded(.up), 0), Double(Int32.max)))
    }
}
