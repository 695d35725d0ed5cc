import Foundation
import Logging
import ServiceRuntime
import Synchronization
import Testing

/// Keeps what is written to it.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var sink: LogSink { LogSink { line in self.lines.withLock { $0.append(line) } } }
    var text: String { lines.withLock { $0.joined() } }
}

@Suite("Logs")
struct ObservabilityTests {
    @Test("a log line is one line of logfmt with the service, and secrets are held back")
    func logfmt() {
        let lines = Lines()
        let logger = Logger(label: "test") { label in
            ServiceLogHandler(label: label, service: "svc", secrets: ["hush-hush"], sink: lines.sink)
        }
        logger.debug("not shown")
        logger.info("two\nlines of hush-hush", metadata: ["count": "3", "text": "a \"b\"", "msg": "mine"])
        #expect(lines.text.hasPrefix("time=20"))
        let rest =
            #" level=info service=svc logger=test msg="two\nlines of <secret>" count=3 field_msg=mine text="a \"b\"""#
        #expect(lines.text.hasSuffix(rest + "\n"))
        #expect(lines.text.count { $0 == "\n" } == 1)
    }

    @Test("a log line is one JSON object")
    func json() throws {
        let lines = Lines()
        let logger = Logger(label: "test") { label in
            ServiceLogHandler(label: label, service: "svc", level: .trace, format: .json, sink: lines.sink)
        }
        logger.trace("tab\there \u{1}", metadata: ["k": "v"])
        let object = try JSONDecoder().decode([String: String].self, from: Data(lines.text.utf8))
        #expect(object["msg"] == "tab\there \u{1}")
        #expect(object["k"] == "v")
        #expect(object["level"] == "trace")
    }
}
