public import Logging
public import PostgresClient
import Synchronization

/// Carries a training thread's progress into `training_jobs`, about once a second.
public final class TrainingProgress: Sendable {
    private struct Latest {
        var step = 0
        var totalSteps = 0
        var loss: Double?
        var tokens = 0
        var isEnded = false
    }

    private let latest = Mutex(Latest())

    /// Creates a progress of nothing yet.
    public init() {}

    /// Notes an update; may be called from any thread.
    public func update(step: Int, totalSteps: Int, loss: Double?, tokens: Int) {
        latest.withLock {
            $0 = Latest(step: step, totalSteps: totalSteps, loss: loss, tokens: tokens, isEnded: $0.isEnded)
        }
    }

    /// Whether the run was cancelled or replaced meanwhile, so that its training is to end.
    public var isEnded: Bool { latest.withLock { $0.isEnded } }

    /// Runs a body while writing the progress of a stage to the database.
    public func reporting<Result: Sendable>(
        _ stage: StageID,
        to pool: PostgresPool,
        logger: Logger,
        _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let reporter = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(700))
                let now = latest.withLock { $0 }
                do {
                    try await JobStore.progressed(
                        stage,
                        step: now.step,
                        totalSteps: now.totalSteps,
                        loss: now.loss.flatMap { $0.isFinite ? $0 : nil },
                        tokens: now.tokens,
                        in: pool
                    )
                    if let run = try await RunStore.state(of: stage.run, from: pool), run.state != .active {
                        latest.withLock { $0.isEnded = true }
                    }
                } catch {
                    logger.debug("progress not written", metadata: ["error": "\(error)"])
                }
            }
        }
        defer { reporter.cancel() }
        return try await body()
    }
}
