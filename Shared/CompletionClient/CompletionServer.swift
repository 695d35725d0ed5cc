public import AsyncHTTPClient
public import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
public import Schemas
import Synchronization

/// A server of OpenAI's API, for calls one at a time: how it is reached, and what its answers and refusals mean.
///
/// Nothing is repeated here. Who calls decides what another try is worth.
public struct CompletionServer: Sendable {
    /// How the server is reached.
    public struct Options: Sendable {
        /// Where it is.
        public var address: ServerAddress
        /// The key, asked for at each call, so that it can be changed while the service runs; nil sends none.
        public var apiKey: @Sendable () throws -> String?
        /// The header that carries the key by itself; nil sends it as a bearer token in `Authorization`.
        public var keyHeader: String?
        /// Further headers of each call.
        public var headers: [String: String]
        /// The longest that a whole call may take; 600 s by default.
        public var timeout: Duration
        /// The longest silence in an answer that is streamed; 120 s by default.
        public var silence: Duration
        /// The longest silence before it: a server with fewer places than calls lets them wait without a word.
        public var firstByte: Duration
        /// The most bytes of an answer; 8 MiB by default.
        public var maximumBytes: Int

        /// Makes options.
        public init(
            address: ServerAddress,
            apiKey: @escaping @Sendable () throws -> String? = { nil },
            keyHeader: String? = nil,
            headers: [String: String] = [:],
            timeout: Duration = .seconds(600),
            silence: Duration = .seconds(120),
            firstByte: Duration? = nil,
            maximumBytes: Int = 8 << 20
        ) {
            self.address = address
            self.apiKey = apiKey
            self.keyHeader = keyHeader
            self.headers = headers
            self.timeout = timeout
            self.silence = silence
            self.firstByte = firstByte ?? silence
            self.maximumBytes = maximumBytes
        }
    }

    /// An answer of status 200 that is a JSON object without an error.
    public struct Answer: Sendable {
        /// The object; of an answer that was streamed, the object that it would have been in one piece.
        public let json: [String: JSONValue]
        /// How long the server's rate limits ask every call to wait from now on, if they do.
        public let pause: Duration?
        /// Wall time of the call in milliseconds.
        public let milliseconds: Int

        /// Makes an answer.
        public init(json: [String: JSONValue], pause: Duration?, milliseconds: Int) {
            self.json = json
            self.pause = pause
            self.milliseconds = milliseconds
        }
    }

    /// How the server is reached.
    public let options: Options
    private let client: HTTPClient

    /// Makes a server; whoever made the client shuts it down.
    public init(_ options: Options, client: HTTPClient = CompletionServer.client) {
        self.options = options
        self.client = client
    }

    /// A client for the whole process, which connects within ten seconds or says so, and does not end silent calls by
    /// itself: ``Options/timeout`` and ``Options/silence`` do.
    public static let client = makeClient(connectTimeout: .seconds(10))

