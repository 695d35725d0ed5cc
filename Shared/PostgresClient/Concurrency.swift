import CLibpq
import Dispatch
import Synchronization

/// Runs an actor's work on a thread of its own, so that libpq's blocking calls never hold the cooperative pool.
final class ConnectionExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// A result that is awaited once and set once: initial → waiting → completed.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case initial
        case waiting(CheckedContinuation<Value, any Error>)
        case completed(Result<Value, any Error>)
        case consumed
    }

    private let state = Mutex(State.initial)

    /// Sets the result; later calls do nothing.
    func complete(_ result: Result<Value, any Error>) {
        let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
            switch state {
            case .initial:
                state = .completed(result)
                return nil
            case .waiting(let continuation):
                state = .consumed
                return continuation
            case .completed, .consumed: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// Waits for the result.
    ///
    /// Does not watch for cancellation: the owner completes the promise then.
    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let ready: Result<Value, any Error>? = state.withLock { state in
                switch state {
                case .initial:
                    state = .waiting(continuation)
                    return nil
                case .completed(let result):
                    state = .consumed
                    return result
                case .waiting, .consumed:
                    return .failure(PostgresError(kind: .usage, message: "a promise was awaited twice"))
                }
            }
            if let ready { continuation.resume(with: ready) }
        }
    }
}

/// Lets another thread ask the server to stop the statement that runs now, and no other one.
final class StatementCanceller: Sendable {
    /// libpq's cancel object; its one use, `PQcancel`, is documented as safe on any thread.
    private struct Handle: @unchecked Sendable {
        var pointer: OpaquePointer?
    }

    private struct State {
        var handle = Handle()
        var running: UInt64?
    }

    private let state = Mutex(State())

    deinit {
        state.withLock { if let pointer = $0.handle.pointer { PQfreeCancel(pointer) } }
    }

    /// Takes the cancel object of a new connection, or nil when the connection goes away.
    func install(from connection: OpaquePointer?) {
        let handle = Handle(pointer: connection.flatMap { PQgetCancel($0) })
        state.withLock { state in
            if let old = state.handle.pointer { PQfreeCancel(old) }
            state.handle = handle
        }
    }

    func begin(_ token: UInt64) { state.withLock { $0.running = token } }

    /// Waits for a cancel request under way, so that it cannot hit the next statement.
    func end() { state.withLock { $0.running = nil } }

    /// Sends the request from a thread that may block.
    func cancel(_ token: UInt64) {
        DispatchQueue.global().async { [self] in
            state.withLock { state in
                guard state.running == token, let pointer = state.handle.pointer else { return }
                var complaint = [CChar](repeating: 0, count: 256)
                _ = PQcancel(pointer, &complaint, Int32(complaint.count))
            }
        }
    }
}
