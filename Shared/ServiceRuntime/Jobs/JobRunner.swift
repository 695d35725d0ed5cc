public import Logging
public import PostgresClient
public import ServiceLifecycle

/// Long work that waits for a condition: found by polling, done by one process at a time under a lease.
///
/// A job that fails transiently is tried again with backoff, while those behind it go on; when its process dies, another
/// takes the job over once the lease has run out.
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
            var waits: [String: Wait] = [:]
            while !Task.isCancelled {
                do {
                    let jobs = try await ready()
                    failures = 0
                    waits = waits.filter { name, _ in jobs.contains { leaseName($0) == name } }
                    for job in jobs {
                        let name = leaseName(job)
                        if let wait = waits[name], ContinuousClock.now < wait.until { continue }
                        do {
                            try await attempt(job)
                            waits[name] = nil
                        } catch let error as CancellationError {
                            throw error
                        } catch {
                            let count = (waits[name]?.failures ?? 0) + 1
                            waits[name] = Wait(failures: count, until: .now + backoff.delay(afterFailure: count))
                            logger.warning(
                                "job will be retried",
                                metadata: ["job": "\(name)", "error": "\(error)", "failures": "\(count)"]
                            )
                        }
                    }
                    try await Task.sleep(for: interval)
                } catch is CancellationError {
                    return
                } catch {
                    failures += 1
                    logger.warning("no look for jobs", metadata: ["error": "\(error)", "failures": "\(failures)"])
                    try? await backoff.wait(afterFailure: failures)
                }
            }
        }
    }

    /// How often a job has failed, and when it is tried again.
    private struct Wait {
        let failures: Int
        let until: ContinuousClock.Instant
    }

    private var backoff: Backoff { Backoff() }

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
