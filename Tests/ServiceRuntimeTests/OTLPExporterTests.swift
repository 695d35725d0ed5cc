import Foundation
import Hummingbird
import NIOCore
import Schemas
import Synchronization
import TestSupport
import Testing
import Tracing

@testable import ServiceRuntime

/// A collector that answers by a script and keeps what it was sent.
private final class CollectorStub: Sendable {
    struct Post: Sendable {
        let path: String
        let key: String?
        let contentType: String?
        let names: [String]
    }

    private let state = Mutex<[Post]>([])
    private let script: @Sendable (Int) -> Response

    /// The script is given the number of the post, from 0.
    init(_ script: @escaping @Sendable (Int) -> Response) { self.script = script }

    var posts: [Post] { state.withLock { $0 } }

    func serving(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let router = Router()
        router.post("v1/traces") { [self] request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 24))
            let number = try take(text, request)
            return script(number)
        }
        try await whileServing(router) { port in try await body("http://127.0.0.1:\(port)/v1/traces") }
    }

    private func take(_ text: String, _ request: Request) throws -> Int {
        struct Body: Decodable {
            struct Resource: Decodable { let scopeSpans: [Scope] }
            struct Scope: Decodable { let spans: [Span] }
            struct Span: Decodable { let name: String }
            let resourceSpans: [Resource]
        }
        let body = try JSONDecoder().decode(Body.self, from: Data(text.utf8))
        let post = Post(
            path: request.uri.path,
            key: request.headers.first { $0.name.canonicalName == "x-key" }?.value,
            contentType: request.headers[.contentType],
            names: body.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans).map(\.name)
        )
        return state.withLock { posts in
            posts.append(post)
            return posts.count - 1
        }
    }
}

@Suite("The export of spans")
struct OTLPExporterTests {
    private static func options(_ url: String, attempts: Int = 3) -> OTLPExporter.Options {
        OTLPExporter.Options(
            url: url,
            headers: ["x-key": "k"],
            timeout: .seconds(20),
            attempts: attempts,
            backoff: Backoff(base: .milliseconds(2), cap: .milliseconds(20)),
            finalSending: .seconds(10)
        )
    }

    private static func spans(_ names: [String], to queue: SpanQueue) {
        let tracer = ServiceTracer(queue: queue)
        for name in names { tracer.startSpan(name, context: .topLevel).end() }
    }

    private static func response(_ status: HTTPResponse.Status, retryAfter: String? = nil) -> Response {
        var headers = HTTPFields()
        if let retryAfter { headers[.retryAfter] = retryAfter }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: "{}")))
    }

    @Test("spans are posted in batches with the configured headers")
    func batches() async throws {
        let collector = CollectorStub { _ in Self.response(.ok) }
        try await collector.serving { url in
            let queue = SpanQueue(batch: 2)
            let exporter = OTLPExporter(Self.options(url), queue: queue, logger: quiet)
            try await withServices([exporter]) {
                Self.spans(["a", "b", "c"], to: queue)
                try await eventually("three spans") { collector.posts.flatMap(\.names).count == 3 }
            }
            // At its end an exporter sends again what was not answered yet.
            #expect(collector.posts.map(\.names).prefix(2) == [["a", "b"], ["c"]])
            #expect(collector.posts.allSatisfy { $0.key == "k" && $0.contentType == "application/json" })
            #expect(collector.posts.allSatisfy { $0.path == "/v1/traces" })
        }
    }

    @Test(
        "a batch that a busy collector does not take is sent again, and then those behind it",
        arguments: [HTTPResponse.Status.tooManyRequests, .badGateway, .serviceUnavailable, .gatewayTimeout]
    )
    func retried(status: HTTPResponse.Status) async throws {
        let collector = CollectorStub { $0 == 0 ? Self.response(status, retryAfter: "0") : Self.response(.ok) }
        try await collector.serving { url in
            let queue = SpanQueue(batch: 1)
            let exporter = OTLPExporter(Self.options(url), queue: queue, logger: quiet)
            try await withServices([exporter]) {
                Self.spans(["a", "b"], to: queue)
                try await eventually("both spans") { collector.posts.count >= 3 }
            }
            #expect(collector.posts.map(\.names).prefix(3) == [["a"], ["a"], ["b"]])
        }
    }

    @Test("a batch that is refused is given up at once, one that nobody takes after its tries; the next is sent")
    func givenUp() async throws {
        let collector = CollectorStub { number in
            switch number {
            case 0: Self.response(.badRequest)
            case 1...3: Self.response(.serviceUnavailable)
            default: Self.response(.ok)
            }
        }
        try await collector.serving { url in
            let queue = SpanQueue(batch: 1)
            let exporter = OTLPExporter(Self.options(url), queue: queue, logger: quiet)
            try await withServices([exporter]) {
                Self.spans(["refused", "unlucky", "last"], to: queue)
                try await eventually("the last span") { collector.posts.last?.names == ["last"] }
            }
            // At its end an exporter sends again what was not answered yet.
            let names = collector.posts.flatMap(\.names)
            #expect(names.prefix(5) == ["refused", "unlucky", "unlucky", "unlucky", "last"])
            #expect(names.dropFirst(5).allSatisfy { $0 == "last" })
        }
    }

    @Test("at the end what waits is sent, even where a collector has asked for a long pause")
    func lastSending() async throws {
        let collector = CollectorStub {
            $0 == 0 ? Self.response(.serviceUnavailable, retryAfter: "50") : Self.response(.ok)
        }
        try await collector.serving { url in
            let queue = SpanQueue(batch: 1)
            let exporter = OTLPExporter(Self.options(url), queue: queue, logger: quiet)
            let tried = try await withServices([exporter]) {
                Self.spans(["a", "b"], to: queue)
                try await eventually("the first try") { collector.posts.count == 1 }
                return ContinuousClock.now
            }
            #expect(tried.duration(to: .now) < .seconds(40))
            #expect(collector.posts.map(\.names) == [["a"], ["a"], ["b"]])
            #expect(queue.take() == nil)
        }
    }

    @Test("a collector that is not there holds nothing up, and the end comes in time")
    func unreachable() async throws {
        let queue = SpanQueue(limit: 10, batch: 5)
        var options = Self.options("http://127.0.0.1:1/v1/traces")
        options.finalSending = .milliseconds(500)
        let exporter = OTLPExporter(options, queue: queue, logger: quiet)
        try await withServices([exporter]) { Self.spans((0..<100).map(String.init), to: queue) }
        #expect(queue.take() == nil)
    }

    @Test("the wait that a collector names is read in seconds")
    func pauses() {
        #expect(OTLPExporter.pause("3") == .seconds(3))
        #expect(OTLPExporter.pause(" 0 ") == .zero)
        for text in [nil, "", "-1", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT"] { #expect(OTLPExporter.pause(text) == nil) }
    }
}
