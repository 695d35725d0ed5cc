import CompletionClient
import Distillation
import Foundation
import LanguageModel
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
    private let server: CompletionServer
    /// What the server calls the student.
    let model: String
    var backoff = Backoff(base: .milliseconds(500))

    /// Makes a client.
    ///
    /// - Throws: ``StudentCannotAnswer`` where the endpoint's address is none.
    init(endpoint: StudentEndpoint, model: String) throws {
        guard let address = ServerAddress(endpoint.url) else {
            throw StudentCannotAnswer("the endpoint's url '\(endpoint.url)' must be like http://HOST:8000/v1")
        }
        self.endpoint = endpoint
        self.model = model
        let seconds = endpoint.timeoutSeconds ?? StudentEndpoint.defaultTimeout
        server = CompletionServer(
            .init(
                address: address,
                apiKey: { try endpoint.apiKey() },
                timeout: .milliseconds(Int64(seconds * 1000)),
                maximumBytes: Self.maximumBytes
            )
        )
    }

    /// How often a text is asked for before the piece is left for later.
    private static let maximumTries = 3
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
        do {
            return try Self.text(
                in: try await server.post("completions", body: body).json,
                place: "\(server.options.address)/completions"
            )
        } catch let error as ServerError {
            guard error.kind.isTransient, error.kind != .malformed else { throw StudentCannotAnswer(error.message) }
            throw EndpointUnavailable(description: error.message, pause: error.pause)
        }
    }

    // MARK: An answer

    /// The text in an answer.
    ///
    /// Arguments:
    ///   - place: who answered, for the error.
    /// - Throws: ``StudentCannotAnswer`` where there is none, or it did not end as texts do.
    static func text(in json: [String: JSONValue], place: String) throws -> WrittenText {
        guard case .array(let choices)? = json["choices"], let choice = choices.first?.objectValue,
            let text = choice["text"]?.stringValue
        else { throw StudentCannotAnswer("\(place) answered without a choice that has a text") }
        // An answer that ended for another reason would be graded as if the student had said it all.
        let reason = choice["finish_reason"]?.stringValue
        guard let reason, ["stop", "length"].contains(reason) else {
            throw StudentCannotAnswer(
                "\(place) ended a text with finish_reason '\(reason ?? "null")', which is neither stop nor length"
            )
        }
        let tokens = json["usage"]?.objectValue?["completion_tokens"]?.doubleValue.flatMap { Int(exactly: $0) } ?? 0
        // What the column of the results holds; no text has as many, whatever a server counts.
        return WrittenText(text: text, isTruncated: reason == "length", tokens: min(max(0, tokens), Int(Int32.max)))
    }
}
