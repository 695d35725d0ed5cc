import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceRuntime
import Synchronization
import Teaching
import TestSupport
import Testing

@testable import TeacherIngestionCore

@Suite("Problems are stored when they come")
struct ArrivalTests {
    private static func broker() throws -> EmbeddedBroker {
        let topics: [Topic] = [.problems, .attempts, .runs, .traces]
        return try EmbeddedBroker(topics: Dictionary(uniqueKeysWithValues: topics.map { ($0.rawValue, 1) }))
    }

    /// Has a worker read a broker's topics while the body runs.
    private static func working(
        _ bench: Bench,
        on broker: EmbeddedBroker,
        _ body: () async throws -> Void
    ) async throws {
        let worker = EffectsWorker(
            processor: bench.processor,
            pool: bench.pool,
            kafka: broker.configuration,
            logger: quiet
        )
        let running = Task { try await worker.run() }
        do {
            try await body()
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
        // Cut off rather than told to stop.
        running.cancel()
        _ = await running.result
    }

    private static func send(_ problems: [ProblemEvent], to broker: EmbeddedBroker) async throws {
        let producer = try KafkaProducer(broker.configuration)
        let records = try problems.map {
            try OutgoingEvent($0, source: "/test", time: Date(timeIntervalSince1970: 0)).record()
        }
        do {
            _ = try await producer.send(records)
        } catch {
            await producer.close(timeout: .zero)
            throw error
        }
        await producer.close()
    }

    @Test(
        "a problem that comes while the teacher is away is stored and taught once later, though its topic has lost it"
    )
    func away() async throws {
        try await TestDatabase.withPool { pool in
            let isBack = Atomic<Bool>(false)
            let bench = Bench(pool) { prompt, _, _ in
                guard isBack.load(ordering: .acquiring) else {
                    throw TeacherError(.paused, "the teacher is away", retryAfter: .milliseconds(100))
                }
                return Good.answer(prompt)
            }
            let broker = try Self.broker()
            defer { broker.stop() }
            try await Self.send([problem(), problem(id: "t1", split: .test)], to: broker)
            let admin = try KafkaAdmin(broker.configuration, logger: quiet)
            try await Self.working(bench, on: broker) {
                try await eventually("the problem of the evaluation set") {
                    try await ProblemStore.problem("t1", from: pool) != nil
                }
                try await eventually("the offsets") {
                    try await admin.lag(group: "teacher-ingestion", topics: [Topic.problems.rawValue])
                        .values.reduce(0, +) == 0
                }
                try await eventually("a try") {
                    let kinds = try await ParkedMessages.arrivals(limit: 5, from: pool).kinds
                    return kinds.map(\.reason) == ["the teacher is away"]
                }
            }
            let stored = try await ParkedMessages.arrivals(limit: 5, from: pool)
            #expect(stored.total == 1)
            #expect(try await ProblemStore.problem("p1", from: pool) == nil)
            isBack.store(true, ordering: .releasing)
            let empty = try Self.broker()
            defer { empty.stop() }
            try await Self.working(bench, on: empty) {
                try await eventually("the problem") { try await ProblemStore.problem("p1", from: pool) != nil }
                let calls = bench.teacher.calls.count
                let traces = try await sent(TraceEvent.self, pool)
                #expect(!traces.isEmpty)
                // It comes again.
                try await Self.send([problem()], to: empty)
                let admin = try KafkaAdmin(empty.configuration, logger: quiet)
                try await eventually("the offsets of the repeat") {
                    try await admin.lag(group: "teacher-ingestion", topics: [Topic.problems.rawValue])
                        .values.reduce(0, +) == 0
                }
                try await eventually("an empty table") {
                    try await ParkedMessages.arrivals(limit: 5, from: pool).total == 0
                }
                #expect(bench.teacher.calls.count == calls)
                let after = try await sent(TraceEvent.self, pool)
                #expect(after.map(\.id) == traces.map(\.id))
            }
        }
    }

    @Test("what the teacher may be asked about is stored first, where there is a teacher, and nothing else")
    func kinds() async throws {
        try await TestDatabase.withPool { pool in
            let asking = Bench(pool) { prompt, _, _ in Good.answer(prompt) }.processor
            let waiting = [
                try received(problem()), try received(attempt(output: "5")),
                try received(TeachingOrderEvent(id: "o", problemId: "p1", parts: [.chains])),
            ]
            let others = [
                try received(problem(split: .test)), try received(problem(split: .rollout)),
                try received(attempt(output: "10", correct: true)),
            ]
            #expect(asking.storesFirst)
            #expect(waiting.map { asking.isStoredFirst($0) } == [true, true, true])
            #expect(others.map { asking.isStoredFirst($0) } == [false, false, false])
            let unreadable = ReceivedEvent(
                topic: .problems,
                partition: 0,
                offset: 0,
                attributes: CloudEvent(id: "e", source: "/test", type: EventType.problem.rawValue),
                data: Data("{".utf8)
            )
            #expect(!asking.isStoredFirst(unreadable))
            let alone = Bench(pool, scope: .none) { prompt, _, _ in Good.answer(prompt) }.processor
            #expect(!alone.storesFirst)
        }
    }
}
