import Foundation
import KafkaClient
import PostgresClient
import Schemas
import Synchronization
import TestSupport
import Testing

@testable import ServiceRuntime

/// How many are at work.
private final class Crowd: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func enter() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    func leave() { counts.withLock { $0.now -= 1 } }

    var now: Int { counts.withLock { $0.now } }
    var most: Int { counts.withLock { $0.most } }
}

@Suite("Messages that end their process")
struct DeliveryCrashTests {
    private static func identity(_ id: String) -> EventIdentity {
        EventIdentity(
            of: ReceivedEvent(
                topic: .problems,
                partition: 0,
                offset: 0,
                attributes: CloudEvent(id: id, source: "/test", type: "errata.problem.v1"),
                data: Data()
            )
        )
    }

    private static func message(_ offset: Int64, partition: Int32 = 0) -> KafkaMessage {
        KafkaMessage(topic: Topic.problems.rawValue, partition: partition, offset: offset, key: nil, value: nil)
    }

    private static func process(_ pool: PostgresPool, window: Int = 8, limit: Int = 4) -> BegunWork {
        BegunWork(consumer: "tested", pool: pool, window: window, limit: limit, logger: quiet)
    }

    private static func tries(_ id: String, _ pool: PostgresPool) async throws -> Int {
        try await pool.values("SELECT tries FROM work_begun WHERE event_id = \(id)", as: Int.self).first ?? 0
    }

    /// As if processes had ended over an event.
    private static func plant(_ id: String, tries: Int, in pool: PostgresPool) async throws {
        try await pool.execute(
            """
            INSERT INTO work_begun (consumer, event_id, topic, source, tries)
            VALUES ('tested', \(id), \(Topic.problems.rawValue), '/test', \(tries))
            """
        )
    }

    // MARK: The count

    @Test("a message that is left twice is worked on alone, and one that is left too often not at all")
    func count() async throws {
        try await TestDatabase.withPool { pool in
            let event = Self.identity("e")
            for _ in 0..<2 {
                // Each process begins the event and ends without a word.
                let verdict = try await Self.process(pool).begin(event, of: Self.message(0), alone: false)
                #expect(verdict == .work)
            }
            for _ in 0..<2 {
                let process = Self.process(pool)
                #expect(try await process.begin(event, of: Self.message(0), alone: false) == .workAlone)
                #expect(try await process.begin(event, of: Self.message(0), alone: true) == .work)
            }
            let last = Self.process(pool)
            #expect(try await last.begin(event, of: Self.message(0), alone: false) == .workAlone)
            #expect(try await last.begin(event, of: Self.message(0), alone: true) == .giveUp(tries: 4))
            #expect(try await Self.tries("e", pool) == 4)
            // Another consumer has its own count.
            let other = BegunWork(consumer: "other", pool: pool, window: 8, limit: 4, logger: quiet)
            #expect(try await other.begin(event, of: Self.message(0), alone: false) == .work)
        }
    }

