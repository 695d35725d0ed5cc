public import AsyncHTTPClient
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
import Reasoning
public import ServiceRuntime
public import Teaching

/// A teacher behind an OpenAI-compatible `POST /v1/chat/completions`.
///
/// Calls that fail with 429, 5xx or a broken connection are repeated with exponential backoff and jitter, after the
/// time that `Retry-After` names where the endpoint sends one.
public struct HTTPTeacher: Teacher {
    /// Where and how to reach the endpoint.
    public struct Options: Sendable {
        /// The base address, up to and with `/v1`.
        public var baseURL: String
        /// The model to ask for.
        public var model: String
        /// Sent as a bearer token when there is one.
        public var apiKey: String?
        /// How long a call may take.
        public var timeout: Duration
        /// How often a call is tried before the message is left for later.
        public var attempts: Int

        /// Creates options.
        public init(
            baseURL: String,
            model: String,
            apiKey: String? = nil,
            timeout: Duration = .seconds(60),
            attempts: Int = 4
        ) {
            self.baseURL = baseURL
            self.model = model
            self.apiKey = apiKey
            self.timeout = timeout
            self.attempts = max(1, attempts)
        }
    }

    private let options: Options
    private let client: HTTPClient
    private let backoff: Backoff
    private let logger: Logger

    /// Creates a teacher; the caller shuts the client down.
    public init(options: Options, client: HTTPClient, backoff: Backoff = Backoff(), logger: Logger) {
        self.options = options
        self.client = client
        self.backoff = backoff
        self.logger = logger
    }

    /// The model that is asked for.
    public var model: String { options.model }

    /// Asks the endpoint, again where the failure is transient.
    public func complete(_ request: ChatRequest) async throws -> ChatReply {
        var failures = 0
        while true {
            do {
                return try await call(request)
            } catch let error as TeacherError where error.code == .unavailable && failures + 1 < options.attempts {
                failures += 1
                logger.info("teacher call will be retried", metadata: ["error": "\(error)", "failures": "\(failures)"])
                if let pause = error.retryAfter {
                    try await Task.sleep(for: min(pause, .seconds(120)))
                } else {
                    try await backoff.wait(afterFailure: failures)
                }
            }
        }
    }

    private struct Body: Encodable {
        let model: String
        let messages: [PromptMessage]
        let temperature: Double
        let seed: Int64
        let maximumTokens: Int

        enum CodingKeys: String, CodingKey {
            case model, messages, temperature, seed
            case maximumTokens = "max_tokens"
        }
    }

    private struct Answer: Decodable {
        struct Choice: Decodable {
            struct Message: Decodable {
                let content: String?
            }
            let message: Message
            let finishReason: String?

            enum CodingKeys: String, CodingKey {
                case message
                case finishReason = "finish_reason"
            }
        }
        struct Usage: Decodable {
            let promptTokens: Int?
            let completionTokens: Int?

            enum CodingKeys: String, CodingKey {
                case promptTokens = "prompt_tokens"
                case completionTokens = "completion_tokens"
            }
        }
        let model: String?
        let choices: [Choice]
        let usage: Usage?
    }

    private func call(_ request: ChatRequest) async throws -> ChatReply {
        let address = options.baseURL.hasSuffix("/") ? String(options.baseURL.dropLast()) : options.baseURL
        let url = address + "/chat/completions"
        var httpRequest = HTTPClientRequest(url: url)
        httpRequest.method = .POST
        httpRequest.headers.add(name: "content-type", value: "application/json")
        if let key = options.apiKey { httpRequest.headers.add(name: "authorization", value: "Bearer \(key)") }
        let body = Body(
            model: options.model,
            messages: request.messages,
            temperature: request.temperature,
            seed: request.seed,
            maximumTokens: request.maximumTokens
        )
        httpRequest.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))

        let started = ContinuousClock.now
        let data: Data
        do {
            let seconds = Int64(options.timeout.components.seconds)
            let response = try await client.execute(httpRequest, timeout: .seconds(seconds))
            let buffer = try await response.body.collect(upTo: 8 << 20)
            data = Data(buffer.readableBytesView)
            try check(response, url: url, body: data)
        } catch let error as TeacherError {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw TeacherError(.unavailable, "no answer from \(url): \(error)")
        }
        let latency = (ContinuousClock.now - started) / .milliseconds(1)
        return try reply(from: data, url: url, latencyMilliseconds: Int(latency))
    }

    private func check(_ response: HTTPClientResponse, url: String, body: Data) throws {
        let status = Int(response.status.code)
        guard status != 200 else { return }
        let excerpt = String(decoding: body.prefix(200), as: UTF8.self)
        let message = "\(url) answered \(status): \(excerpt)"
        if status == 429 || status == 408 || status >= 500 {
            let pause = response.headers.first(name: "retry-after").flatMap(Int.init).map { Duration.seconds($0) }
            throw TeacherError(.unavailable, message, retryAfter: pause)
        }
        throw TeacherError(.refused, message + " (check ERRATA_TEACHER_URL, _MODEL and _API_KEY)")
    }

    private func reply(from data: Data, url: String, latencyMilliseconds: Int) throws -> ChatReply {
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw TeacherError(.malformedAnswer, "\(url) did not answer with a chat completion: \(error)")
        }
        guard let choice = answer.choices.first else {
            throw TeacherError(.malformedAnswer, "\(url) answered without a choice")
        }
        return ChatReply(
            text: choice.message.content ?? "",
            finishReason: choice.finishReason ?? "stop",
            promptTokens: answer.usage?.promptTokens ?? 0,
            completionTokens: answer.usage?.completionTokens ?? 0,
            model: answer.model ?? options.model,
            latencyMilliseconds: latencyMilliseconds
        )
    }
}
