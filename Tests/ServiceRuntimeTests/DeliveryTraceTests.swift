import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing
import Tracing

@testable import ServiceRuntime

@Suite("Traces of events")
struct DeliveryTraceTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "00-\(trace)-b7ad6b7169203331-01"

    /// A problem's record with headers of a trace.
    private static func record(_ id: String, _ headers: [(String, String)]) throws -> KafkaRecord {
        var record = try OutgoingEvent(
            ProblemEvent(id: id, dataset: "d", split: .train, question: "1+1?", answer: "2"),
            source: "/test",
            time: Date(timeIntervalSince1970: 1_700_000_000)
        ).record()
        record.headers += headers.map { KafkaHeader(key: $0.0, value: Data($0.1.utf8)) }
        return record
    }

    private static func trace(of message: KafkaMessage) -> TraceContext? {
        TraceContext(headers: message.headers.map { ($0.key, $0.value ?? Data()) })
    }

    @Test(
        "what a message leads to, in the outbox, on the topic and in the tables, is of its trace, under spans of its own"
    )
    func handedOn() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let queue = SpanQueue()
            let worker = bench.worker { event in
                let problem: ProblemEvent = try event.decode()
                let effects = try DeliveryBench.effects(of: event)
                return Effects(events: effects.events) { transaction in
                    try await effects.apply(transaction)
                    try await ProblemStore.insert(problem, state: .registered, in: transaction)
                }
            }
            _ = try await bench.producer.send([
                try Self.record("own", [("ce_traceparent", Self.parent), ("ce_tracestate", "v=1")]),
                try Self.record("plain", [("traceparent", Self.parent)]),
                try Self.record("broken", [("ce_traceparent", "00-x"), ("ce_tracestate", "v=1")]),
                try Self.record("none", []),
            ])
            try await withTracer(ServiceTracer(queue: queue)) {
                try await withServices([worker, bench.relay]) {
                    try await eventually("the events") {
                        let waiting: Int = try await bench.pool.value(
                            "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"
                        )
                        return waiting == 4
                    }
                }
            }
            let sent = try await bench.messages(of: .attempts)
            var traces: [String: TraceContext] = [:]
            for message in sent {
                let attempt = try EventCoding.decode(AttemptEvent.self, from: try #require(message.value))
                let trace = try #require(Self.trace(of: message))
                traces[attempt.problemId] = trace
            }
            #expect(traces["own"]?.traceID.description == Self.trace && traces["own"]?.state == "v=1")
            #expect(traces["plain"]?.traceID.description == Self.trace)
            #expect(Set(traces.values.map(\.traceID)).count == 3)
            #expect(Set(traces.values.map(\.spanID)).count == 4)
            for id in ["own", "plain", "broken", "none"] {
                let text: String? = try await bench.pool.value("SELECT trace_context FROM problems WHERE id = \(id)")
                #expect(text == traces[id]?.text)
            }
            var spans: [SpanRecord] = []
            while let some = queue.take() { spans += some }
            let work = spans.filter { $0.name == "process \(Topic.problems.rawValue)" }
            #expect(Set(work.map(\.trace.spanID)) == Set(traces.values.map(\.spanID)))
            #expect(work.filter { $0.parent?.description == "b7ad6b7169203331" }.count == 2)
            #expect(work.filter { $0.parent == nil }.count == 2)
            let relayed = spans.filter { $0.name == "send \(Topic.attempts.rawValue)" }
            #expect(Set(relayed.compactMap(\.parent)) == Set(traces.values.map(\.spanID)))
        }
    }

    @Test("a message that fails for good hands its trace on to its dead letter")
    func deadLetter() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let worker = bench.worker { _ in throw PermanentFailure(code: "planted", message: "planted") }
            _ = try await bench.producer.send([try Self.record("p", [("ce_traceparent", Self.parent)])])
            try await withTracer(ServiceTracer()) {
                try await withServices([worker, bench.relay]) {
                    try await eventually("the dead letter") {
                        let sent: Int = try await bench.pool.value(
                            "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"
                        )
                        return sent == 1
                    }
                }
            }
            let message = try #require(try await bench.messages(of: .deadLetters).first)
            let trace = try #require(Self.trace(of: message))
            #expect(trace.traceID.description == Self.trace && trace.traceparent != Self.parent)
        }
    }

    @Test("an event that is published again has the headers that it had")
    func republished() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let trace = try #require(TraceContext(traceparent: Self.parent, tracestate: "v=1"))
            try await bench.pool.withTransaction { transaction in
                try await InstrumentationContext.$current.withValue(.carrying(trace)) {
                    try await transaction.send([try DeliveryBench.attempt(at: "p", cause: "e")])
                }
            }
            #expect(try await bench.relay.publishBatch() == 1)
            #expect(try await Republishing.start(in: bench.pool) == 1)
            #expect(try await bench.relay.publishBatch() == 1)
            let traces = try await bench.messages(of: .attempts).map { Self.trace(of: $0) }
            #expect(traces == [trace, trace])
        }
    }

    @Test(
        "what a run leads to goes on in the trace that it came in: its stages and the evaluations that were asked for"
    )
    func jobs() async throws {
        try await TestDatabase.withPool { pool in
            let trace = try #require(TraceContext(traceparent: Self.parent))
            try await pool.execute(
                """
                INSERT INTO runs (id, name, dataset, body, trace_context) VALUES ('r', 'r', 'd', '{}', \(trace.text))
                """
            )
            try await pool.execute("INSERT INTO training_jobs (run_id, round, stage) VALUES ('r', 1, 'hsft')")
            try await pool.withTransaction { transaction in
                try await InstrumentationContext.$current.withValue(.carrying(trace)) {
                    try await EvaluationJobStore.insertRollout(checkpoint: "c", run: "r", round: 1, in: transaction)
                }
            }
            #expect(try await RunStore.trace(of: "r", from: pool) == trace)
            #expect(try await JobStore.jobs(run: "r", from: pool).map(\.trace) == [trace])
            #expect(try await EvaluationJobStore.jobs(run: "r", from: pool).map(\.trace) == [trace])
        }
    }
}
