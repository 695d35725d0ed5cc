import Synchronization

/// Whether what an earlier version left has been taken up by this process.
final class CaughtUp: Sendable {
    private let flag = Mutex(false)

    var isSet: Bool { flag.withLock { $0 } }

    func set() { flag.withLock { $0 = true } }
}
