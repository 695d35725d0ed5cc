import Logging
import PostgresClient
import Synchronization

/// Carries a training thread's progress into `training_jobs`, about once a second, as long as the training's lease is held.
final class TrainingProgress: Sendable {
    private struct Latest {
        var step = 0
        var totalSteps = 0
        var loss: Double?
        var tokens = 0
        var ending: (any Error)?
    }

    private let latest = Mutex(Latest())

    /// Creates a progress of nothing yet.
    init() {}

    /// Notes an update; may be called from any thread.
    func update(step: Int, totalSteps: Int, loss: Double?, tokens: Int) {
        latest.withLock {
            $0 = Latest(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens, ending: $0.ending)
        }
    }

    /// Throws once the training is to end: ``RunEnded`` when the run was cancelled or replaced meanwhile, ``LeaseLost`` when
    /// the training went to another process.
    func check() throws {
        if let ending = latest.withLock({ $0.ending }) { throw ending }
    }

    /// Runs a body while writing the progress of a stage to the database, under the lease of its training.
    func reporting<Result: Sendable>(
        _ stage: StageID,
        under lease: JobLease,
        to pool: PostgresPool,
        logger: Logger,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let reporter = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(700))
                let now = latest.withLock { $0 }
                do {
                    try await pool.withTransaction { transaction in
                        try await lease.verify(in: transaction)
                        try await JobStore.progressed(
                            stage,
                            step: now.step,
                            totalSteps: now.totalSteps,
                            loss: now.loss.flatMap { $0.isFinite ? $0 : nil },
                            tokens: now.tokens,
                            in: transaction
                        )
                    }
                    if let run = try await RunStore.state(of: stage.run, from: pool), run.state != .active {
                        latest.withLock { $0.ending = RunEnded() }
                    }
                } catch let lost as LeaseLost {
                    latest.withLock { $0.ending = lost }
                    return
                } catch {
                    logger.debug("progress not written", metadata: ["error": "\(error)"])
                }
            }
        }
        defer { reporter.cancel() }
        return try await body()
    }
}
