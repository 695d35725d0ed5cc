import Foundation
import Schemas
import Testing
import Tracing

@testable import ServiceRuntime

@Suite("Tracing")
struct TracingTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func id(low: UInt64) throws -> TraceContext.TraceID {
        try #require(TraceContext.TraceID(high: 1, low: low))
    }

    // MARK: Sampling

    @Test("samplers decide for new traces by their rule, and where they are based on the parent by that")
    func samplers() throws {
        let sampled = try #require(TraceContext(traceparent: Self.parent))
        let unsampled = try #require(TraceContext(traceparent: String(Self.parent.dropLast()) + "0"))
        let expected: [(TraceSampler.Rule, root: Bool, sampled: Bool, unsampled: Bool)] = [
            (.alwaysOn, true, true, true), (.alwaysOff, false, false, false), (.traceIDRatio, false, false, false),
            (.parentBasedAlwaysOn, true, true, false), (.parentBasedAlwaysOff, false, true, false),
            (.parentBasedTraceIDRatio, false, true, false),
        ]
        for (rule, root, withSampled, withUnsampled) in expected {
            let sampler = TraceSampler(rule, ratio: 0)
            #expect(sampler.samples(sampled.traceID, parent: nil) == root, "\(rule)")
            #expect(sampler.samples(sampled.traceID, parent: sampled) == withSampled, "\(rule)")
            #expect(sampler.samples(sampled.traceID, parent: unsampled) == withUnsampled, "\(rule)")
        }
    }

    @Test("a ratio takes its share of the traces, and each trace everywhere alike")
    func ratio() throws {
        let half = TraceSampler(.traceIDRatio, ratio: 0.5)
        #expect(half.samples(try id(low: 0x7fff_ffff_ffff_f000), parent: nil))
        #expect(!half.samples(try id(low: 0x8000_0000_0000_1000), parent: nil))
        #expect(TraceSampler(.traceIDRatio, ratio: 1).samples(try id(low: .max), parent: nil))
        var generator = SystemRandomNumberGenerator()
        let tenth = TraceSampler(.traceIDRatio, ratio: 0.1)
        let taken = (0..<10_000).count { _ in tenth.samples(.random(using: &generator), parent: nil) }
        #expect((800...1_200).contains(taken))
    }

    // MARK: Spans

    @Test("a span goes on from its parent under an id of its own, and what is within it from the span")
    func hops() async throws {
        let queue = SpanQueue()
        let parent = try #require(TraceContext(traceparent: Self.parent, tracestate: "v=1"))
        try await withTracer(ServiceTracer(queue: queue)) {
            try await Traced.run("outer", kind: .consumer, in: parent) { _ in
                try await Traced.run("inner") { _ in #expect(TraceContext.current?.state == "v=1") }
            }
            #expect(TraceContext.current == nil)
        }
        let spans = try #require(queue.take())
        #expect(spans.map(\.name) == ["inner", "outer"])
        #expect(spans.allSatisfy { $0.trace.traceID == parent.traceID && $0.trace.flags == .sampled })
        #expect(spans[1].parent == parent.spanID && spans[0].parent == spans[1].trace.spanID)
        #expect(Set(spans.map(\.trace.spanID) + [parent.spanID]).count == 3)
        #expect(queue.take() == nil)
    }

    @Test("without a parent a new trace begins, and without a collector it is handed on all the same")
    func newTrace() async throws {
        try await withTracer(ServiceTracer()) {
            let first = try await Traced.run("a", in: nil) { span in
                #expect(!span.isRecording)
                return try #require(TraceContext.current)
            }
            let second = try await Traced.run("b", in: nil) { _ in try #require(TraceContext.current) }
            #expect(first.traceID != second.traceID)
            #expect(first.flags == [.sampled, .random])
        }
    }

    @Test("what is not sampled is not recorded, and says so to those behind it")
    func notSampled() async throws {
        let queue = SpanQueue()
        try await withTracer(ServiceTracer(sampler: TraceSampler(.alwaysOff), queue: queue)) {
            let parent = TraceContext(traceparent: Self.parent)
            let flags = try await Traced.run("a", in: parent) { _ in TraceContext.current?.flags }
            #expect(flags == [])
        }
        #expect(queue.take() == nil)
    }

    private struct Told: Error, CustomStringConvertible {
        let description = "the words of somebody"
    }

    @Test("an error is noted by its type, never by its words; a postponement and cancellation are none")
    func errors() async throws {
        let queue = SpanQueue()
        await withTracer(ServiceTracer(queue: queue)) {
            for error in [Told(), Postponement(reason: "r", wait: .zero), CancellationError()] as [any Error] {
                await #expect(throws: (any Error).self) {
                    _ = try await Traced.run("failing") { _ in throw error }
                }
            }
        }
        let spans = try #require(queue.take())
        #expect(spans.map { $0.status?.code == .error } == [true, false, false])
        #expect(spans.map(\.events.count) == [1, 0, 0])
        let text = String(decoding: try OTLPRequest(spans, resource: [:]).encoded(), as: UTF8.self)
        #expect(text.contains("Told") && !text.contains("the words of somebody"))
    }

    @Test("a queue that is full drops what comes")
    func full() throws {
        let queue = SpanQueue(limit: 3, batch: 2)
        let tracer = ServiceTracer(queue: queue)
        for number in 1...5 { tracer.startSpan("\(number)", context: .topLevel).end() }
        #expect(queue.take()?.map(\.name) == ["1", "2"])
        #expect(queue.take()?.map(\.name) == ["3"])
        #expect(queue.take() == nil)
    }

    // MARK: OTLP

    @Test("spans are written as OTLP's JSON mapping has them")
    func json() throws {
        let parent = try #require(TraceContext(traceparent: Self.parent, tracestate: "v=1"))
        let spanID = try #require(TraceContext.SpanID(0x00f0_67aa_0ba9_02b7))
        var record = SpanRecord(
            trace: TraceContext(traceID: parent.traceID, spanID: spanID, flags: parent.flags, state: parent.state),
            parent: parent.spanID,
            name: "process errata.problems.v1",
            kind: .consumer,
            start: 1_700_000_000_123_456_789,
            end: 1_700_000_001_000_000_000
        )
        record.attributes["text"] = "a\"b"
        record.attributes["integer"] = 9_007_199_254_740_993
        record.attributes["number"] = 0.5
        record.attributes["none"] = Double.infinity
        record.attributes["truth"] = true
        record.attributes["list"] = ["stop", "length"]
        record.links = [(parent, [:])]
        record.status = SpanStatus(code: .error, message: "m")
        let data = try OTLPRequest([record], resource: ["service.name": "tested"]).encoded()
        let expected = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"tested"}}]},\
            "scopeSpans":[{"scope":{"name":"errata"},"spans":[{"attributes":[\
            {"key":"integer","value":{"intValue":"9007199254740993"}},\
            {"key":"list","value":{"arrayValue":{"values":[{"stringValue":"stop"},{"stringValue":"length"}]}}},\
            {"key":"none","value":{"doubleValue":"Infinity"}},{"key":"number","value":{"doubleValue":0.5}},\
            {"key":"text","value":{"stringValue":"a\\"b"}},{"key":"truth","value":{"boolValue":true}}],\
            "endTimeUnixNano":"1700000001000000000","flags":1,"kind":5,\
            "links":[{"attributes":[],"spanId":"b7ad6b7169203331","traceId":"0af7651916cd43dd8448eb211c80319c",\
            "traceState":"v=1"}],"name":"process errata.problems.v1","parentSpanId":"b7ad6b7169203331",\
            "spanId":"00f067aa0ba902b7","startTimeUnixNano":"1700000000123456789","status":{"code":2,"message":"m"},\
            "traceId":"0af7651916cd43dd8448eb211c80319c","traceState":"v=1"}]}]}]}
            """
        #expect(String(decoding: data, as: UTF8.self) == expected)
    }

    @Test("what has its default is left out: no parent, no state, no status, no events")
    func defaults() throws {
        let queue = SpanQueue()
        ServiceTracer(queue: queue).startSpan("root", context: .topLevel).end()
        let data = try OTLPRequest(try #require(queue.take()), resource: [:]).encoded()
        let text = String(decoding: data, as: UTF8.self)
        for name in ["parentSpanId", "traceState", "status", "events", "links"] {
            #expect(!text.contains(name), "\(name)")
        }
        #expect(text.contains(#""kind":1"#))
    }

    // MARK: Configuration

    @Test("OpenTelemetry's variables are read beside Errata's own, and an empty one is not set")
    func variables() throws {
        let configuration = try Configuration(
            keys: TracingKeys.all,
            environment: [
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_SAMPLER": "",
                "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s%20cret,other=1", "OTEL_RESOURCE_ATTRIBUTES": "a=b%2Cc , d=e",
                "OTEL_SOMETHING_ELSE": "of no interest", "OTEL_TRACES_SAMPLER_ARG": "0.25",
            ]
        )
        #expect(try configuration.value(TracingKeys.sampler) == .parentBasedAlwaysOn)
        #expect(try configuration.value(TracingKeys.samplerRatio) == 0.25)
        #expect(try configuration.value(TracingKeys.headers).pairs.values == ["x-key": "s cret", "other": "1"])
        #expect(try configuration.value(TracingKeys.resourceAttributes).values == ["a": "b,c", "d": "e"])
        #expect(configuration.effective.contains { $0 == ("OTEL_EXPORTER_OTLP_HEADERS", "other=***,x-key=***") })
        #expect(Set(configuration.secretValues) == ["s cret", "1"])
        #expect(try ServiceTracing(configuration, name: "tested", logger: quiet).exporter != nil)
        let none = try Configuration(keys: TracingKeys.all, environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": ""])
        #expect(try ServiceTracing(none, name: "tested", logger: quiet).exporter == nil)
    }

    @Test(
        "a value that cannot be used is told of by its name",
        arguments: [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_SAMPLER", "sometimes"), ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), ("OTEL_EXPORTER_OTLP_HEADERS", "no value"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0Ac"), ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
        ]
    )
    func malformed(name: String, value: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(keys: TracingKeys.all, environment: [name: value])
        }
        #expect(error?.description.contains(name) == true)
    }
}
