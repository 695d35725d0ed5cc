import CompletionClient
import Foundation
import Logging
import ServiceLifecycle
import Teaching

/// The batches: made of what waits, taken on with the server step by step, and told of to those who wait.
extension BatchTeacher {
    /// So often in a row a server may not know a job before its requests are asked anew.
    private static let misses = 5

    /// Makes batches and collects what comes of them, until graceful shutdown or cancellation.
    func run() async throws {
        do {
            var nextLook = ContinuousClock.now
            var isTidy = false
            while !Task.isShuttingDownGracefully {
                do {
                    if !isTidy {
                        try await store.forgetOld()
                        isTidy = true
                    }
                    try await makeBatch()
                    if ContinuousClock.now >= nextLook {
                        nextLook = .now + plan.poll
                        try await lookAtJobs()
                        try await desk.settle(store.outcomes(of: desk.waiting))
                    }
                } catch {
                    try Task.checkCancellation()
                    logger.warning("batches will be looked at again", metadata: ["error": "\(error)"])
                }
                let wait: Duration = max(.milliseconds(10), min(.seconds(1), nextLook - ContinuousClock.now))
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
            }
        } catch is CancellationError {
            // Both ways out give the claims back; the jobs go on at the server.
        }
        // In a task of its own: this one may be cancelled, and then the pool would refuse it.
        await Task { [store] in try? await store.releaseAll() }.value
    }

    private func makeBatch() async throws {
        let due = await desk.due(plan)
        guard !due.isEmpty else { return }
        let made = try await store.make(due)
        let taken = made?.taken ?? []
        if let made {
            await desk.joined(taken, batch: made.batch.id)
            logger.info(
                "batch made",
                metadata: ["teacher": "\(server.place)", "batch": "\(made.batch.id)", "requests": "\(taken.count)"]
            )
        }
        // What another process put into a batch meanwhile is waited for there.
        let elsewhere = due.map(\.key).filter { !taken.contains($0) }
        await desk.settle(Dictionary(elsewhere.map { ($0, BatchOutcome.gone) }, uniquingKeysWith: { $1 }))
        if let made { try await work(on: made.batch) }
    }

    private func lookAtJobs() async throws {
        var seen: Set<String> = []
        while !Task.isShuttingDownGracefully, let batch = try await store.claim(poll: plan.poll) {
            guard seen.insert(batch.id).inserted else { return try await store.release(batch.id) }
            try await work(on: batch)
        }
    }

    /// Takes a claimed batch on by a step, and gives it back.
    private func work(on batch: BatchStore.Claimed) async throws {
        do {
            if let job = batch.job {
                try await look(at: job, of: batch)
            } else {
                try await submit(batch)
            }
        } catch let error as ServerError {
            logger.warning("batch not taken on", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
        } catch let error as TeacherError {
            // The gate is closed, and has said why.
            logger.debug("batch waits", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
        }
        try await store.release(batch.id)
    }

    /// Sends a batch, or finds out what became of the try to do so.
    private func submit(_ batch: BatchStore.Claimed) async throws {
        var file = batch.inputFile
        do {
            // The job may have been made although nobody was told.
            if let uploaded = file,
                let job = try await server.find(name: batch.id, file: uploaded, since: batch.createdAt)
            {
                return try await begin(batch.id, job)
            }
            // What another process made and never sent is not sent in its name: whoever still wants it asks.
            guard batch.isOurs else { return try await store.takeBack(batch.id) }
            if file == nil, try await store.renew(batch.id) {
                let uploaded = try await server.upload(try await store.requests(of: batch.id), name: batch.id)
                try await store.uploaded(batch.id, file: uploaded)
                file = uploaded
            }
            guard let known = file, try await store.renew(batch.id) else { return }
            try await begin(batch.id, try await server.create(file: known, name: batch.id))
        } catch let error as ServerError where [.refusedRequest, .tooLarge].contains(error.kind) {
            // The batch is refused as a whole, which says nothing of any one request.
            try await end(batch, status: nil, results: [:], rest: ServerError(.unavailable, error.message))
        }
    }

    private func begin(_ id: String, _ job: BatchJob) async throws {
        try await store.created(id, job: job)
        logger.info(
            "batch is with the server",
            metadata: ["batch": "\(id)", "job": "\(job.id)", "status": "\(job.status)"]
        )
    }

    private func look(at id: String, of batch: BatchStore.Claimed) async throws {
        do {
            let job = try await server.job(id)
            guard job.isFinal else { return try await store.looked(batch.id, status: job.status) }
            var results: [String: BatchResult] = [:]
            var rest = job.rest(place: server.place)
            for file in [job.outputFile, job.errorFile].compactMap({ $0 }) {
                guard try await store.renew(batch.id) else { return }
                do {
                    for result in try await server.results(file, model: model) where results[result.key] == nil {
                        results[result.key] = result
                    }
                } catch let error as ServerError where error.kind == .tooLarge {
                    rest = error
                }
            }
            try await end(batch, status: job.status, results: results, rest: rest)
        } catch let error as ServerError where error.kind == .notFound {
            guard batch.misses + 1 >= Self.misses else { return try await store.missed(batch.id) }
            let lost = ServerError(.unavailable, error.message, mayBeBilled: true)
            try await end(batch, status: "lost", results: [:], rest: lost)
        }
    }

    private func end(
        _ batch: BatchStore.Claimed,
        status: String?,
        results: [String: BatchResult],
        rest: ServerError
    ) async throws {
        try await store.end(batch.id, status: status, results: results, rest: rest)
        var answered = 0
        var errors: [ServerError] = results.isEmpty ? [rest] : []
        for result in results.values {
            switch result.outcome {
            case .success: answered += 1
            case .failure(let error): errors.append(error)
            }
        }
        logger.info(
            "batch has ended",
            metadata: [
                "batch": "\(batch.id)", "status": "\(status ?? "refused")", "answered": "\(answered)",
                "failed": "\(results.count - answered)",
            ]
        )
        await desk.ended(isBarren: answered == 0)
        for error in errors where error.kind == .refusedSetting { _ = learn(from: error) }
        // What every other request will be refused for closes the gate, unless requests are other ones by now.
        let learned = lastLearned
        if let error = errors.first(where: { error in
            error.kind.concernsAll && (error.kind != .refusedSetting || batch.createdAt > learned)
        }) {
            await server.close(for: error)
        }
        try await desk.settle(store.outcomes(of: desk.waiting))
    }
}
