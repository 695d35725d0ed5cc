import Foundation
import Synchronization

/// Long computations off the cooperative pool: minutes of arithmetic on one of its few threads would hold up the rest.
public enum DedicatedThread {
    /// Runs a body on a thread of its own and returns its result.
    ///
    /// When the task is cancelled, `isCancelled` begins to return `true`; the body is to look at it often and throw
    /// `CancellationError`.
    ///
    /// Arguments:
    ///   - name: the thread's name, for debuggers.
    ///   - body: the computation.
    public static func run<Result: Sendable>(
        name: String,
        _ body: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        let cancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let thread = Thread {
                    continuation.resume(with: Swift.Result { try body { cancelled.isSet } })
                }
                thread.name = name
                thread.stackSize = 8 << 20
                thread.start()
            }
        } onCancel: {
            cancelled.set()
        }
    }
}

private final class CancellationFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}
