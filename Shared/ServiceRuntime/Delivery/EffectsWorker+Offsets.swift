import KafkaClient
import Logging

// The offsets of what is finished.
extension EffectsWorker {
    func commitRegularly(_ run: Run) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(250))
            await commit(run)
        }
    }

    /// Commits what is finished, and returns the error if that fails.
    ///
    /// A commit that fails is no loss: the next one covers it, or the messages come again and the inbox recognises
    /// them.
    @discardableResult
    private func commit(_ run: Run) async -> (any Error)? {
        let offsets = run.progress.takeCommittable()
        guard !offsets.isEmpty else { return nil }
        do {
            try await run.consumer.commit(offsets)
            return nil
        } catch {
            run.progress.notCommitted(offsets)
            // Cancelled while the answer was awaited: nothing failed.
            if !(error is CancellationError) {
                logger.warning("offsets not committed", metadata: ["error": "\(error)"])
            }
            return error
        }
    }

    /// Commits before the group is left, again where it fails for a moment (a rebalance, a coordinator that moves).
    ///
    /// Bounded in tries and in time, so that a broker that is away does not hold the shutdown up: without the commit
    /// the next member only sees messages again.
    func commitLast(_ run: Run) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
                for failures in 1...6 {
                    guard let error = await commit(run) as? KafkaError, error.isRetriable,
                        (try? await backoff.wait(afterFailure: failures)) != nil
                    else { return }
                }
            }
            group.addTask { try? await Task.sleep(for: .seconds(5)) }
            await group.next()
            group.cancelAll()
        }
        let left = run.progress.takeCommittable()
        guard !left.isEmpty else { return }
        logger.warning(
            "offsets not committed before leaving the group; their messages come again and are recognised",
            metadata: ["offsets": "\(left.map { "\($0.topic)/\($0.partition)/\($0.offset)" }.joined(separator: " "))"]
        )
    }
}
