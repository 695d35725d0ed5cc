public import Logging
public import PostgresClient
public import ServiceLifecycle

/// Long work that waits for a condition, done by one process at a time under a lease.
///
/// It is looked for when something has been written that could make it ready. That is one number to ask for, which grows by
/// triggers: a notification would take a lock of the whole server with each commit, whether or not anybody waits. The number
/// grows before the commit, so a look is followed by another; what even that is too early for, and what becomes ready by
/// time alone, is found by a look that is made now and then in any case. Looks take a tenth of the time at most.
///
/// A job that fails transiently is tried again with backoff, while those behind it go on; when its process dies, another
/// takes the job over once the lease has run out.
public struct JobRunner<Job: Sendable>: Service {
    private let pool: PostgresPool
    private let holder: String
    private let logger: Logger
    private let interval: Duration
    private let changes: (@Sendable () async throws -> Int)?
    private let passedOver: Int
    private let leaseName: @Sendable (Job) -> String
    private let ready: @Sendable () async throws -> [Job]
    private let again: @Sendable (Job) async throws -> Job?
    private let work: @Sendable (Job, JobLease) async throws -> Void

    /// Creates a runner.
    ///
    /// Arguments:
    ///   - holder: this process, e.g. host and process id.
    ///   - interval: how often it asks whether a look is due.
    ///   - changes: grows where a job may have become ready, see ``JobChanges``; nil to look each time.
    ///   - passedOver: the most times in a row that no look is made.
    ///   - leaseName: the name of a job's lease.
    ///   - ready: the jobs that could be done now, in order.
    ///   - again: a job that was ready, as it is by now; nil where it is not ready any more. Looked for among all unless given.
    ///   - work: does a job. It must check ``JobLease/verify(in:)`` in the transaction that writes its result.
    public init(
        pool: PostgresPool,
        holder: String,
        logger: Logger,
        interval: Duration = .milliseconds(300),
        changes: (@Sendable () async throws -> Int)? = nil,
        passedOver: Int = 16,
        leaseName: @escaping @Sendable (Job) -> String,
        ready: @escaping @Sendable () async throws -> [Job],
        again: (@Sendable (Job) async throws -> Job?)? = nil,
        work: @escaping @Sendable (Job, JobLease) async throws -> Void
    ) {
        self.pool = pool
        self.holder = holder
        self.logger = logger
        self.interval = interval
        self.changes = changes
        self.passedOver = passedOver
        self.leaseName = leaseName
        self.ready = ready
        self.again = again ?? { job in try await ready().first { leaseName($0) == leaseName(job) } }
        self.work = work
    }

    /// Looks for jobs and does them, one after the other, until graceful shutdown; a job in progress is then cancelled
    /// and its lease released.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            var waits: [String: Wait] = [:]
            var looks = Looks()
            while !Task.isCancelled {
                do {
                    let latest = try await changes?()
                    let isRetryDue = waits.values.contains { $0.until <= .now }
                    guard looks.isDue(at: latest, isRetryDue: isRetryDue, passedOver: passedOver) else {
                        try await Task.sleep(for: interval)
                        continue
                    }
                    let began = ContinuousClock.now
                    let jobs = try await ready()
                    let pause = max(interval, (ContinuousClock.now - began) * 9)
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
                    try await Task.sleep(for: pause)
                } catch is CancellationError {
                    return
                } catch {
                    looks = Looks()
                    failures += 1
                    logger.warning("no look for jobs", metadata: ["error": "\(error)", "failures": "\(failures)"])
                    try? await backoff.wait(afterFailure: failures)
                }
            }
        }
    }

    /// Whether a look is due.
    private struct Looks {
        /// What ``changes`` gave at the last look.
        private var seen: Int?
        /// Whether that was the same at the look before: then what had grown by then is committed by now.
        private var isSeenTwice = false
        /// How often no look was made since.
        private var passed = 0

        mutating func isDue(at latest: Int?, isRetryDue: Bool, passedOver: Int) -> Bool {
            if let latest, latest == seen, isSeenTwice, !isRetryDue, passed < passedOver {
                passed += 1
                return false
            }
            isSeenTwice = latest == seen
            seen = latest
            passed = 0
            return true
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
                guard let job = try await again(job) else { return }
                try await work(job, lease)
            }
        } catch let lost as LeaseLost {
            logger.warning("job left to another process", metadata: ["lease": "\(lost.name)"])
        }
    }
}
