import Foundation
import Schemas
import Testing

@Suite("W3C trace contexts")
struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"
    private static let parent = "00-\(trace)-\(span)-01"

    private func state(_ text: String) -> String? {
        TraceContext(traceparent: Self.parent, tracestate: text)?.state
    }

    @Test("a traceparent is read and written")
    func readAndWritten() throws {
        let context = try #require(TraceContext(traceparent: Self.parent, tracestate: "a=1"))
        #expect(context.traceID.description == Self.trace)
        #expect(context.spanID.description == Self.span)
        #expect(context.flags == .sampled)
        #expect(context.traceparent == Self.parent)
        #expect(context.text == "\(Self.parent) a=1")
        #expect(TraceContext(text: context.text) == context)
        let bare = try #require(TraceContext(text: Self.parent))
        #expect(bare.state == nil && bare.text == Self.parent)
    }

    @Test(
        "a traceparent that breaks a rule is none",
        arguments: [
            "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-", "00-\(trace)-\(span)-1",
            // More than the version 00 has.
            "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01-what-else", "00-\(trace)-\(span)-01.",
            // The forbidden version, and digits that are none.
            "ff-\(trace)-\(span)-01", "0-\(trace)-\(span)-01", ".0-\(trace)-\(span)-01",
            "00-\(String(repeating: "0", count: 32))-\(span)-01", "00-\(trace)-0000000000000000-01",
            "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span.uppercased())-01", "00-\(trace)-\(span)-0A",
            "00-.af7651916cd43dd8448eb211c80319c-\(span)-01", "00-\(trace)-.7ad6b7169203331-01",
            "00-\(trace)-\(span)-.0",
            "00-\(trace)_\(span)-01", "00-\(trace)-\(span)_01", "00_\(trace)-\(span)-01", " 00-\(trace)-\(span)-01",
            "00-\(trace)-\(span)-01 ", "00-\(trace)ä-\(span)-01",
        ]
    )
    func invalid(traceparent: String) {
        #expect(TraceContext(traceparent: traceparent, tracestate: "a=1") == nil)
    }

    @Test("of a later version what the version 00 defines is read, and more behind a dash")
    func laterVersions() {
        for text in ["cc-\(Self.trace)-\(Self.span)-01", "cc-\(Self.trace)-\(Self.span)-01-what-the-future-brings"] {
            #expect(TraceContext(traceparent: text)?.traceparent == Self.parent)
        }
        #expect(TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-01.what-the-future-brings") == nil)
    }

    @Test("flags that are not defined are not handed on")
    func flags() {
        #expect(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-ff")?.traceparent.hasSuffix("-03") == true)
        #expect(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-fe")?.flags == .random)
        #expect(TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-00")?.flags == [])
    }

    @Test("a tracestate is a list without the spaces around its members")
    func lists() {
        #expect(state("foo=1") == "foo=1")
        #expect(state("foo=1 \t , \t bar=2") == "foo=1,bar=2")
        #expect(state("foo=1,,bar=2,") == "foo=1,bar=2")
        #expect(state("foo= a b") == "foo= a b")
        #expect(state("foo@vendor=1,0tenant@vendor=2,f/o*o-_=3") == "foo@vendor=1,0tenant@vendor=2,f/o*o-_=3")
        #expect(state("") == nil && state(" , ") == nil)
    }

    @Test(
        "a tracestate that breaks a rule is left out, and its traceparent is read",
        arguments: [
            "foo", "=1", "foo=", "Foo=1", "0foo=1", "foo =1", "foo@=1", "@vendor=1", "foo@@vendor=1",
            "foo@bar@vendor=1",
            "foo@0vendor=1", "foo=1=2", "foo=ä", "foo=1,foo=2", "foo=1,foo=1", "foo=\u{1}",
            String(repeating: "f", count: 257) + "=1", String(repeating: "t", count: 242) + "@v=1",
            "t@" + String(repeating: "v", count: 15) + "=1", "foo=" + String(repeating: "1", count: 257),
            (1...33).map { "k\($0)=1" }.joined(separator: ","),
        ]
    )
    func brokenStates(tracestate: String) {
        let context = TraceContext(traceparent: Self.parent, tracestate: tracestate)
        #expect(context != nil && context?.state == nil)
    }

    @Test("a long tracestate loses its long members first, and then its last ones")
    func longStates() {
        let whole = (1...32).map { "k\($0)=1" }.joined(separator: ",")
        #expect(state(whole) == whole)
        let short = (1...10).map { "k\($0)=" + String(repeating: "1", count: 40) }
        let long = "long=" + String(repeating: "1", count: 200)
        #expect(state(([long] + short).joined(separator: ",")) == short.joined(separator: ","))
        let many = (1...20).map { "k\($0)=" + String(repeating: "1", count: 40) }
        let kept = state(many.joined(separator: ","))
        #expect(kept?.utf8.count ?? 0 <= 512)
        #expect(kept == many.prefix(11).joined(separator: ","))
    }

    @Test("CloudEvents' headers come before the plain ones, one that is not valid stands in nobody's way")
    func headers() {
        func read(_ headers: [(String, String)]) -> TraceContext? {
            TraceContext(headers: headers.map { ($0.0, Data($0.1.utf8)) })
        }
        let other = "00-\(Self.trace)-00f067aa0ba902b7-00"
        let plain = [("traceparent", other), ("tracestate", "p=1")]
        let own = [("ce_traceparent", Self.parent), ("ce_tracestate", "e=1")]
        #expect(read(plain)?.text == "\(other) p=1")
        #expect(read(plain + own)?.text == "\(Self.parent) e=1")
        #expect(read(plain + [("ce_traceparent", Self.parent)])?.text == Self.parent)
        #expect(read(plain + [("ce_traceparent", "x"), ("ce_tracestate", "e=1")])?.text == "\(other) p=1")
        #expect(read(own + [("ce_traceparent", Self.parent)]) == nil)
        #expect(read(own + [("ce_tracestate", "f=2")])?.state == "e=1,f=2")
        #expect(read([("ce_tracestate", "e=1")]) == nil)
        let notUTF8 = [("ce_traceparent", Data(Self.parent.utf8)), ("ce_tracestate", Data([0xFF]))]
        #expect(TraceContext(headers: notUTF8)?.text == Self.parent)
    }

    @Test("no trace context makes an event malformed")
    func neverFails() throws {
        let event = CloudEvent(id: "e", source: "/s", time: nil, payload: Samples.problem)
        for value in [Data("nonsense".utf8), Data(count: 5000), Data([0xFF])] {
            let read = try CloudEvent(headers: event.headers() + [("ce_traceparent", value), ("ce_tracestate", value)])
            #expect(read == event)
        }
        let doubled = try event.headers() + [("ce_traceparent", Data(Self.parent.utf8)), ("ce_traceparent", Data())]
        #expect(try CloudEvent(headers: doubled).trace?.traceparent == Self.parent)
    }

    @Test("random ids are none of zeros and come out as many digits")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let ids = (0..<100).map { _ in TraceContext.TraceID.random(using: &generator) }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.description.count == 32 })
        #expect(TraceContext.SpanID(1)?.description == "0000000000000001")
        #expect(TraceContext.SpanID(0) == nil && TraceContext.TraceID(high: 0, low: 0) == nil)
    }
}
