import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Messages that are parked")
struct DeliveryParkingTests {
    /// A worker that parks at once and tries parked messages often.
    private static func worker(
        _ bench: DeliveryBench,
        concurrency: Int = 1,
        _ body: @escaping @Sendable (ReceivedEvent) async throws -> Effects
    ) -> EffectsWorker<ClosureProcessor> {
        EffectsWorker(
            processor: ClosureProcessor(body: body),
            pool: bench.pool,
            kafka: bench.broker.configuration,
            logger: quiet,
            concurrency: concurrency,
            backoff: Backoff(base: .milliseconds(2), cap: .milliseconds(20)),
            parking: ParkingPolicy(
                patience: .milliseconds(50),
                backoff: Backoff(base: .milliseconds(20), cap: .milliseconds(100)),
                pollInterval: .milliseconds(10)
            )
        )
    }

    @discardableResult
    private static func park(
        _ message: KafkaMessage,
        age: Duration = .zero,
        wait: Duration = .zero,
        limit: Int = 100,
        in pool: PostgresPool
    ) async throws -> Bool {
        try await ParkedMessages.add(
            message,
            of: "tested",
            age: age,
            tries: 3,
            wait: wait,
            reason: "planted\0",
            limit: limit,
            in: pool
        )
    }

    private static func claim(_ holder: String, _ pool: PostgresPool) async throws -> ParkedMessages.Claimed? {
        try await ParkedMessages.claim(for: "tested", by: holder, lasting: .seconds(60), from: pool)
    }