    /// Makes a client that lives as long as the process.
    ///
    /// A server that refuses connections is told of at once, and not tried until the time is over.
    public static func makeClient(connectTimeout: Duration) -> HTTPClient {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .milliseconds(max(1, Int64(connectTimeout / .milliseconds(1))))
        configuration.timeout.read = nil
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Posts a body and reads the answer, whole or as a stream of chat completions, whichever the server sends.
    ///
    /// - Parameters:
    ///   - path: The endpoint, such as `chat/completions`.
    ///   - body: JSON, or what `contentType` says.
    ///   - contentType: The body's type.
    ///   - isStream: Whether the body asks for a stream, so that silence counts from the beginning.
    /// - Returns: The answer.
    /// - Throws: ``ServerError``; `CancellationError` when the task is cancelled.
    public func post(
        _ path: String,
        body: [UInt8],
        contentType: String = "application/json",
        isStream: Bool = false
    ) async throws -> Answer {
        var call = try request(.POST, path, accept: "application/json, text/event-stream", contentType: contentType)
        call.body = .bytes(ByteBuffer(bytes: body))
        return try await answer(to: call, path: path, isStream: isStream)
    }

    /// Reads a JSON object.
    ///
    /// - Parameters:
    ///   - path: The endpoint, such as `batches/ID`.
    ///   - query: What goes behind the address.
    /// - Returns: The answer.
    /// - Throws: ``ServerError``; `CancellationError` when the task is cancelled.
    public func get(_ path: String, query: [(name: String, value: String)] = []) async throws -> Answer {
        let call = try request(.GET, path, query: query, accept: "application/json")
        return try await answer(to: call, path: path, isStream: false)
    }

    /// Reads a file's content as it is.
    ///
    /// - Parameters:
    ///   - path: The endpoint, such as `files/ID/content`.
    ///   - maximumBytes: The most bytes that are read, in place of the options'.
    /// - Returns: The bytes.
    /// - Throws: ``ServerError``; `CancellationError` when the task is cancelled.
    public func content(_ path: String, maximumBytes: Int) async throws -> Data {
        let call = try request(.GET, path, accept: "*/*")
        do {
            return try await received(
                call,
                place: "\(options.address)/\(path)",
                isStream: false,
                maximumBytes: maximumBytes
            ).data
        } catch let error as ServerError {
            throw error.hiding(secrets(of: call))
        }
    }

    private func request(
        _ method: HTTPMethod,
        _ path: String,
        query: [(name: String, value: String)] = [],
        accept: String,
        contentType: String? = nil
    ) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: options.address.endpoint(path, query: query))
        request.method = method
        if let contentType { request.headers.add(name: "content-type", value: contentType) }
        request.headers.add(name: "accept", value: accept)
        if let key = try options.apiKey() {
            if let name = options.keyHeader {
                request.headers.replaceOrAdd(name: name, value: key)
            } else {
                request.headers.replaceOrAdd(name: "authorization", value: "Bearer \(key)")
            }
        }
        for (name, value) in options.headers { request.headers.replaceOrAdd(name: name, value: value) }
        return request
    }

    /// What the headers of a call hold that no message may show: servers repeat keys in the words of their refusals.
    private func secrets(of call: HTTPClientRequest) -> [String] {
        (["authorization", options.keyHeader].compactMap { $0 } + options.headers.keys)
            .flatMap { call.headers[$0] }
            .map { $0.hasPrefix("Bearer ") ? String($0.dropFirst("Bearer ".count)) : $0 }
    }

    private func answer(to call: HTTPClientRequest, path: String, isStream: Bool) async throws -> Answer {
        do {
            return try await plainAnswer(to: call, path: path, isStream: isStream)
        } catch let error as ServerError {
            throw error.hiding(secrets(of: call))
        }
    }

    private func plainAnswer(to call: HTTPClientRequest, path: String, isStream: Bool) async throws -> Answer {
        let place = "\(options.address)/\(path)"
        let started = ContinuousClock.now
        let received = try await received(
            call,
            place: place,
            isStream: isStream,
            maximumBytes: options.maximumBytes
        )
        let json =
            received.isStream
            ? try ChatStream.whole(of: received.data, place: place) : try object(in: received.data, place: place)
        if let refusal = ServerRefusal(in: json) { throw refusal.error(url: place, headers: received.headers) }
        return Answer(
            json: json,
            pause: WaitHeaders.limit(in: received.headers),
            milliseconds: Int((ContinuousClock.now - started) / .milliseconds(1))
        )
    }

    // MARK: One call

    /// When a call last showed a sign of life, and whether what it sends is a stream.
    private final class Sign: Sendable {
        private struct State {
            var last = ContinuousClock.now
            var isStream: Bool
            var hasBegun = false
        }

        private let state: Mutex<State>

        init(isStream: Bool) { state = Mutex(State(isStream: isStream)) }

        /// The status and the headers have come, which some servers send before they begin to work.
        func answered(isStream: Bool) { state.withLock { $0.isStream = isStream } }

        /// A part of the answer has come.
        func heard() {
            state.withLock { state in
                state.last = .now
                state.hasBegun = true
            }
        }

        /// How long a stream may still be silent, and how long it may be in all; nil of an answer in one piece.
        func patience(_ options: Options) -> (left: Duration, of: Duration, hasBegun: Bool)? {
            state.withLock { state in
                guard state.isStream else { return nil }
                let all = state.hasBegun ? options.silence : options.firstByte
                return (all - (ContinuousClock.now - state.last), all, state.hasBegun)
            }
        }
    }

    /// Ends a call that takes too long, or a stream that is silent for too long.
    private func watched<Value: Sendable>(
        _ place: String,
        isStream: Bool,
        _ body: @escaping @Sendable (Sign) async throws -> Value
    ) async throws -> Value {
        let sign = Sign(isStream: isStream)
        return try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body(sign) }
            group.addTask { [options] in
                let end = ContinuousClock.now + options.timeout
                while true {
                    let left = end - .now
                    guard left > .zero else {
                        throw ServerError(
                            .timeout,
                            "\(place) took longer than \(options.timeout.inWords) for an answer",
                            mayBeBilled: true
                        )
                    }
                    let patience = sign.patience(options)
                    if let patience, patience.left <= .zero {
                        throw ServerError(
                            .timeout,
                            patience.hasBegun
                                ? "\(place) was silent for \(patience.of.inWords) in the middle of an answer"
                                : "\(place) did not begin to answer for \(patience.of.inWords)",
                            mayBeBilled: true
                        )
                    }
                    let leftOfSilence = patience?.left ?? left
                    // In short steps, though nearly all answers come soon: the timer of a sleep that is cancelled keeps its
                    // memory until its time has come.
                    try await Task.sleep(for: min(left, leftOfSilence, .seconds(1)))
                }
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    /// What came with a status that says that all is well.
    private struct Received: Sendable {
        let data: Data
        let headers: HTTPHeaders
        let isStream: Bool
    }

    private func received(
        _ call: HTTPClientRequest,
        place: String,
        isStream: Bool,
        maximumBytes: Int
    ) async throws -> Received {
        try await watched(place, isStream: isStream) { sign in
            try await receive(call, place: place, maximumBytes: maximumBytes, sign: sign)
        }
    }

    private func receive(
        _ request: HTTPClientRequest,
        place: String,
        maximumBytes: Int,
        sign: Sign
    ) async throws -> Received {
        var received = Data()
        let response: HTTPClientResponse
        let isGood: Bool
        let isStream: Bool
        do {
            response = try await client.execute(request, deadline: .distantFuture)
            // Some servers answer that a file or a job was made with 201 or 202.
            isGood = (200..<300).contains(response.status.code)
            isStream =
                isGood
                && response.headers.first(name: "content-type")?.lowercased().contains("text/event-stream") == true
            sign.answered(isStream: isStream)
            for try await buffer in response.body {
                sign.heard()
                received.append(contentsOf: buffer.readableBytesView)
                guard received.count <= maximumBytes else {
                    throw ServerError(
                        .tooLarge,
                        "\(place) answered with more than \(maximumBytes) bytes",
                        mayBeBilled: true
                    )
                }
            }
        } catch let error as ServerError {
            throw error
        } catch {
            try Task.checkCancellation()
            throw ServerError(
                .unavailable,
                "no answer from \(place): \(error)",
                mayBeBilled: !Self.isWithoutConnection(error)
            )
        }
        guard isGood else {
            throw ServerRefusal(status: Int(response.status.code), body: received)
                .error(url: place, headers: response.headers)
        }
        return Received(data: received, headers: response.headers, isStream: isStream)
    }

    /// Whether a call failed before there was a connection, so that the server knows nothing of it.
    private static func isWithoutConnection(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError, ChannelError.connectTimeout: true
        case let error as HTTPClientError: error == .connectTimeout || error == .getConnectionFromPoolTimeout
        default: false
        }
    }

    private func object(in data: Data, place: String) throws -> [String: JSONValue] {
        guard let json = try? EventCoding.decodeForeign(data).objectValue else {
            let start = String(decoding: data.prefix(200), as: UTF8.self)
            throw ServerError(
                .malformed,
                "\(place) answered 200 with what is no JSON object: \(start.isEmpty ? "nothing" : start)",
                mayBeBilled: true
            )
        }
        return json
    }
}

extension Duration {
    /// `90 s`, `0.5 s`.
    fileprivate var inWords: String {
        let seconds = self / .seconds(1)
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}