    @Test("a try that ends while its process lives is taken back, and earlier ones stay counted")
    func takenBack() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.plant("left", tries: 1, in: pool)
            let process = Self.process(pool)
            for id in ["left", "new"] {
                #expect(try await process.begin(Self.identity(id), of: Self.message(0), alone: false) == .work)
                #expect(try await Self.tries(id, pool) == (id == "left" ? 2 : 1))
                await process.ended(Self.identity(id))
            }
            #expect(try await Self.tries("left", pool) == 1)
            #expect(try await Self.tries("new", pool) == 0)
        }
    }

    @Test("an event that is in work twice counts once, until its last delivery has ended")
    func twice() async throws {
        try await TestDatabase.withPool { pool in
            let process = Self.process(pool)
            let event = Self.identity("e")
            for offset in Int64(0)..<2 {
                let verdict = try await process.begin(event, of: Self.message(offset), alone: false)
                #expect(verdict == .work)
            }
            #expect(try await Self.tries("e", pool) == 1)
            await process.ended(event)
            #expect(try await Self.tries("e", pool) == 1)
            await process.ended(event)
            #expect(try await Self.tries("e", pool) == 0)
        }
    }

    @Test("what is in work when its partition goes, or when the worker is told to stop, is no crash")
    func orderlyEnds() async throws {
        try await TestDatabase.withPool { pool in
            let process = Self.process(pool)
            let ids = ["first", "second"]
            for (partition, id) in ids.enumerated() {
                let message = Self.message(0, partition: Int32(partition))
                #expect(try await process.begin(Self.identity(id), of: message, alone: false) == .work)
            }
            await process.revoked([TopicPartition(topic: Topic.problems.rawValue, partition: 0)])
            #expect(try await Self.tries("first", pool) == 0)
            #expect(try await Self.tries("second", pool) == 1)
            await process.end()
            #expect(try await Self.tries("second", pool) == 0)
            // Whatever begins while the worker ends is not counted, and what ends is not taken back twice.
            try await Self.plant("third", tries: 1, in: pool)
            #expect(try await process.begin(Self.identity("third"), of: Self.message(1), alone: false) == .work)
            for id in ids + ["third"] { await process.ended(Self.identity(id)) }
            #expect(try await Self.tries("third", pool) == 1)
        }
    }

    @Test("only the first messages of a partition after it came are counted")
    func window() async throws {
        try await TestDatabase.withPool { pool in
            let process = Self.process(pool, window: 2)
            func begin(_ id: String, _ message: KafkaMessage) async throws -> Int {
                _ = try await process.begin(Self.identity(id), of: message, alone: false)
                let tries = try await Self.tries(id, pool)
                try await pool.execute("DELETE FROM work_begun")
                process.settled(Self.identity(id), of: message, isNew: true)
                return tries
            }
            let first = try await begin("a", Self.message(5))
            #expect(first == 1)
            #expect(try await begin("b", Self.message(6)) == 1)
            #expect(try await begin("c", Self.message(7)) == 0)
            #expect(try await begin("d", Self.message(0, partition: 1)) == 1)
            process.assigned([TopicPartition(topic: Topic.problems.rawValue, partition: 0)])
            #expect(try await begin("e", Self.message(8)) == 1)
        }
    }

    @Test("a message is among the first until so many before it have been worked on, in whatever order they are")
    func first() {
        let partition = TopicPartition(topic: "t", partition: 0)
        var first = FirstMessages(limit: 3)
        for offset: Int64 in [90, 80, 70, 60] { first.worked(partition, offset: offset) }
        // Three before it (60, 70, 80), and no more than two before those.
        #expect(!first.includes(partition, offset: 81))
        #expect(first.includes(partition, offset: 80))
        #expect(first.includes(partition, offset: 65))
        first.worked(partition, offset: 10)
        #expect(first.includes(partition, offset: 70))
        #expect(!first.includes(partition, offset: 71))
        #expect(first.includes(TopicPartition(topic: "t", partition: 1), offset: 1_000))
        first.forget(partition)
        #expect(first.includes(partition, offset: 1_000))
    }

    // MARK: The worker

    @Test(
        "a message that ended its process too often is buried unworked, those behind it go on, its replay begins anew"
    )
    func buried() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let seen = Tally()
            let worker = bench.worker { event in
                seen.add(event.id)
                return try DeliveryBench.effects(of: event)
            }
            try await Self.plant("killer", tries: 5, in: bench.pool)
            try await bench.send([("killer", "k"), ("behind", "k")])
            try await withServices([worker]) {
                try await eventually("the message behind it") { try await bench.effects() == ["behind"] }
                #expect(seen["killer"] == 0)
                let letter = try #require(try await DeadLetters.list(limit: 10, from: bench.pool).first)
                #expect(letter.cause.code == "killed-its-worker")
                #expect(letter.cause.message.contains("5 times"))
                #expect(try await bench.pool.value("SELECT attempts FROM dead_letters", as: Int.self) == 5)
                #expect(try await bench.count("work_begun") == 0)
                #expect(try await DeadLetters.replay(id: letter.id, from: bench.pool, through: bench.producer))
                try await eventually("the replay") { try await bench.effects() == ["behind", "killer"] }
            }
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("a message over which two processes ended is worked on while nothing else is")
    func alone() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let crowd = Crowd()
            let beside = Tally()
            let worker = bench.worker(concurrency: 4) { event in
                crowd.enter()
                if event.id == "suspect" {
                    for _ in 0..<100 {
                        await Task.yield()
                        beside.add("\(crowd.now)")
                    }
                } else {
                    // The others are not kept apart: the first waits for a second.
                    try await eventually("company") { crowd.most > 1 }
                }
                crowd.leave()
                return try DeliveryBench.effects(of: event)
            }
            try await Self.plant("suspect", tries: 2, in: bench.pool)
            let others = (0..<20).map { "p-\($0)" }
            var ids = others
            ids.insert("suspect", at: 10)
            try await bench.send(ids.map { ($0, $0) })
            try await withServices([worker]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == Set(others + ["suspect"]))
            #expect(beside.names == ["1"])
            #expect(beside["1"] == 100)
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("a message that has been worked on for a while is suspected no more, whatever was counted before")
    func acquitted() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let began = Gate()
            var worker = bench.worker { event in
                began.open()
                try await eventually("the gate") { gate.isOpen }
                return try DeliveryBench.effects(of: event)
            }
            worker.acquittal = .milliseconds(10)
            try await Self.plant("long", tries: 3, in: bench.pool)
            try await bench.send([("long", "long")])
            try await withServices([worker]) {
                try await eventually("its work") { began.isOpen }
                try await eventually("the table") { try await bench.count("work_begun") == 0 }
                gate.open()
                try await eventually("the effect") { try await bench.effects() == ["long"] }
            }
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("a suspect that is postponed while it is alone is suspected no more, and others go on beside its next try")
    func postponed() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let tries = Tally()
            let worker = bench.worker { event in
                if event.id == "suspect" {
                    if tries.add(event.id) == 1 { throw Postponement(reason: "somebody", wait: .milliseconds(100)) }
                    try await eventually("the gate") { gate.isOpen }
                }
                return try DeliveryBench.effects(of: event)
            }
            try await Self.plant("suspect", tries: 2, in: bench.pool)
            try await bench.send([("suspect", "suspect")])
            try await withServices([worker]) {
                try await eventually("its second try") { tries["suspect"] == 2 }
                try await bench.send([("other", "other")])
                try await eventually("the other") { try await bench.effects() == ["other"] }
                gate.open()
                try await eventually("the suspect") { try await bench.effects() == ["other", "suspect"] }
            }
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("failures, postponements and orderly stops in mid-work leave nothing that counts as a crash")
    func noCrashes() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let gate = Gate()
            func worker(_ isLast: Bool) -> EffectsWorker<ClosureProcessor> {
                bench.worker { event in
                    let attempt = tries.add(event.id)
                    if isLast { return try DeliveryBench.effects(of: event) }
                    switch event.id {
                    case "fails": throw PlantedError()
                    case "waits": throw Postponement(reason: "somebody", wait: .milliseconds(100))
                    default:
                        // Cut off by its cancellation, with which a process ends that does not stop in time.
                        if attempt == 1 { gate.open() }
                        try await Task.sleep(for: .seconds(3600))
                        return .none
                    }
                }
            }
            try await bench.send([("fails", "a"), ("waits", "b"), ("works", "c")])
            let first = worker(false)
            let running = Task { try await withServices([first]) { try await Task.sleep(for: .seconds(3600)) } }
            try await eventually("tries of each") { gate.isOpen && tries["fails"] > 7 && tries["waits"] > 2 }
            #expect(try await Self.tries("works", bench.pool) == 1)
            running.cancel()
            _ = await running.result
            #expect(try await bench.count("work_begun") == 0)
            try await withServices([worker(true)]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == ["fails", "waits", "works"])
        }
    }
}
