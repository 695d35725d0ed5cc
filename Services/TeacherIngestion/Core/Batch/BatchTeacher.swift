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
    private let options: HTTPTeacher.Options
    let plan: BatchPlan
    let server: BatchServer
    let store: BatchStore
    let desk: BatchDesk
    let logger: Logger
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
                        milliseconds: milliseconds,
                        maximumTokens: ChatWire.maximumTokens(
                            of: ChatWire.parameters(options.settings, maximumTokens: request.maximumTokens)
                        )
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

    /// When a parameter was last learned to be refused.
    var lastLearned: Date { memory.withLock { $0.learned } }

    /// Takes up a refusal of a parameter.
    ///
    /// - Returns: Whether requests are other ones from now on.
    func learn(from error: ServerError) -> Bool {
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
        case .unavailable:
            guard othersAnswered, try await store.failures(of: key, .unavailable) >= HTTPTeacher.outages else {
                return .failure(TeacherError(.unavailable, error.message))
            }
            return .failure(HTTPTeacher.givenUp(error))
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
            if !isItsOwn { isItsOwn = try await store.failures(of: key, .refusedRequest) >= HTTPTeacher.refusals }
            return .failure(TeacherError(isItsOwn ? .rejected : .unavailable, error.message))
        }
    }
}
