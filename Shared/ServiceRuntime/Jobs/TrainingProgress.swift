public import Logging
public import PostgresClient
public import Schemas
import Synchronization

/// Carries a training thread's progress into `training_jobs`, about once a second.
public final class TrainingProgress: Sendable {
    private struct Latest {
        var step = 0
        var totalSteps = 0
        var loss: Double?
        var tokens = 0
    }

    private let latest = Mutex(Latest())

    /// Creates a progress of nothing yet.
    public init() {}

    /// Notes an update; may be called from any thread.
    public func update(step: Int, totalSteps: Int, loss: Double?, tokens: Int) {
        latest.withLock { $0 = Latest(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens) }
    }

    /// Runs a body while writing the progress of a stage to the database.
    public func reporting<Result: Sendable>(
        _ stage: TrainingStage,
        run: String,
        to pool: PostgresPool,
        logger: Logger,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let reporter = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(700))
                let now = latest.withLock { $0 }
                do {
                    try await RunStore.progressed(
                        stage,
                        run: run,
                        step: now.step,
                        totalSteps: now.totalSteps,
                        loss: now.loss.flatMap { $0.isFinite ? $0 : nil },
                        tokens: now.tokens,
                        in: pool
                    )
                } catch {
                    logger.debug("progress not written", metadata: ["error": "\(error)"])
                }
            }
        }
        defer { reporter.cancel() }
        return try await body()
    }
}
