import Foundation
import Logging
import Metrics
import ServiceRuntime
import Synchronization
import Testing

/// Keeps what is written to it.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var sink: LogSink { LogSink { line in self.lines.withLock { $0.append(line) } } }
    var text: String { lines.withLock { $0.joined() } }
}

@Suite("Logs and metrics")
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

    @Test("metrics come out in Prometheus' text format with escaped labels")
    func prometheus() {
        let registry = PrometheusRegistry(timerBuckets: [0.1, 1], valueBuckets: [10])
        let labels = [("kind", "a\"b\\c\nd"), ("bad-name", "x")]
        Counter(label: "events.seen", dimensions: labels, factory: registry).increment(by: 2)
        Counter(label: "events.seen", dimensions: labels.reversed(), factory: registry).increment()
        Meter(label: "depth", factory: registry).set(2.5)
        let timer = Timer(label: "work", factory: registry)
        timer.recordMilliseconds(50)
        timer.recordSeconds(0.5)
        timer.recordSeconds(5)
        Recorder(label: "size", factory: registry).record(7)
        let text = registry.render()
        for line in [
            "# TYPE events_seen_total counter", #"events_seen_total{bad_name="x",kind="a\"b\\c\nd"} 3"#, "depth 2.5",
            "# TYPE work_seconds histogram", #"work_seconds_bucket{le="0.1"} 1"#, #"work_seconds_bucket{le="1"} 2"#,
            #"work_seconds_bucket{le="+Inf"} 3"#, "work_seconds_sum 5.55", "work_seconds_count 3",
            #"size_bucket{le="10"} 1"#, "errata_metrics_dropped_series_total 0",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
        #expect(text.components(separatedBy: "# TYPE events_seen_total").count == 2)
    }

    @Test("the number of series is bounded, and one name has one kind")
    func bounded() {
        let registry = PrometheusRegistry(maximumSeries: 3)
        for index in 0..<10 {
            Counter(label: "c", dimensions: [("i", "\(index)")], factory: registry).increment()
        }
        Meter(label: "c_total", factory: registry).set(1)
        let text = registry.render()
        #expect(text.components(separatedBy: "\nc_total{").count == 4)
        #expect(text.contains("errata_metrics_dropped_series_total 8\n"))
    }
}
