import AsyncHTTPClient
import CompletionClient
import Foundation
import Logging
import PostgresClient
import Reasoning
import Schemas
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import Teaching

/// A teacher behind an OpenAI-compatible batch API: requests wait until there are enough of them, go to the server in one
/// file, and are answered when the job has ended, hours later as a rule.
///
/// A request waits within ``complete(_:hooks:)``, and ``run()`` makes the batches, looks at the jobs and collects what came
/// of them. Batches and jobs are in the database: after a restart, or in another process, the same request waits for the
/// job that it is in, and is not sent again. What the settings, refusals, the gate and the hooks mean is what they mean to
/// ``HTTPTeacher``, but for these: a request that the server refuses while it answers others of the same batch is told as
/// `rejected` at once, and one that was not worked on goes into the next batch.
final class BatchTeacher: Teacher, Service {
    /// So often in a row a server may not know a job before its requests are asked anew.
    private static let misses = 5

    private let options: HTTPTeacher.Options
    private let plan: BatchPlan
    private let server: BatchServer
    private let store: BatchStore
    private let desk: BatchDesk
    private let logger: Logger
    private let memory = Mutex(Memory())

    /// What is learned from the server's refusals, and when.
    private struct Memory {
        var adaptation = ChatAdaptation()
        var learned = Date.distantPast
    }

    /// Makes a teacher; the caller runs it, and shuts the client down.
    ///
    /// - Parameters:
    ///   - options: Where and how to reach the server; `attempts` bounds the batches that a request goes into before its
    ///     message is left for later.
    ///   - plan: When batches are made and looked at.
    ///   - client: The client to call with.
    ///   - pool: The database.
    ///   - gate: Shared by all teachers of one server.
    ///   - rests: How long no batch is made after one that brought no answer; 30 s to 10 min by default.
    ///   - logger: For batches and what is learned.
    /// - Throws: ``ConfigurationError`` where the address is none.
    init(
        options: HTTPTeacher.Options,
        plan: BatchPlan,
        client: HTTPClient,
        pool: PostgresPool,
        gate: TeacherGate = TeacherGate(limit: 8),
        rests: Backoff = Backoff(base: .seconds(30), cap: .seconds(600)),
        logger: Logger
    ) throws {
        guard let server = options.server(client) else {
            throw ConfigurationError("the teacher's address '\(options.settings.url ?? "")' is none")
        }
        self.options = options
        self.plan = plan
        self.logger = logger
        self.server = BatchServer(server: server, gate: gate, plan: plan)
        store = BatchStore(
            pool: pool,
            lane: Self.lane(options.settings, plan: plan, server: server),
            server: "\(server.options.address)",
            model: options.settings.model ?? "",
            holder: UUID().uuidString,
            lease: options.timeout + .seconds(60)
        )
        desk = BatchDesk(rests: rests)
    }

    /// What a process must share to ask for a job: what the calls have in common, the key itself left out, which may change.
    private static func lane(_ settings: TeacherSettings, plan: BatchPlan, server: CompletionServer) -> String {
        let headers = (settings.headers ?? [:]).sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return DeterministicID.make(
            cause: "teacher-batch-lane",
            parts: [
                server.options.address.endpoint("batches"), plan.endpoint, settings.model ?? "",
                settings.apiKeyFile ?? "",
            ] + headers
        )
    }

    /// The model that is asked for.
    var model: String { options.settings.model ?? "" }

    /// The same as of one call at a time: an answer that is known is recalled, however it came.
    func identity(of role: TeacherRole) -> String { ChatWire.identity(options.settings) }

    // MARK: Asking

    /// Asks in the next batch.
    func complete(_ request: ChatRequest) async throws -> ChatReply {
        try await complete(request, hooks: CallHooks())
    }

