import AsyncHTTPClient
import Distillation
import Foundation
import LanguageModel
import NIOCore
import NIOHTTP1
import Reasoning
import Schemas
import ServiceRuntime
import Tokenization

/// Asks an OpenAI-compatible `POST /v1/completions` for texts.
///
/// Prompts are sent as token ids, as llama.cpp's server and vLLM take them: the server's own chat template has no say, so
/// that a student is asked the same by every engine.
struct EndpointClient: Sendable {
    let endpoint: StudentEndpoint
    /// What the server calls the student.
    let model: String
    var backoff = Backoff(base: .milliseconds(500))

    /// How often a text is asked for before the piece is left for later.
    private static let maximumTries = 3
    /// The most seconds that a server's wish to wait is followed.
    private static let longestPause = 120.0
    /// The most that a text may weigh.
    private static let maximumBytes = 64 << 20

    /// Continues prompts, some of them at once.
    ///
    /// Arguments:
    ///   - onFinish: called after each text.
    /// - Returns: One text a prompt, in order.
    /// - Throws: ``EndpointUnavailable`` when another try may help, ``StudentCannotAnswer`` with the server's words when it
    ///   refuses.
    func complete(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: @Sendable () -> Void
    ) async throws -> [WrittenText] {
        let width = endpoint.concurrency ?? StudentEndpoint.defaultConcurrency
        return try await withThrowingTaskGroup(of: (Int, WrittenText).self) { group in
            var texts = prompts.map { _ in WrittenText(text: "", isTruncated: true, tokens: 0) }
            var next = 0
            func add() throws {
                guard next < prompts.count else { return }
                let index = next
                let body = try requestBody(prompts[index], stream: streams[index], parameters)
                group.addTask { (index, try await text(body)) }
                next += 1
            }
            for _ in 0..<width { try add() }
            while let (index, text) = try await group.next() {
                texts[index] = text
                onFinish()
                try add()
            }
            return texts
        }
    }

    // One for the process. A server that refuses connections is told of at once, and not tried until the time is over.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    // MARK: A request

    private func requestBody(
        _ prompt: [TokenID],
        stream: UInt64,
        _ parameters: GenerationParameters
    ) throws -> [UInt8] {
        var body: [String: JSONValue] = [
            "model": .string(model),
            "prompt": .array(prompt.map { .integer(Int64($0)) }),
            "max_tokens": .integer(Int64(parameters.maximumNewTokens)),
            "temperature": .number(parameters.temperature),
        ]
        if parameters.temperature > 0 { body["seed"] = .integer(Self.seed(parameters.seed, stream)) }
        if parameters.topP < 1 { body["top_p"] = .number(parameters.topP) }
        // These are no fields of OpenAI's; vLLM, llama.cpp's server and `errata serve` know them or pass over them.
        body["stop_token_ids"] = .array(parameters.stopTokens.map { .integer(Int64($0)) })
        if parameters.topK > 0 { body["top_k"] = .integer(Int64(parameters.topK)) }
        if parameters.repetitionPenalty != 1 { body["repetition_penalty"] = .number(parameters.repetitionPenalty) }
        if !parameters.stopStrings.isEmpty { body["stop"] = .array(parameters.stopStrings.map { .string($0) }) }
        for (name, value) in endpoint.body ?? [:] { body[name] = value == .null ? nil : value }
        return Array(try EventCoding.encodeJSON(body))
    }

    /// A seed a text, of 31 bits, which every server takes.
    private static func seed(_ seed: UInt64, _ stream: UInt64) -> Int64 {
        var generator = ReasoningRandom(seed: seed ^ (stream &+ 1) &* 0x9E37_79B9_7F4A_7C15)
        return Int64(generator.next() >> 33)
    }

    private func text(_ body: [UInt8]) async throws -> WrittenText {
        var failures = 0
        while true {
            do {
                return try await call(body)
            } catch let error as EndpointUnavailable where failures + 1 < Self.maximumTries {
                failures += 1
                if let pause = error.pause {
                    try await Task.sleep(for: pause)
                } else {
                    try await backoff.wait(afterFailure: failures)
                }
            }
        }
    }

    private func call(_ body: [UInt8]) async throws -> WrittenText {
        let url = endpoint.url.trimmingSuffix("/") + "/completions"
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        if let key = try endpoint.apiKey() { request.headers.add(name: "authorization", value: "Bearer \(key)") }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response: HTTPClientResponse
        let data: Data
        do {
            let seconds = endpoint.timeoutSeconds ?? StudentEndpoint.defaultTimeout
            response = try await Self.http.execute(request, timeout: .milliseconds(Int64(seconds * 1000)))
            data = Data(try await response.body.collect(upTo: Self.maximumBytes).readableBytesView)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw EndpointUnavailable(description: "no answer from \(url): \(error)")
        }
        guard response.status == .ok else { throw refusal(response, data, url) }
        return try text(in: data, url)
    }

    private func refusal(_ response: HTTPClientResponse, _ data: Data, _ url: String) -> any Error {
        let status = Int(response.status.code)
        let message = "\(url) answered \(status): \(String(decoding: data.prefix(300), as: UTF8.self))"
        guard status == 429 || status == 408 || status >= 500 else { return StudentCannotAnswer(message) }
        let pause = Self.pause(response.headers.first(name: "retry-after"))
        return EndpointUnavailable(description: message, pause: pause)
    }

    /// The wait that a server asks for in seconds, or nil; a number that is none or has no end would be no duration.
    static func pause(_ retryAfter: String?) -> Duration? {
        guard let seconds = retryAfter.flatMap(Double.init), seconds >= 0, seconds.isFinite else { return nil }
        return .seconds(min(seconds, longestPause))
    }

    // MARK: An answer

    private struct Answer: Decodable {
        struct Choice: Decodable {
            let text: String
            let finishReason: String?

            enum CodingKeys: String, CodingKey {
                case text
                case finishReason = "finish_reason"
            }
        }
        struct Usage: Decodable {
            let completionTokens: Int?

            enum CodingKeys: String, CodingKey { case completionTokens = "completion_tokens" }
        }
        let choices: [Choice]
        let usage: Usage?
    }

    private func text(in data: Data, _ url: String) throws -> WrittenText {
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw StudentCannotAnswer("\(url) did not answer with a completion: \(error)")
        }
        guard let choice = answer.choices.first else { throw StudentCannotAnswer("\(url) answered without a choice") }
        // An answer that ended for another reason would be graded as if the student had said it all.
        guard let reason = choice.finishReason, ["stop", "length"].contains(reason) else {
            throw StudentCannotAnswer(
                "\(url) ended a text with finish_reason '\(choice.finishReason ?? "null")', which is neither stop nor length"
            )
        }
        return WrittenText(
            text: choice.text,
            isTruncated: reason == "length",
            tokens: answer.usage?.completionTokens ?? 0
        )
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
