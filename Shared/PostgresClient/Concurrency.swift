import CLibpq
import Dispatch
import Synchronization

/// Runs an actor's work on a thread of its own, so that libpq's blocking calls never hold the cooperative pool.
final class ConnectionExecutor: SerialExecutor {
    private let queue: DispatchQueue
    /// Runs the work between statements on the same thread.
    let user: ConnectionUserExecutor

    init(label: String) {
        queue = DispatchQueue(label: label)
        user = ConnectionUserExecutor(queue: queue)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// Runs what uses a connection on the connection's thread: from one statement to the next no other thread is woken up.
final class ConnectionUserExecutor: TaskExecutor {
    private let queue: DispatchQueue

    init(queue: DispatchQueue) { self.queue = queue }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
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
    /// libpq's cancel object, which lives until the last request is done.
    ///
    /// Its one use, `PQcancel`, is documented as safe on any thread.
    private final class Target: @unchecked Sendable {
        private let pointer: OpaquePointer

        init?(of connection: OpaquePointer) {
            guard let pointer = PQgetCancel(connection) else { return nil }
            self.pointer = pointer
        }

        deinit { PQfreeCancel(pointer) }

        func request() {
            var complaint = [CChar](repeating: 0, count: 256)
            _ = PQcancel(pointer, &complaint, Int32(complaint.count))
        }
    }

    /// A request under way.
    private final class Request: Sendable {
        let done = DispatchSemaphore(value: 0)
    }

    private struct State {
        var target: Target?
        var running: UInt64?
        var request: Request?
    }

    private let state = Mutex(State())

    /// How long the end of a statement waits for a request to stop it: `PQcancel` connects anew, and may hang as long as the
    /// network likes.
    private let patience: DispatchTimeInterval

    init(patience: DispatchTimeInterval = .seconds(2)) {
        self.patience = patience
    }

    /// Takes the cancel object of a new connection, or nil when the connection goes away.
    func install(from connection: OpaquePointer?) {
        let target = connection.flatMap { Target(of: $0) }
        state.withLock { $0 = State(target: target) }
    }

    func begin(_ token: UInt64) { state.withLock { $0.running = token } }

    /// Waits for a cancel request under way, so that it cannot hit the next statement.
    ///
    /// - Returns: false when the request was still under way after a while, so that the connection must have no next
    ///   statement.
    func end() -> Bool {
        let request = state.withLock { state in
            defer {
                state.running = nil
                state.request = nil
            }
            return state.request
        }
        guard let request else { return true }
        return request.done.wait(timeout: .now() + patience) == .success
    }

    /// Sends the request from a thread that may block.
    func cancel(_ token: UInt64) {
        DispatchQueue.global().async { [self] in
            let request = Request()
            let target = state.withLock { state -> Target? in
                guard state.running == token, state.request == nil, let target = state.target else { return nil }
                state.request = request
                return target
            }
            // Outside the lock, which the statement's end takes.
            target?.request()
            request.done.signal()
        }
    }
}

extension Task where Success == Never, Failure == Never {
    /// Sleeps for a time, for those whose sleep is nearly always cancelled.
    ///
    /// In steps of at most a second: the timer of a sleep that is cancelled keeps its memory until its time has come.
    package static func sleepInSteps(for time: Duration) async throws {
        let end = ContinuousClock.now + time
        while case let left = end - .now, left > .zero {
            try await sleep(for: min(left, .seconds(1)))
        }
        try Task<Never, Never>.checkCancellation()
    }
}
