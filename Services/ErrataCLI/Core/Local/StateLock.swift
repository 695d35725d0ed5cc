import Foundation

/// Keeps two systems from sharing a state folder: a lock on a file that the kernel drops when the process ends.
final class StateLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock.
    ///
    /// - Throws: ``CLIError`` when another process holds it.
    init(state: URL) throws {
        let file = state.appending(path: "up.lock")
        let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CLIError("\(file.path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw CLIError("another `errata up` uses \(state.path); stop it or name another folder with --state")
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
