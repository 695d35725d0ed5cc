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
/// this request alone is told as `rejected` once it has been refused a few times while others were answered; what it
/// refuses for all closes the ``TeacherGate``.
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
                    silence: .milliseconds(Int64((settings.silenceSeconds ?? 120) * 1000))
                ),
                client: client
            )
        }

        /// The longest that a call may take.
        var timeout: Duration {
            .milliseconds(Int64((settings.timeoutSeconds ?? (settings.preset ?? .generic).timeout) * 1000))
        }
    }

    /// A request that was refused so often, while others were answered, is given up.
    static let refusals = 3

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
            var refused: [String: Int] = [:]
        }

        private let state = Mutex(State())

        var adaptation: ChatAdaptation { state.withLock { $0.adaptation } }

        func learn(from error: ServerError) -> String? { state.withLock { $0.adaptation.learn(from: error) } }

        /// Counts a refusal of a request, this one included.
        func refused(_ key: String) -> Int {
            state.withLock { state in
                // Who is given up is forgotten; the rest are few, unless prompts never come again.
                if state.refused.count > 10_000 { state.refused = [:] }
                state.refused[key, default: 0] += 1
                return state.refused[key] ?? 1
            }
        }

        func forget(_ key: String) { state.withLock { $0.refused[key] = nil } }
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
            let started = ContinuousClock.now
            do {
                try await hooks.begins()
                let answer = try await server.post(
                    "chat/completions",
                    body: Array(try EventCoding.encodeJSON(body)),
                    isStream: body["stream"]?.boolValue == true
                )
                let reply = try ChatWire.reply(answer, model: model, place: "\(server.options.address)")
                // What it cost is written down before its place is free: a budget is passed by what is under way, no more.
                try await hooks.answered(reply)
                await gate.leave(.answered(pause: answer.pause))
                memory.forget(key)
                return reply
            } catch let error as ServerError {
                try await hooks.failed(
                    FailedCall(
                        outcome: error.kind.rawValue,
                        message: error.message,
                        mayBeBilled: error.mayBeBilled,
                        milliseconds: Int((ContinuousClock.now - started) / .milliseconds(1))
                    )
                )
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
                // What took too long once is not asked for in the same way again at once.
                if error.kind.isTransient, error.kind != .timeout, failures < options.attempts {
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
                let reply = try await conclude(error, key: key, othersAnswered: await gate.answers > answered)
                try await hooks.answered(reply)
                return reply
            } catch {
                await gate.leave(.abandoned)
                throw error
            }
        }
    }

    /// What becomes of a call that failed for good: an answer that was none, or an error.
    private func conclude(_ error: ServerError, key: String, othersAnswered: Bool) async throws -> ChatReply {
        let isOpen = await gate.closure == nil
        switch error.kind {
        case .refusedKey, .quota, .notFound, .refusedSetting:
            throw TeacherError(.refused, error.message, retryAfter: error.pause)
        case .unavailable: throw TeacherError(.unavailable, error.message, retryAfter: error.pause)
        case .tooLarge:
            return Self.nothing("too-large", model: model)
        case .timeout, .malformed:
            // Of a server that answers others meanwhile, silence and noise are about this question.
            guard isOpen, othersAnswered || memory.refused(key) >= Self.refusals else {
                throw TeacherError(
                    error.kind == .timeout ? .unavailable : .malformedAnswer,
                    error.message,
                    retryAfter: error.pause
                )
            }
            memory.forget(key)
            return Self.nothing(error.kind.rawValue, model: model)
        case .refusedRequest:
            guard isOpen, memory.refused(key) >= Self.refusals else {
                throw TeacherError(.unavailable, error.message)
            }
            memory.forget(key)
            throw TeacherError(.rejected, error.message)
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
        case .refusedRequest, .tooLarge: .rejected(reason: error.message)
        case .unavailable, .timeout, .malformed:
            .failed(
                reason: error.message,
                isBusy: error.kind == .unavailable,
                pause: error.pause,
                closesAtOnce: false
            )
        case .refusedSetting, .refusedKey, .quota, .notFound:
            .failed(reason: error.message, isBusy: false, pause: nil, closesAtOnce: true)
        }
    }
}
