public import Logging
public import PostgresClient
public import ServiceLifecycle
import ServiceRuntime

/// Collects what is kept no longer, again and again; of several copies one at a time.
public struct RetentionService: Service {
    private let retention: Retention
    private let pool: PostgresPool
    private let holder: String
    private let interval: Duration
    private let logger: Logger

    /// Creates the service.
    ///
    /// Arguments:
    ///   - holder: this process among all.
    ///   - interval: the time between two collections.
    public init(_ retention: Retention, pool: PostgresPool, holder: String, interval: Duration, logger: Logger) {
        self.retention = retention
        self.pool = pool
        self.holder = holder
        self.interval = interval
        self.logger = logger
    }

    /// Collects until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    if let lease = try await JobLease.acquire(Retention.leaseName, holder: holder, from: pool) {
                        try await lease.hold(in: pool, logger: logger) {
                            _ = try await retention.collect(logger: logger)
                        }
                    }
                } catch is CancellationError {
                    return
                } catch {
                    logger.warning("nothing was collected; tried again later", metadata: ["error": "\(error)"])
                }
                guard (try? await Task.sleep(for: interval)) != nil else { return }
            }
        }
    }
}
