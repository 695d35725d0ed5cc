import ServiceRuntime

/// Where requests wait in this process: for enough others to make a batch, and then for what comes of it.
actor BatchDesk {
    private struct Queued {
        let body: String
        let since: ContinuousClock.Instant
        let place: Int
    }

    private let rests: Backoff
    private var queued: [String: Queued] = [:]
    private var batches: [String: String] = [:]
    private var waiters: [String: [Int: CheckedContinuation<BatchOutcome, any Error>]] = [:]
    private var numbers = 0
    private var barren = 0
    private var restUntil = ContinuousClock.now

    /// Makes an empty desk.
    ///
    /// - Parameter rests: How long no batch is made after one that brought no answer.
    init(rests: Backoff) { self.rests = rests }

    // MARK: Who asks

    /// Queues a request, unless it is there already, and waits for what comes of it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func join(_ key: String, body: String) async throws -> BatchOutcome {
        if queued[key] == nil, batches[key] == nil {
            numbers += 1
            queued[key] = Queued(body: body, since: .now, place: numbers)
        }
        return try await outcome(of: key)
    }

    /// Waits for what comes of a request that is in a batch under way.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func follow(_ key: String, batch: String) async throws -> BatchOutcome {
        queued[key] = nil
        if batches[key] == nil { batches[key] = batch }
        return try await outcome(of: key)
    }

    private func outcome(of key: String) async throws -> BatchOutcome {
        numbers += 1
        let number = numbers
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // A cancellation after this look finds the waiter in its place.
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                    forget(key)
                } else {
                    waiters[key, default: [:]][number] = continuation
                }
            }
        } onCancel: {
            Task { await self.giveUp(key, number) }
        }
    }

    private func giveUp(_ key: String, _ number: Int) {
        waiters[key]?.removeValue(forKey: number)?.resume(throwing: CancellationError())
        forget(key)
    }

    /// Takes a request that nobody waits for out of the queue; in a batch it stays, and its answer is kept.
    private func forget(_ key: String) {
        guard waiters[key]?.isEmpty ?? true else { return }
        waiters[key] = nil
        queued[key] = nil
        batches[key] = nil
    }

    // MARK: Who makes batches

    /// The requests that are to make a batch now, the oldest first; none where they are to wait.
    ///
    /// They stay in the queue until ``joined(_:batch:)``.
    func due(_ plan: BatchPlan) -> [BatchRequest] {
        let now = ContinuousClock.now
        guard now >= restUntil, let oldest = queued.values.map(\.since).min(),
            queued.count >= plan.minimumRequests || now - oldest >= plan.wait
        else { return [] }
        var bytes = 0
        var requests: [BatchRequest] = []
        for (key, entry) in queued.sorted(by: { $0.value.place < $1.value.place }) {
            bytes += entry.body.utf8.count
            guard requests.count < plan.maximumRequests, requests.isEmpty || bytes <= BatchPlan.maximumBytes else {
                break
            }
            requests.append(BatchRequest(key: key, body: entry.body))
        }
        return requests
    }

    /// Notes that requests are in a batch.
    func joined(_ keys: Set<String>, batch: String) {
        for key in keys {
            queued[key] = nil
            if waiters[key] != nil { batches[key] = batch }
        }
    }

    /// The requests that wait here, by batch.
    var waiting: [String: Set<String>] {
        batches.reduce(into: [:]) { waiting, entry in waiting[entry.value, default: []].insert(entry.key) }
    }

    /// Tells what came of requests to those who wait for them.
    func settle(_ outcomes: [String: BatchOutcome]) {
        for (key, outcome) in outcomes {
            queued[key] = nil
            batches[key] = nil
            let waiting = waiters.removeValue(forKey: key) ?? [:]
            for continuation in waiting.values { continuation.resume(returning: outcome) }
        }
    }

    /// Lets no new batch be made for a while after one that brought no answer, longer each time.
    func ended(isBarren: Bool) {
        barren = isBarren ? barren + 1 : 0
        if isBarren { restUntil = .now + rests.delay(afterFailure: barren) }
    }
}
