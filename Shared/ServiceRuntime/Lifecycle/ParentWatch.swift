import Foundation
public import Logging
public import ServiceLifecycle

/// Ends a service whose parent process is gone, so that a killed `errata up` leaves nothing running.
public struct ParentWatch: Service {
    private let parent: pid_t
    private let logger: Logger

    /// Watches a parent.
    ///
    /// Arguments:
    ///   - parent: its process id as it said itself; it may be gone before this process looks. 0 stands for the parent that this
    ///     process has now.
    public init(parent: Int = 0, logger: Logger) {
        self.parent = parent == 0 ? getppid() : pid_t(clamping: parent)
        self.logger = logger
    }

    /// Returns when the parent is gone or at graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while getppid() == parent {
                do { try await Task.sleep(for: .seconds(1)) } catch { return }
            }
            logger.warning("the parent process is gone", metadata: ["parent": "\(parent)"])
        }
        // Returning ends the whole group in good order.
    }
}