    /// Asks in the next batch, or waits for the one that the request is in, again where it was not worked on.
    ///
    /// - Throws: ``TeacherError``, with the code `paused` when the service shuts down, while the batch goes on;
    ///   `CancellationError` when the task is cancelled.
    func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
        let key = key(of: request)
        var failures = 0
        while true {
            let before = adaptation
            let batch: String
            let error: ServerError
            let othersAnswered: Bool
            switch try await outcome(of: key, request, before, hooks) {
            case .gone: continue
            case .answered(let id, let answer):
                do {
                    let reply = try ChatWire.reply(answer, model: model, place: server.place)
                    try await hooks.answered(reply)
                    try await store.told(key, batch: id)
                    return reply
                } catch let error as ServerError {
                    // What was no answer was not kept as one.
                    throw TeacherError(.malformedAnswer, error.message)
                }
            case .failed(let id, let failure, let others, let milliseconds):
                try await hooks.failed(
                    FailedCall(
                        outcome: failure.kind.rawValue,
                        message: failure.message,
                        mayBeBilled: failure.mayBeBilled,
                        milliseconds: milliseconds
                    )
                )
                batch = id
                error = failure
                othersAnswered = others
            }
            if error.kind == .refusedSetting, learn(from: error) || adaptation != before {
                try await store.told(key, batch: batch)
                continue
            }
            failures += 1
            if error.kind.isTransient, failures < options.attempts {
                try await store.told(key, batch: batch)
                logger.info(
                    "teacher request goes into another batch",
                    metadata: ["error": "\(error)", "failures": "\(failures)"]
                )
                continue
            }
            let conclusion = try await conclude(error, key: key, othersAnswered: othersAnswered)
            if case .success(let reply) = conclusion { try await hooks.answered(reply) }
            try await store.told(key, batch: batch)
            return try conclusion.get()
        }
    }

    /// Hashes what is asked, and of whom.
    private func key(of request: ChatRequest) -> String {
        DeterministicID.make(
            cause: "teacher-batch-request",
            parts: [
                store.lane, ChatWire.identity(options.settings), "\(request.temperature)", "\(request.seed)",
                "\(request.maximumTokens ?? 0)",
            ] + request.messages.flatMap { [$0.role, $0.content] }
        )
    }

    private func outcome(
        of key: String,
        _ request: ChatRequest,
        _ adaptation: ChatAdaptation,
        _ hooks: CallHooks
    ) async throws -> BatchOutcome {
        switch try await store.standing(of: key) {
        case .settled(let outcome)?: return outcome
        case .open(let batch)?:
            return try await waiting { [desk] in try await desk.follow(key, batch: batch) }
        case nil:
            // What is under way is paid already; only what is asked anew is held against the budget.
            try await hooks.begins()
            var body = ChatWire.body(request, settings: options.settings, adaptation: adaptation)
            body["stream"] = nil
            body["stream_options"] = nil
            let text = String(decoding: try EventCoding.encodeJSON(body), as: UTF8.self)
            return try await waiting { [desk] in try await desk.join(key, body: text) }
        }
    }

    /// Waits at the desk, but not while the service shuts down: the message comes again, and finds its batch.
    private func waiting(_ body: @escaping @Sendable () async throws -> BatchOutcome) async throws -> BatchOutcome {
        do {
            return try await cancelWhenGracefulShutdown(body)
        } catch is CancellationError where Task.isShuttingDownGracefully && !Task.isCancelled {
            throw TeacherError(.paused, "the service shuts down; what is in a batch goes on at the server")
        }
    }

    private var adaptation: ChatAdaptation { memory.withLock { $0.adaptation } }

    /// Takes up a refusal of a parameter.
    ///
    /// - Returns: Whether requests are other ones from now on.
    private func learn(from error: ServerError) -> Bool {
        let change = memory.withLock { memory -> String? in
            let change = memory.adaptation.learn(from: error)
            if change != nil { memory.learned = Date() }
            return change
        }
        guard let change else { return false }
        logger.warning("the teacher refuses a parameter", metadata: ["error": "\(error)", "now": "\(change)"])
        return true
    }

    /// What becomes of a request that failed for good: an answer that was none, or an error.
    private func conclude(
        _ error: ServerError,
        key: String,
        othersAnswered: Bool
    ) async throws -> Result<ChatReply, TeacherError> {
        switch error.kind {
        case .refusedKey, .quota, .notFound, .refusedSetting: return .failure(TeacherError(.refused, error.message))
        case .unavailable: return .failure(TeacherError(.unavailable, error.message))
        case .tooLarge: return .success(HTTPTeacher.nothing("too-large", model: model))
        case .timeout, .malformed:
            guard othersAnswered else {
                let code: TeacherError.Code = error.kind == .timeout ? .unavailable : .malformedAnswer
                return .failure(TeacherError(code, error.message))
            }
            return .success(HTTPTeacher.nothing(error.kind.rawValue, model: model))
        case .refusedRequest:
            // Of a server that answers others, a refusal is about this question; of one that refuses all it is not known.
            var isItsOwn = othersAnswered
            if !isItsOwn { isItsOwn = try await store.refusals(of: key) >= HTTPTeacher.refusals }
            return .failure(TeacherError(isItsOwn ? .rejected : .unavailable, error.message))
        }
    }

    // MARK: Batches

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
        let learned = memory.withLock { $0.learned }
        if let error = errors.first(where: { error in
            error.kind.concernsAll && (error.kind != .refusedSetting || batch.createdAt > learned)
        }) {
            await server.close(for: error)
        }
        try await desk.settle(store.outcomes(of: desk.waiting))
    }
}
