import AsyncHTTPClient
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
import Schemas
public import ServiceLifecycle

/// Sends ended spans to an OpenTelemetry collector: OTLP over HTTP in JSON.
///
/// Spans are sent in batches, within half a second of their end. A collector that says that it is busy, or cannot be
/// reached, is asked again, later each time, or when it says; after five tries the batch is given up. Meanwhile spans wait
/// in the bounded queue and nothing else waits for them. What is given up is counted. At the end what is left is sent
/// within a few seconds, or given up.
public struct OTLPExporter: Service {
    /// Where spans go, and how.
    public struct Options: Sendable {
        /// The address that is posted to, such as `http://localhost:4318/v1/traces`.
        public var url: String
        /// Further headers of each post.
        public var headers: [String: String]
        /// The longest that one post may take; default 10 s.
        public var timeout: Duration
        /// The attributes of the process, `service.name` among them.
        public var resource: [String: String]
        /// The most tries of a batch.
        public var attempts: Int
        /// The waits between them.
        public var backoff: Backoff
        /// The longest that sending may take at the end.
        public var finalSending: Duration

        /// Makes options.
        public init(
            url: String,
            headers: [String: String] = [:],
            timeout: Duration = .seconds(10),
            resource: [String: String] = [:],
            attempts: Int = 5,
            backoff: Backoff = Backoff(base: .seconds(1)),
            finalSending: Duration = .seconds(3)
        ) {
            self.url = url
            self.headers = headers
            self.timeout = timeout
            self.resource = resource
            self.attempts = attempts
            self.backoff = backoff
            self.finalSending = finalSending
        }
    }

    /// How long spans are gathered before a batch that is not full is sent.
    private static let gathering = Duration.milliseconds(500)
    /// The longest wait that a collector is granted.
    private static let longestWait = Duration.seconds(60)
    /// The most bytes of an answer that are read.
    private static let answerLimit = 64 << 10

    private let options: Options
    private let queue: SpanQueue
    private let logger: Logger

    /// Creates an exporter of a queue; there is one of each queue.
    public init(_ options: Options, queue: SpanQueue, logger: Logger) {
        self.options = options
        self.queue = queue
        self.logger = logger
    }

    /// Sends until graceful shutdown or cancellation, and then what is left.
    public func run() async throws {
        // Not before: a client that was made must be shut down.
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let sending = Task { await sendUntilCancelled(client) }
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await sending.value
            } onCancel: {
                sending.cancel()
            }
        } onGracefulShutdown: {
            sending.cancel()
        }
        // In a task of its own: this one may be cancelled.
        await Task { await sendRest(client) }.value
        try? await client.shutdown()
    }

    private func sendUntilCancelled(_ client: HTTPClient) async {
        var isReached = true
        for await _ in queue.wakes {
            if !queue.hasBatch, (try? await Task.sleep(for: Self.gathering)) == nil { return }
            while let spans = queue.take() {
                guard let outcome = await deliver(spans, client) else { return queue.putBack(spans) }
                if outcome.isReached != isReached {
                    isReached = outcome.isReached
                    logger.log(
                        level: isReached ? .notice : .warning,
                        isReached ? "spans are exported again" : "spans are not exported",
                        metadata: ["url": "\(options.url)", "reason": "\(outcome.reason)"]
                    )
                }
            }
        }
    }

    private func sendRest(_ client: HTTPClient) async {
        let deadline = ContinuousClock.now + options.finalSending
        var failures = 0
        while let spans = queue.take() {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero, failures < options.attempts else {
                SpanQueue.lost(spans.count, .ended)
                continue
            }
            switch await post(spans, client, timeout: min(left, options.timeout)) {
            case .taken(let rejected): SpanQueue.lost(rejected, .refused)
            case .refused: SpanQueue.lost(spans.count, .refused)
            case .again(let wait, _):
                failures += 1
                queue.putBack(spans)
                try? await Task.sleep(for: min(left, wait ?? options.backoff.delay(afterFailure: failures)))
            }
        }
    }

    /// Sends a batch or gives it up; nil where it is cancelled.
    private func deliver(_ spans: [SpanRecord], _ client: HTTPClient) async -> (isReached: Bool, reason: String)? {
        var failures = 0
        while true {
            let answer = await post(spans, client, timeout: options.timeout)
            if Task.isCancelled, case .again = answer { return nil }
            switch answer {
            case .taken(let rejected):
                SpanQueue.lost(rejected, .refused)
                return (true, rejected == 0 ? "" : "the collector refused \(rejected) spans")
            case .refused(let reason):
                SpanQueue.lost(spans.count, .refused)
                return (false, reason)
            case .again(let wait, let reason):
                failures += 1
                guard failures < options.attempts else {
                    SpanQueue.lost(spans.count, .unreachable)
                    return (false, reason)
                }
                let pause = min(wait ?? options.backoff.delay(afterFailure: failures), Self.longestWait)
                if (try? await Task.sleep(for: pause)) == nil { return nil }
            }
        }
    }

    // MARK: One post

    private enum Answer {
        /// The collector has them, but for so many.
        case taken(rejected: Int)
        /// The same would be refused again.
        case refused(String)
        /// Another try may be taken, after a wait that the collector may have named.
        case again(after: Duration?, String)
    }

    private func post(_ spans: [SpanRecord], _ client: HTTPClient, timeout: Duration) async -> Answer {
        do {
            var request = HTTPClientRequest(url: options.url)
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            for (name, value) in options.headers { request.headers.replaceOrAdd(name: name, value: value) }
            request.body = .bytes(
                ByteBuffer(bytes: try OTLPRequest(spans, resource: options.resource).encoded())
            )
            let limit = TimeAmount.milliseconds(max(1, Int64(timeout / .milliseconds(1))))
            let response = try await client.execute(request, timeout: limit)
            // Read in any case, so that the connection can be used again.
            let body = (try? await response.body.collect(upTo: Self.answerLimit)) ?? ByteBuffer()
            switch response.status.code {
            case 200..<300: return .taken(rejected: Self.rejected(in: body))
            case 429, 502, 503, 504:
                return .again(
                    after: Self.pause(response.headers.first(name: "retry-after")),
                    "HTTP \(response.status.code)"
                )
            default: return .refused("HTTP \(response.status.code)")
            }
        } catch let error as SchemasError {
            return .refused(error.message)
        } catch {
            return .again(after: nil, "\(error)")
        }
    }

    /// How many of the spans a collector says that it did not take.
    private static func rejected(in body: ByteBuffer) -> Int {
        struct Answer: Decodable {
            let partialSuccess: PartialSuccess?
        }
        struct PartialSuccess: Decodable {
            let rejectedSpans: Int

            enum CodingKeys: CodingKey { case rejectedSpans }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                // A 64-bit integer is a text in this mapping, and some write a number.
                let text = try? container.decode(String.self, forKey: .rejectedSpans)
                let number = try? container.decode(Int.self, forKey: .rejectedSpans)
                rejectedSpans = max(0, text.flatMap { Int($0) } ?? number ?? 0)
            }
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
        return answer?.partialSuccess?.rejectedSpans ?? 0
    }

    /// The wait that `Retry-After` names in seconds; one that names a date is asked again as if it had said nothing.
    static func pause(_ text: String?) -> Duration? {
        guard let text, let seconds = Int(text.trimmingCharacters(in: .whitespaces)), seconds >= 0 else { return nil }
        return .seconds(min(seconds, 86_400))
    }
}
