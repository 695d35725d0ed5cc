public import AsyncHTTPClient
import CompletionClient
import Foundation
public import Logging
import Reasoning
import Schemas
import ServiceLifecycle
public import ServiceRuntime
import Synchronization
public import Teaching

/// A teacher behind an OpenAI-compatible `POST …/chat/completions`, for one role or several.
///
/// What fails for a moment is tried again, after the time that the server names or with exponential backoff and jitter. A
/// parameter that the server does not know is left out or sent under its other name from then on. What it refuses for
/// this request alone is told as `rejected` after a few tries, and so is one at which it fails again and again while it
/// answers others; where there are no others, a question of a few words is put to tell the two apart. What it refuses
/// for all closes the ``TeacherGate``.
public struct HTTPTeacher: Teacher {
    /// Where and how to reach the endpoint.
    public struct Options: Sendable {
        /// The role's settings.
        public var settings: TeacherSettings
        /// Sent as the key when there is one, in place of the settings' file.
        public var apiKey: Secret?
        /// How often a call is tried before the message is left for later.
        public var attempts: Int

        /// Creates options for a server that nothing more is known of.
        public init(
            baseURL: String,
            model: String,
            apiKey: String? = nil,
            timeout: Duration = .seconds(600),
            attempts: Int = 4
        ) {
            var settings = TeacherSettings()
            settings.url = baseURL
            settings.model = model
            settings.timeoutSeconds = timeout / .seconds(1)
            self.init(settings: settings, apiKey: apiKey, attempts: attempts)
        }

        /// Creates options of a role's settings.
        public init(settings: TeacherSettings, apiKey: String? = nil, attempts: Int = 4) {
            self.settings = settings
            self.apiKey = apiKey.map { Secret($0) }
            self.attempts = max(1, attempts)
        }

        /// The server that the settings name; nil where its address is none.
        func server(_ client: HTTPClient) -> CompletionServer? {
            guard let address = settings.url.flatMap(ServerAddress.init) else { return nil }
            let (key, file) = (apiKey, settings.apiKeyFile)
            return CompletionServer(
                .init(
                    address: address,
                    apiKey: {
                        if let key { return key.reveal() }
                        guard let file else { return nil }
                        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                            throw ServerError(.refusedKey, "the key file \(file) cannot be read")
                        }
                        return text.trimmingCharacters(in: .whitespacesAndNewlines)
                    },
                    keyHeader: (settings.preset ?? .generic).keyHeader,
                    headers: settings.headers ?? [:],
                    timeout: timeout,
                    silence: .milliseconds(Int64(settings.silence * 1000)),
                    firstByte: .milliseconds(Int64(settings.firstByte * 1000))
                ),
                client: client
            )
        }

