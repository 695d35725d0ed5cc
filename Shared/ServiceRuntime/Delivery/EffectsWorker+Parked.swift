import Foundation
import KafkaClient
import Logging
import PostgresClient
import ServiceLifecycle

// Messages that wait in the database.
extension EffectsWorker {
    /// Parks a message, so that it is at its end here; says whether that is done.
    ///
    /// Not a message whose partition went: whoever holds it now has the message as well.
    func park(
        _ message: KafkaMessage,
        _ waiting: Waiting,
        since began: ContinuousClock.Instant,
        _ run: Run
    ) async -> Bool {
        guard run.consumer.holds(message) else { return false }
        do {
            let isParked = try await ParkedMessages.add(
                message,
                of: processor.consumerName,
                age: began.duration(to: .now),
                tries: waiting.failures,
                wait: waiting.parkedWait,
                reason: waiting.reason,
                limit: parking.limit,
                in: pool
            )
            guard isParked else { return false }
        } catch {
            logger.warning("message not parked", metadata: ["topic": "\(message.topic)", "error": "\(error)"])
            return false
        }
        count("parked", message)
        logger.notice(
            "message parked",
            metadata: [
                "topic": "\(message.topic)", "partition": "\(message.partition)", "offset": "\(message.offset)",
                "reason": "\(waiting.reason)",
            ]
        )
        return true
    }

    /// Works on parked messages as they are due, until graceful shutdown or cancellation; what is in work is finished.
    func workOnParked(_ run: Run) async {
        let holder = UUID().uuidString
        await withDiscardingTaskGroup { group in
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                guard (try? await cancelWhenGracefulShutdown { try await run.work.acquire() }) != nil else { return }
                // Claimed with a slot in hand: a claim that waits would keep the message from a worker that is free.
                if let claimed = await claim(by: holder) {
                    group.addTask { await work(on: claimed, run) }
                } else {
                    run.work.release()
                    let pause = parking.pollInterval
                    guard (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }) != nil else {
                        return
                    }
                }
            }
        }
    }

    private func claim(by holder: String) async -> ParkedMessages.Claimed? {
        do {
            return try await ParkedMessages.claim(
                for: processor.consumerName,
                by: holder,
                lasting: parking.claim,
                from: pool
            )
        } catch {
            if !(error is CancellationError) {
                logger.warning("parked messages not read", metadata: ["error": "\(error)"])
            }
            return nil
        }
    }

    /// Tries a parked message once, with a slot of `work` that this gives back.
    private func work(on claimed: ParkedMessages.Claimed, _ run: Run) async {
        let renewal = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: parking.claim / 3)
                // Where that fails, another worker may do the same work; its effects are still single.
                try? await ParkedMessages.renew(claimed, lasting: parking.claim, in: pool)
            }
        }
        defer { renewal.cancel() }
        let ending = try? await tryOnce(parked: claimed, alone: concurrency == 1, run)
        run.work.release()
        guard case .suspected? = ending else { return await note(ending, of: claimed) }
        do {
            try await cancelWhenGracefulShutdown { try await run.work.acquire(concurrency) }
            defer { run.work.release(concurrency) }
            await note(try? await tryOnce(parked: claimed, alone: true, run), of: claimed)
        } catch {
            await note(nil, of: claimed)
        }
    }

    private func tryOnce(parked claimed: ParkedMessages.Claimed, alone: Bool, _ run: Run) async throws -> Trial {
        try await tryOnce(
            claimed.message,
            failuresBefore: claimed.tries,
            since: ContinuousClock.now - claimed.age,
            alone: alone,
            isParked: true,
            run
        )
    }

    /// Writes down what came of a try; nil: it was cut off.
    private func note(_ trial: Trial?, of claimed: ParkedMessages.Claimed) async {
        // In a task of its own: this one may be cancelled, and then the pool would refuse it.
        let noting = Task {
            switch trial {
            case .settled?:
                try await ParkedMessages.remove(claimed, from: pool)
            case .failed(let reason)?:
                let tries = claimed.tries + 1
                let wait = parking.backoff.delay(afterFailure: tries)
                try await ParkedMessages.put(back: claimed, tries: tries, wait: wait, reason: reason, in: pool)
            case .postponed(let wait, let reason)?:
                try await ParkedMessages.put(back: claimed, tries: claimed.tries, wait: wait, reason: reason, in: pool)
            case .suspected?, .behind?, nil:
                try await ParkedMessages.put(back: claimed, tries: claimed.tries, wait: .zero, reason: nil, in: pool)
            }
        }
        // Where that fails the claim runs out, and what is at its end is recognised.
        if case .failure(let error) = await noting.result {
            logger.warning("try of a parked message not noted", metadata: ["error": "\(error)"])
        }
    }
}
