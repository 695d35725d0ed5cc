import Schemas
import Testing

@testable import ErrataCLICore

@Suite("The trace of a command")
struct CommandTraceTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("TRACEPARENT and TRACESTATE name it; what is not valid begins a new one")
    func environment() {
        #expect(CommandTrace.trace(in: [:]) == nil)
        #expect(CommandTrace.trace(in: ["TRACESTATE": "v=1"]) == nil)
        #expect(CommandTrace.trace(in: ["TRACEPARENT": "00-0-0-01"]) == nil)
        #expect(CommandTrace.trace(in: ["TRACEPARENT": Self.parent])?.text == Self.parent)
        let whole = CommandTrace.trace(in: ["TRACEPARENT": Self.parent, "TRACESTATE": "v=1"])
        #expect(whole?.text == "\(Self.parent) v=1")
        #expect(CommandTrace.trace(in: ["TRACEPARENT": Self.parent, "TRACESTATE": "V"])?.text == Self.parent)
    }
}
