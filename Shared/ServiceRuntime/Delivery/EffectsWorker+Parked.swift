import FaultPoints
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

    /// Stores messages that have come before they are worked on, so that they are at their end here.
    func store(_ messages: [KafkaMessage], _ run: Run) async throws {
        try await ParkedMessages.store(messages, of: processor.consumerName, in: pool)
        for _ in messages { try FaultPoint.messageStored.reach() }
        for message in messages { count(.stored, message) }
        run.parked.look()
    }

    /// Works on the messages in the database as they are due, until graceful shutdown or cancellation; what is in work is
    /// finished.
    func workOnParked(_ run: Run) async {
        let renewal = Task { await renewRegularly(run.parked) }
        defer { renewal.cancel() }
        await withDiscardingTaskGroup { group in
            group.addTask { await lookRegularly(run.parked) }
            var looks = run.parked.looks.makeAsyncIterator()
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                if run.parked.isToRest(after: concurrency) {
                    let pause = parking.pollInterval
                    guard (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }) != nil else {
                        return
                    }
                }
                guard (try? await cancelWhenGracefulShutdown { try await run.parkedWork.acquire() }) != nil else {
                    return
                }
                // Claimed with a slot in hand: a claim that waits would keep the message from a worker that is free.
                if let claimed = await claim(run.parked) {
                    group.addTask { await work(on: claimed, run) }
                } else {
                    run.parkedWork.release()
                    guard await looks.next() != nil else { return }
                }
            }
        }
    }

    /// Has the worker look for messages that are due, which other workers may have stored, until it is told to stop.
    private func lookRegularly(_ parked: ParkedWork) async {
        defer { parked.finish() }
        let pause = processor.storesFirst ? min(parking.pollInterval, .milliseconds(250)) : parking.pollInterval
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: pause)
                parked.look()
            }
        }
    }

    private func renewRegularly(_ parked: ParkedWork) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: parking.claim / 3)
            let sequences = parked.sequences
            guard !sequences.isEmpty else { continue }
            // Where that fails, another worker may do the same work; its effects are still single.
            try? await ParkedMessages.renew(sequences, by: parked.holder, lasting: parking.claim, in: pool)
        }
    }

    private func claim(_ parked: ParkedWork) async -> ParkedMessages.Claimed? {
        do {
            // Where none is stored first each has been tried.
            let turns = processor.storesFirst && parked.takesTurn() ? [true, false] : [false]
            for newcomers in turns {
                let claimed = try await ParkedMessages.claim(
                    for: processor.consumerName,
                    by: parked.holder,
                    lasting: parking.claim,
                    except: parked.sequences,
                    newcomers: newcomers,
                    from: pool
                )
                guard let claimed else { continue }
                parked.begin(claimed.sequence)
                return claimed
            }
            return nil
        } catch {
            if !(error is CancellationError) {
                logger.warning("parked messages not read", metadata: ["error": "\(error)"])
            }
            return nil
        }
    }

    /// Tries a parked message once, with a slot of `parkedWork` that this gives back.
    private func work(on claimed: ParkedMessages.Claimed, _ run: Run) async {
        defer { run.parked.end(claimed.sequence) }
        let ending = try? await tryOnce(parked: claimed, alone: hasOneSlot, run)
        run.parkedWork.release()
        guard case .suspected? = ending else { return await note(ending, of: claimed, run) }
        do {
            try await cancelWhenGracefulShutdown { try await run.acquireAll() }
            defer { run.releaseAll() }
            await note(try? await tryOnce(parked: claimed, alone: true, run), of: claimed, run)
        } catch {
            await note(nil, of: claimed, run)
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
    private func note(_ trial: Trial?, of claimed: ParkedMessages.Claimed, _ run: Run) async {
        switch trial {
        case .settled?: run.parked.tried(inVain: false)
        case .failed?, .postponed?: run.parked.tried(inVain: true)
        case .suspected?, .behind?, nil: break
        }
        // In a task of its own: this one may be cancelled, and then the pool would refuse it.
        let noting = Task {
            switch trial {
            case .settled?:
                try await ParkedMessages.remove(claimed, from: pool)
            case .failed(let reason)?:
                let tries = claimed.tries + 1
                let wait = (claimed.isArrival ? backoff : parking.backoff).delay(afterFailure: tries)
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