        /// The longest that a call may take.
        var timeout: Duration {
            .milliseconds(Int64(settings.timeout * 1000))
        }
    }

    /// A request that was refused so often, while others were answered, is given up.
    static let refusals = 3
    /// A request at which the server failed so often, while it answered others, is given up: more than refusals, as a server
    /// that has too much to do fails too.
    static let outages = 8

    private let options: Options
    private let client: HTTPClient
    private let gate: TeacherGate
    private let backoff: Backoff
    private let logger: Logger
    private let memory = Memory()

    /// What is learned from the server's refusals, shared by all calls.
    private final class Memory: Sendable {
        private struct State {
            var adaptation = ChatAdaptation()
            var failures = FailureTally()
        }

        private let state = Mutex(State())

        var adaptation: ChatAdaptation { state.withLock { $0.adaptation } }

        func learn(from error: ServerError) -> String? { state.withLock { $0.adaptation.learn(from: error) } }

        func tally<Value: Sendable>(_ body: (inout FailureTally) -> Value) -> Value {
            state.withLock { body(&$0.failures) }
        }

        func forget(_ key: String) { state.withLock { $0.failures.forget(key) } }
    }

    /// Creates a teacher; the caller shuts the client down.
    ///
    /// - Parameters:
    ///   - options: Where and how to reach the endpoint.
    ///   - client: The client to call with.
    ///   - gate: Shared by all teachers of one server; one of its own by default.
    ///   - backoff: The waits between tries.
    ///   - logger: For tries and what is learned.
    public init(
        options: Options,
        client: HTTPClient,
        gate: TeacherGate = TeacherGate(limit: 8),
        backoff: Backoff = Backoff(base: .milliseconds(500)),
        logger: Logger
    ) {
        self.options = options
        self.client = client
        self.gate = gate
        self.backoff = backoff
        self.logger = logger
    }

    /// The model that is asked for.
    public var model: String { options.settings.model ?? "" }

    /// The model and the settings of each request.
    public func identity(of role: TeacherRole) -> String { ChatWire.identity(options.settings) }

    /// Asks the endpoint, again where the failure is transient.
    ///
    /// - Returns: An answer, or one that says by its ``FinishReason`` that there was none which could be used although the
    ///   server answers others.
    public func complete(_ request: ChatRequest) async throws -> ChatReply {
        try await complete(request, hooks: CallHooks())
    }

    /// Asks the endpoint, and tells of each call as it begins and ends.
    public func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
        let place = "the teacher"
        guard let server = options.server(client) else {
            throw TeacherError(.refused, "\(place)'s address '\(options.settings.url ?? "")' is none")
        }
        let key = "\(request.hashValue)"
        var failures = 0
        while true {
            let adaptation = memory.adaptation
            let body = ChatWire.body(request, settings: options.settings, adaptation: adaptation)
            try await gate.enter()
            let answered = await gate.answers
            let error: ServerError
            switch try await call(server, body, hooks) {
            case .success(let reply):
                memory.forget(key)
                return reply
            case .failure(let failure): error = failure
            }
            if memory.adaptation != adaptation {
                // Another call learned meanwhile what this one was refused for.
                await gate.leave(.abandoned)
                if error.kind == .refusedSetting { continue }
            } else if let change = memory.learn(from: error) {
                await gate.leave(.abandoned)
                logger.warning(
                    "the teacher refuses a parameter",
                    metadata: ["error": "\(error)", "now": "\(change)"]
                )
                continue
            } else {
                await gate.leave(Self.outcome(of: error))
            }
            failures += 1
            // What took too long once is not asked for in the same way again at once, nor is anything of a closed gate.
            if error.kind.isTransient, error.kind != .timeout, failures < options.attempts, await gate.closure == nil {
                logger.info(
                    "teacher call will be retried",
                    metadata: ["error": "\(error)", "failures": "\(failures)"]
                )
                // Where the server named a time, the gate waits for it.
                if error.pause == nil {
                    let wait = failures
                    try await cancelWhenGracefulShutdown { try await backoff.wait(afterFailure: wait) }
                }
                continue
            }
            let reply = try await conclude(error, key: key, server, hooks, answersBefore: answered)
            try await hooks.answered(reply)
            return reply
        }
    }

    /// Makes a call that the gate has let in, and writes down how it ended, whatever becomes of the task.
    ///
    /// The place at the gate is given back but for a failure that is returned: what that one means is decided elsewhere.
    private func call(
        _ server: CompletionServer,
        _ body: [String: JSONValue],
        _ hooks: CallHooks
    ) async throws -> Result<ChatReply, ServerError> {
        let started = ContinuousClock.now
        func failed(_ outcome: String, _ message: String, mayBeBilled: Bool) -> FailedCall {
            FailedCall(
                outcome: outcome,
                message: message,
                mayBeBilled: mayBeBilled,
                milliseconds: Int((ContinuousClock.now - started) / .milliseconds(1)),
                maximumTokens: ChatWire.maximumTokens(of: body)
            )
        }
        var isUnderWay = false
        do {
            try await hooks.begins()
            let bytes = Array(try EventCoding.encodeJSON(body))
            isUnderWay = true
            let answer = try await server.post(
                "chat/completions",
                body: bytes,
                isStream: body["stream"]?.boolValue == true
            )
            let reply = try ChatWire.reply(answer, model: model, place: "\(server.options.address)")
            // What it cost is written down before its place is free: a budget is passed by what is under way, no more.
            try await hooks.answered(reply)
            await gate.leave(.answered(pause: answer.pause))
            return .success(reply)
        } catch let error as ServerError {
            do {
                try await Self.tell(failed(error.kind.rawValue, error.message, mayBeBilled: error.mayBeBilled), hooks)
            } catch {
                await gate.leave(.abandoned)
                throw error
            }
            return .failure(error)
        } catch {
            await gate.leave(.abandoned)
            guard isUnderWay else { throw error }
            let place = "\(server.options.address)/chat/completions"
            let told =
                error is CancellationError
                ? failed("abandoned", "the service ended before \(place) had answered", mayBeBilled: true)
                : failed("unrecorded", "the answer of \(place) could not be written down: \(error)", mayBeBilled: true)
            do {
                try await Self.tell(told, hooks)
            } catch let untold {
                logger.error(
                    "a call that may be billed is in no ledger",
                    metadata: ["call": "\(told.outcome): \(told.message)", "error": "\(untold)"]
                )
            }
            throw error
        }
    }

    /// Writes a failed call down in a task of its own: this one may be cancelled, and then the database would refuse it.
    private static func tell(_ call: FailedCall, _ hooks: CallHooks) async throws {
        try await Task { try await hooks.failed(call) }.value
    }

    /// What becomes of a call that failed for good: an answer that was none, or an error.
    private func conclude(
        _ error: ServerError,
        key: String,
        _ server: CompletionServer,
        _ hooks: CallHooks,
        answersBefore: Int
    ) async throws -> ChatReply {
        func isItsOwn(after bound: Int) async throws -> Bool {
            let isAtFault = try await strikes(of: key, error, server, hooks, answersBefore: answersBefore) >= bound
            if isAtFault { memory.forget(key) }
            return isAtFault
        }
        switch error.kind {
        case .refusedKey, .quota, .notFound, .refusedSetting:
            throw TeacherError(.refused, error.message, retryAfter: error.pause)
        case .unavailable:
            guard try await isItsOwn(after: Self.outages) else {
                throw await later(.unavailable, error)
            }
            throw Self.givenUp(error)
        case .tooLarge:
            return Self.nothing("too-large", model: model)
        case .timeout, .malformed:
            // Of a server that answers others meanwhile, silence and noise are about this question.
            var isGivenUp = await gate.answers > answersBefore
            if !isGivenUp { isGivenUp = try await isItsOwn(after: Self.refusals) }
            guard isGivenUp else { throw await later(error.kind == .timeout ? .unavailable : .malformedAnswer, error) }
            memory.forget(key)
            return Self.nothing(error.kind.rawValue, model: model)
        case .refusedRequest:
            guard try await isItsOwn(after: Self.refusals) else { throw TeacherError(.unavailable, error.message) }
            throw TeacherError(.rejected, error.message)
        }
    }

    /// A failure of a server that may answer later: of a gate that is closed, no failure of the message.
    private func later(_ code: TeacherError.Code, _ error: ServerError) async -> TeacherError {
        TeacherError(await gate.closure == nil ? code : .paused, error.message, retryAfter: error.pause)
    }

    /// The end of a question that a server which answers others does not bear.
    static func givenUp(_ error: ServerError) -> TeacherError {
        TeacherError(
            .rejected,
            "the teacher's server failed at this question again and again, while it answered others: \(error.message)"
        )
    }

    /// How often a request failed, this time included, in a way that is its own: as the server says, or as others are
    /// answered meanwhile.
    private func strikes(
        of key: String,
        _ error: ServerError,
        _ server: CompletionServer,
        _ hooks: CallHooks,
        answersBefore: Int
    ) async throws -> Int {
        switch error.requestFault {
        case .no: return 0
        case .certain: return memory.tally { $0.strike(key) }
        case .possible: break
        }
        let answers = await gate.answers
        switch memory.tally({ $0.failed(key, answers: answers, before: answersBefore) }) {
        case .strikes(let strikes): return strikes
        case .unknown(let strikes, let isAskedFor):
            guard isAskedFor, try await isWell(server, hooks) else { return strikes }
            let now = await gate.answers
            return memory.tally { $0.strike(key, answers: now) }
        }
    }

    /// What every server that is well answers in a few tokens, with the settings that go with every request.
    static func probe(_ settings: TeacherSettings, adaptation: ChatAdaptation) -> [String: JSONValue] {
        let request = ChatRequest(
            messages: [PromptMessage(role: "user", content: "Reply with the word OK.")],
            temperature: settings.temperature ?? 0,
            seed: 0
        )
        return ChatWire.body(request, settings: settings, adaptation: adaptation)
    }

    /// Asks a question of a few words, to tell a server that answers nothing from one that does not answer a certain
    /// question.
    private func isWell(_ server: CompletionServer, _ hooks: CallHooks) async throws -> Bool {
        let body = Self.probe(options.settings, adaptation: memory.adaptation)
        try await gate.enter(isProbe: true)
        let hooks = CallHooks(begins: hooks.begins, failed: hooks.failed, answered: hooks.probed)
        switch try await call(server, body, hooks) {
        case .success: return true
        case .failure(let error):
            await gate.leave(.abandoned)
            logger.info("the teacher answers no other question either", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// An answer that says why there was none.
    static func nothing(_ reason: String, model: String) -> ChatReply {
        ChatReply(
            text: "",
            finishReason: reason,
            promptTokens: 0,
            completionTokens: 0,
            model: model,
            latencyMilliseconds: 0
        )
    }

    /// What a failure means for the gate.
    static func outcome(of error: ServerError) -> TeacherGate.Outcome {
        switch error.kind {
        case .refusedRequest where error.requestFault == .certain: .judged
        case .refusedRequest, .tooLarge: .rejected(reason: error.message)
        case .unavailable, .timeout, .malformed:
            .failed(
                reason: error.message,
                // A server that has more calls than it bears answers late before it answers none.
                isBusy: error.kind != .malformed,
                pause: error.pause,
                closesAtOnce: false
            )
        case .refusedSetting, .refusedKey, .quota, .notFound:
            .failed(reason: error.message, isBusy: false, pause: nil, closesAtOnce: true)
        }
    }
}
