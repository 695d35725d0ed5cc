public import Logging
public import PostgresClient
public import ServiceLifecycle

/// Long work that waits for a condition: found by polling, done by one process at a time under a lease.
///
/// A job that fails transiently is tried again with backoff; when its process dies, another takes the job over once the
/// lease has run out.
public struct JobRunner<Job: Sendable>: Service {
    private let pool: PostgresPool
    private let holder: String
    private let logger: Logger
    private let interval: Duration
    private let leaseName: @Sendable (Job) -> String
    private let ready: @Sendable () async throws -> [Job]
    private let work: @Sendable (Job, JobLease) async throws -> Void

    /// Creates a runner.
    ///
    /// Arguments:
    ///   - holder: this process, e.g. host and process id.
    ///   - interval: how often it looks for jobs.
    ///   - leaseName: the name of a job's lease.
    ///   - ready: the jobs that could be done now, in order.
    ///   - work: does a job. It must check ``JobLease/verify(in:)`` in the transaction that writes its result.
    public init(
        pool: PostgresPool,
        holder: String,
        logger: Logger,
        interval: Duration = .milliseconds(300),
        leaseName: @escaping @Sendable (Job) -> String,
        ready: @escaping @Sendable () async throws -> [Job],
        work: @escaping @Sendable (Job, JobLease) async throws -> Void
    ) {
        self.pool = pool
        self.holder = holder
        self.logger = logger
        self.interval = interval
        self.leaseName = leaseName
        self.ready = ready
        self.work = work
    }

    /// Looks for jobs and does them, one after the other, until graceful shutdown; a job in progress is then cancelled
    /// and its lease released.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    for job in try await ready() { try await attempt(job) }
                    failures = 0
                    try await Task.sleep(for: interval)
                } catch is CancellationError {
                    return
                } catch {
                    failures += 1
                    logger.warning("job will be retried", metadata: ["error": "\(error)", "failures": "\(failures)"])
                    try? await Backoff().wait(afterFailure: failures)
                }
            }
        }
    }

    private func attempt(_ job: Job) async throws {
        let name = leaseName(job)
        guard let lease = try await JobLease.acquire(name, holder: holder, from: pool) else { return }
        do {
            try await lease.hold(in: pool, logger: logger) {
                // Another process may have done the job between the look and the lease.
                guard let job = try await ready().first(where: { leaseName($0) == name }) else { return }
                try await work(job, lease)
            }
        } catch let lost as LeaseLost {
            logger.warning("job left to another process", metadata: ["lease": "\(lost.name)"])
        }
    }
}