    @Test("more failing keys than the worker's memory holds do not keep the others, and each key's order is kept")
    func manyFailingKeys() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let worker = Self.worker(bench) { event in
                if event.id.hasPrefix("bad"), !gate.isOpen { throw PlantedError() }
                return try DeliveryBench.effects(of: event)
            }
            // The memory holds eight.
            let bad = (0..<20).map { "bad-\($0)" }
            let behind = (0..<3).map { "bad-0-\($0)" }
            let good = (0..<30).map { "good-\($0)" }
            try await bench.send(
                bad.map { ($0, $0) } + behind.map { ($0, "bad-0") } + good.map { ($0, $0) }
            )
            try await withServices([worker]) {
                try await eventually("all good keys") { try await bench.count("effects") == good.count }
                let parked = try await ParkedMessages.list(limit: 100, from: bench.pool)
                #expect(parked.count > 8)
                #expect(parked.allSatisfy { $0.consumer == "tested" && !$0.reason.isEmpty })
                #expect(parked.contains { $0.tries > 0 && $0.reason.contains("PlantedError") })
                gate.open()
                try await eventually("the others") {
                    try await bench.count("effects") == bad.count + behind.count + good.count
                }
                try await eventually("all offsets") { try await bench.lag() == 0 }
                try await eventually("an empty table") { try await ParkedMessages.count(from: bench.pool) == 0 }
            }
            let ids = try await bench.effects()
            #expect(Set(ids) == Set(bad + behind + good))
            #expect(ids.filter { $0 == "bad-0" || behind.contains($0) } == ["bad-0"] + behind)
            #expect(try await bench.count("inbox") == ids.count)
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test(
        "a message whose key has a parked one goes behind it, its offset goes on, and any worker finishes both in order"
    )
    func behind() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            // Another worker's.
            try await Self.park(try DeliveryBench.message("p-1", key: "k"), wait: .seconds(3600), in: bench.pool)
            let worker = Self.worker(bench, concurrency: 4) { try DeliveryBench.effects(of: $0) }
            try await bench.send([("p-2", "k"), ("p-3", "k"), ("other", "l")])
            try await withServices([worker]) {
                try await eventually("the offsets") { try await bench.lag() == 0 }
                #expect(try await bench.effects() == ["other"])
                #expect(try await ParkedMessages.count(of: "tested", from: bench.pool) == 3)
                #expect(try await ParkedMessages.count(of: "another", from: bench.pool) == 0)
                try await bench.pool.execute("UPDATE parked_messages SET next_try = now()")
                try await eventually("all") { try await bench.count("effects") == 4 }
            }
            #expect(try await bench.effects() == ["other", "p-1", "p-2", "p-3"])
            // What is parked a second time, for its offset was not committed, has no second effect.
            try await Self.park(try DeliveryBench.message("p-1", key: "k"), in: bench.pool)
            try await withServices([Self.worker(bench) { try DeliveryBench.effects(of: $0) }]) {
                try await eventually("the end of the repeat") {
                    try await ParkedMessages.count(from: bench.pool) == 0
                }
            }
            #expect(try await bench.count("effects") == 4)
        }
    }

    @Test("a parked message whose patience is over, and one that ended its process too often, go to the dead letters")
    func buried() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let failure = PermanentFailure(code: "never-came", message: "nobody came")
            let worker = Self.worker(bench) { _ in
                throw Postponement(
                    reason: "somebody",
                    wait: .milliseconds(100),
                    end: .init(after: .seconds(3600), failure)
                )
            }
            try await Self.park(try DeliveryBench.message("vain", key: "a"), age: .seconds(3601), in: bench.pool)
            try await Self.park(try DeliveryBench.message("killer", key: "b", offset: 1), in: bench.pool)
            try await Self.park(try DeliveryBench.message("waits", key: nil, offset: 2), in: bench.pool)
            try await bench.pool.execute(
                """
                INSERT INTO work_begun (consumer, event_id, topic, source, tries)
                VALUES ('tested', 'killer', \(Topic.problems.rawValue), '/test', 5)
                """
            )
            try await withServices([worker]) {
                try await eventually("the dead letters") { try await bench.count("dead_letters") == 2 }
                try await eventually("the third's try") {
                    let left = try await ParkedMessages.list(limit: 10, from: bench.pool)
                    return left.map(\.reason) == ["somebody"]
                }
            }
            let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
            #expect(Set(letters.map(\.cause.code)) == ["never-came", "killed-its-worker"])
            let left = try #require(try await ParkedMessages.list(limit: 10, from: bench.pool).first)
            #expect(left.origin == "\(Topic.problems.rawValue)/0/2")
            // A postponement is no failure.
            #expect(left.tries == 3)
        }
    }

    @Test("one worker at a time has the first message of a key, another takes it over when its claim has run out")
    func claims() async throws {
        try await TestDatabase.withPool { pool in
            let first = try DeliveryBench.message("a-1", key: "a", offset: 7)
            try await Self.park(first, in: pool)
            try await Self.park(try DeliveryBench.message("a-2", key: "a", offset: 8), in: pool)
            try await Self.park(try DeliveryBench.message("b-1", key: "b", offset: 9), in: pool)
            try await Self.park(try DeliveryBench.message("c-1", key: "c", offset: 10), wait: .seconds(3600), in: pool)
            let mine = try #require(try await Self.claim("one", pool))
            // Key, headers and bytes as they came.
            #expect(mine.message == first)
            #expect(mine.tries == 3)
            let other = try #require(try await Self.claim("two", pool))
            #expect(other.message.offset == 9)
            #expect(try await Self.claim("two", pool)?.sequence == nil)
            try await pool.execute("UPDATE parked_messages SET claimed_until = now() - interval '1 second'")
            try await ParkedMessages.renew([other.sequence], by: "two", lasting: .seconds(60), in: pool)
            let taken = try #require(try await Self.claim("two", pool))
            #expect(taken.sequence == mine.sequence)
            // Who lost it neither keeps it, nor gives it back, nor removes it.
            try await ParkedMessages.renew([mine.sequence], by: "one", lasting: .seconds(3600), in: pool)
            try await ParkedMessages.put(back: mine, tries: 9, wait: .zero, reason: "late", in: pool)
            try await ParkedMessages.remove(mine, from: pool)
            #expect(try await Self.claim("one", pool)?.sequence == nil)
            try await ParkedMessages.remove(taken, from: pool)
            #expect(try await Self.claim("one", pool)?.message.offset == 8)
        }
    }

    @Test("no more are parked than the limit")
    func limit() async throws {
        try await TestDatabase.withPool { pool in
            for offset in Int64(0)..<3 {
                let message = try DeliveryBench.message("p", key: nil, offset: offset)
                let isParked = try await Self.park(message, limit: 2, in: pool)
                #expect(isParked == (offset < 2))
            }
            #expect(try await ParkedMessages.count(from: pool) == 2)
        }
    }
}
