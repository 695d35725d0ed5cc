import Foundation
import KafkaClient
import PostgresClient
import Schemas
import Synchronization
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Messages that are stored when they come")
struct DeliveryArrivalTests {
    /// A worker that stores first whatever has an id with a prefix; by default everything.
    private static func worker(
        _ bench: DeliveryBench,
        broker: EmbeddedBroker? = nil,
        concurrency: Int = 4,
        batch: Int = 32,
        limit: Int = 100,
        storing prefix: String = "",
        _ body: @escaping @Sendable (ReceivedEvent) async throws -> Effects
    ) -> EffectsWorker<ClosureProcessor> {
        EffectsWorker(
            processor: ClosureProcessor(batchLimit: batch, stores: { $0.id.hasPrefix(prefix) }, body: body),
            pool: bench.pool,
            kafka: (broker ?? bench.broker).configuration,
            logger: quiet,
            concurrency: concurrency,
            backoff: Backoff(base: .milliseconds(2), cap: .milliseconds(20)),
            parking: ParkingPolicy(limit: limit, pollInterval: .milliseconds(10))
        )
    }

    private static func stored(_ pool: PostgresPool) async throws -> Int {
        try await ParkedMessages.arrivals(limit: 1, from: pool).total
    }

    // MARK: While nothing can be worked on

    @Test(
        "messages are stored while none can be worked on, and worked on later though their topic has lost them",
        arguments: [1, 32]
    )
    func emptied(batch: Int) async throws {
        try await DeliveryBench.with(partitions: 2) { bench in
            // More than a worker holds.
            let ids = (0..<300).map { "p-\($0)" }
            try await bench.send(ids.map { ($0, $0) })
            let waiting = Self.worker(bench, batch: batch) { _ in
                throw Postponement(reason: "the teacher is away", wait: .milliseconds(100))
            }
            try await withServices([waiting]) {
                try await eventually("the offsets") { try await bench.lag() == 0 }
                let kinds = try await ParkedMessages.arrivals(limit: 5, from: bench.pool)
                #expect(kinds.total == ids.count)
                #expect(kinds.kinds.allSatisfy { $0.consumer == "tested" && !$0.reason.isEmpty })
                // None of them is parked.
                #expect(try await ParkedMessages.count(from: bench.pool) == 0)
                try await eventually("tries") {
                    try await ParkedMessages.arrivals(limit: 5, from: bench.pool).kinds
                        .contains { $0.reason == "the teacher is away" }
                }
            }
            #expect(try await Self.stored(bench.pool) == ids.count)
            let empty = try EmbeddedBroker(topics: [Topic.problems.rawValue: 1])
            defer { empty.stop() }
            let working = Self.worker(bench, broker: empty) { try DeliveryBench.effects(of: $0) }
            try await withServices([working]) {
                try await eventually("all effects") { try await bench.count("effects") == ids.count }
                try await eventually("an empty table") { try await Self.stored(bench.pool) == 0 }
            }
            #expect(Set(try await bench.effects()) == Set(ids))
            #expect(try await bench.count("effects") == ids.count)
            #expect(try await bench.count("inbox") == ids.count)
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("work that takes long keeps no message from being stored, and each key's messages are worked on in order")
    func longWork() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let working = Mutex((now: 0, most: 0))
            let worker = Self.worker(bench, concurrency: 2) { event in
                working.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                defer { working.withLock { $0.now -= 1 } }
                try await eventually("the gate") { gate.isOpen }
                return try DeliveryBench.effects(of: event, key: String(event.id.prefix { $0 != "-" }))
            }
            let keys = (0..<60).map { "k\($0)" }
            let rounds = [0, 1, 2]
            try await bench.send(rounds.flatMap { round in keys.map { (id: "\($0)-\(round)", key: $0) } })
            try await withServices([worker]) {
                try await eventually("the offsets") { try await bench.lag() == 0 }
                #expect(try await Self.stored(bench.pool) == 180)
                #expect(try await bench.count("effects") == 0)
                gate.open()
                try await eventually("all effects") { try await bench.count("effects") == 180 }
            }
            #expect(working.withLock { $0.most } <= 2)
            let ids = try await bench.effects()
            for key in keys {
                #expect(ids.filter { $0.hasPrefix("\(key)-") } == rounds.map { "\(key)-\($0)" })
            }
        }
    }

    @Test("what is not stored first is worked on at once, and behind the stored ones of its key it waits its turn")
    func others() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            // So many may be parked; what is stored, and what is behind it, is none of them.
            let worker = Self.worker(bench, limit: 1, storing: "waits") { event in
                if event.id.hasPrefix("waits"), !gate.isOpen {
                    throw Postponement(reason: "somebody", wait: .milliseconds(100))
                }
                return try DeliveryBench.effects(of: event)
            }
            let waiting = (0..<50).map { "waits-\($0)" }
            let good = (0..<20).map { "good-\($0)" }
            let behind = [(id: "behind-1", key: "waits-7"), (id: "behind-2", key: "waits-7")]
            try await bench.send(waiting.map { (id: $0, key: $0) } + behind + good.map { (id: $0, key: $0) })
            try await withServices([worker]) {
                try await eventually("the good ones") { try await bench.count("effects") == good.count }
                try await eventually("the offsets") { try await bench.lag() == 0 }
                #expect(try await Self.stored(bench.pool) == waiting.count + 2)
                #expect(try await ParkedMessages.list(limit: 5, from: bench.pool).isEmpty)
                gate.open()
                try await eventually("all effects") { try await bench.count("effects") == 72 }
            }
            let ids = try await bench.effects()
            let key = ["waits-7", "behind-1", "behind-2"]
            #expect(Set(ids) == Set(waiting + good + key))
            #expect(ids.filter { key.contains($0) } == key)
        }
    }

    @Test(
        "a message that the database refuses goes to the dead letters, and those beside it are stored",
        arguments: [1, 32]
    )
    func refused(batch: Int) async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await bench.pool.execute("ALTER TABLE parked_messages ADD CHECK (key <> 'bad'::bytea)")
            let worker = Self.worker(bench, batch: batch) { try DeliveryBench.effects(of: $0) }
            let good = ["p-1", "p-2", "p-3"]
            try await bench.send((["bad"] + good).map { ($0, $0) })
            try await withServices([worker]) {
                try await eventually("the offsets") { try await bench.lag() == 0 }
                try await eventually("the effects") { try await bench.count("effects") == good.count }
            }
            #expect(Set(try await bench.effects()) == Set(good))
            let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
            #expect(letters.map(\.cause.code) == ["rejected-by-database"])
        }
    }

    // MARK: Ends of processes

    @Test("what a killed process had stored and claimed is worked on once, though it comes from the topic again")
    func killed() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let left = try (0..<3).map { try DeliveryBench.message("p-\($0)", key: "p-\($0)", offset: Int64($0)) }
            try await ParkedMessages.store(left, of: "tested", in: bench.pool)
            let claimed = try await ParkedMessages.claim(
                for: "tested",
                by: "dead",
                lasting: .seconds(1),
                from: bench.pool
            )
            #expect(claimed?.message == left[0])
            // They come again.
            try await bench.send((0..<5).map { ("p-\($0)", "p-\($0)") })
            let calls = Tally()
            let worker = Self.worker(bench) { event in
                calls.add(event.id)
                return try DeliveryBench.effects(of: event)
            }
            try await withServices([worker]) {
                try await eventually("all effects") { try await bench.count("effects") >= 5 }
                try await eventually("an empty table") { try await Self.stored(bench.pool) == 0 }
                try await eventually("the offsets") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == Set((0..<5).map { "p-\($0)" }))
            #expect(try await bench.count("effects") == 5)
            #expect((0..<5).allSatisfy { calls["p-\($0)"] == 1 })
        }
    }

    @Test(
        "a stored message ends as any does: tried until it succeeds, recognised, or among the dead letters and replayed"
    )
    func ends() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let gate = Gate()
            let worker = Self.worker(bench) { event in
                let attempt = tries.add(event.id)
                if event.id == "fails", attempt < 4 { throw PlantedError() }
                if event.id == "bad", !gate.isOpen { throw PermanentFailure(code: "poisoned", message: "as planted") }
                return try DeliveryBench.effects(of: event)
            }
            try await bench.pool.execute(
                """
                INSERT INTO work_begun (consumer, event_id, topic, source, tries)
                VALUES ('tested', 'killer', \(Topic.problems.rawValue), '/test', 5)
                """
            )
            try await bench.send(["fails", "twice", "twice", "bad", "killer"].map { ($0, $0) })
            var other = try OutgoingEvent(
                ProblemEvent(id: "twice", dataset: "d", split: .train, question: "2+2?", answer: "4"),
                source: "/test",
                time: Date(timeIntervalSince1970: 1_700_000_000)
            ).record()
            other.key = Data("twice".utf8)
            _ = try await bench.producer.send([other])
            try await withServices([worker]) {
                try await eventually("effects and dead letters") {
                    let letters = try await bench.count("dead_letters")
                    return try await bench.count("effects") == 2 && letters == 3
                }
                try await eventually("an empty table") { try await Self.stored(bench.pool) == 0 }
                let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
                #expect(Set(letters.map(\.cause.code)) == ["event-id-taken", "poisoned", "killed-its-worker"])
                #expect(tries["fails"] == 4)
                #expect(tries["twice"] == 1)
                #expect(tries["killer"] == 0)
                gate.open()
                let bad = try #require(letters.first { $0.cause.code == "poisoned" })
                #expect(try await DeadLetters.replay(id: bad.id, from: bench.pool, through: bench.producer))
                try await eventually("the replay") { try await bench.count("effects") == 3 }
            }
            #expect(Set(try await bench.effects()) == ["fails", "twice", "bad"])
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    // MARK: The parts

    @Test("messages are stored as they came and claimed in their order, and a worker does not claim its own again")
    func table() async throws {
        try await TestDatabase.withPool { pool in
            let messages = try (0..<40).map { try DeliveryBench.message("p-\($0)", key: "p-\($0)", offset: Int64($0)) }
            try await ParkedMessages.store(messages, of: "tested", in: pool)
            var claimed: [ParkedMessages.Claimed] = []
            for _ in messages {
                let next = try await ParkedMessages.claim(
                    for: "tested",
                    by: "one",
                    // Over at once.
                    lasting: .zero,
                    except: claimed.map(\.sequence),
                    from: pool
                )
                claimed.append(try #require(next))
            }
            #expect(claimed.map(\.message) == messages)
            #expect(claimed.allSatisfy { $0.isArrival && $0.tries == 0 && $0.age == .zero })
            let sequences = claimed.map(\.sequence)
            let own = try await ParkedMessages.claim(
                for: "tested",
                by: "one",
                lasting: .zero,
                except: sequences,
                from: pool
            )
            #expect(own?.sequence == nil)
            // Its age counts from its first try on, not from when it came or was tried last.
            try await pool.execute("UPDATE parked_messages SET first_seen = now() - interval '100 s'")
            let again = try await ParkedMessages.claim(for: "tested", by: "two", lasting: .seconds(60), from: pool)
            #expect(again?.message == messages[0])
            #expect((again?.age ?? .zero) >= .seconds(100))
        }
    }

    @Test("a claim for newcomers takes one that was never tried before all that were, and every second claim is one")
    func newcomers() async throws {
        try await TestDatabase.withPool { pool in
            let messages = try (0..<3).map { try DeliveryBench.message("p-\($0)", key: "p-\($0)", offset: Int64($0)) }
            try await ParkedMessages.store(Array(messages[..<2]), of: "tested", in: pool)
            try await pool.execute("UPDATE parked_messages SET first_seen = now()")
            try await ParkedMessages.store([messages[2]], of: "tested", in: pool)
            func claim(newcomers: Bool) async throws -> KafkaMessage? {
                try await ParkedMessages.claim(
                    for: "tested",
                    by: "one",
                    lasting: .seconds(60),
                    newcomers: newcomers,
                    from: pool
                )?.message
            }
            #expect(try await claim(newcomers: true) == messages[2])
            #expect(try await claim(newcomers: true) == nil)
            #expect(try await claim(newcomers: false) == messages[0])
        }
        let parked = ParkedWork()
        #expect((0..<4).map { _ in parked.takesTurn() } == [true, false, true, false])
    }

    @Test("a message whose time no database holds is stored without it", arguments: [1.7e12, -1e12])
    func impossibleTime(seconds: Double) async throws {
        try await TestDatabase.withPool { pool in
            let time = Date(timeIntervalSince1970: seconds)
            let messages = try (0..<2).map { offset in
                try DeliveryBench.message("p-\(offset)", key: "p-\(offset)", offset: Int64(offset), sentAt: time)
            }
            try await ParkedMessages.store([messages[0]], of: "tested", in: pool)
            let isParked = try await ParkedMessages.add(
                messages[1],
                of: "tested",
                age: .zero,
                tries: 0,
                wait: .zero,
                reason: "somebody",
                limit: 1,
                in: pool
            )
            #expect(isParked)
            for message in messages {
                let claimed = try await ParkedMessages.claim(
                    for: "tested",
                    by: "one",
                    lasting: .seconds(60),
                    from: pool
                )
                #expect(claimed?.message.offset == message.offset)
                #expect(claimed != nil && claimed?.message.timestamp == nil)
            }
        }
    }

    @Test("a worker rests when all its tries in a row are in vain, and not when one was not")
    func rest() {
        let parked = ParkedWork()
        for _ in 0..<3 { parked.tried(inVain: true) }
        #expect(!parked.isToRest(after: 4))
        parked.tried(inVain: true)
        #expect(parked.isToRest(after: 4))
        #expect(!parked.isToRest(after: 4))
        for inVain in [true, true, true, false, true] { parked.tried(inVain: inVain) }
        #expect(!parked.isToRest(after: 4))
    }

    @Test(
        "the oldest message in the room is as old as its sending, or its coming where that is longer ago, until it leaves"
    )
    func oldestInRoom() async throws {
        let held = HeldMessages()
        let room = MessageRoom(messages: 4, held: held)
        let now = Date(timeIntervalSinceReferenceDate: 800_000_000)
        func message(_ offset: Int64, sent: Date?) -> KafkaMessage {
            KafkaMessage(topic: "t", partition: 0, offset: offset, key: nil, value: nil, timestamp: sent)
        }
        func age(after later: Duration = .zero) -> Duration { held.oldestAge(at: .now + later, date: now) }
        #expect(age() == .zero)
        let (old, new) = (message(1, sent: now - 90), message(2, sent: now - 5))
        let (ahead, unknown) = (message(3, sent: now + 60), message(4, sent: nil))
        for one in [new, old, ahead, unknown] { try await room.enter(one) }
        #expect(age() == .seconds(90))
        room.leave(old)
        // The fourth has waited for its turn, and whoever sent the third has another clock.
        #expect((Duration.seconds(40)..<Duration.seconds(80)).contains(age(after: .seconds(40))))
        for one in [new, ahead] { room.leave(one) }
        #expect((Duration.seconds(40)..<Duration.seconds(80)).contains(age(after: .seconds(40))))
        room.leave(unknown)
        #expect(age(after: .seconds(40)) == .zero)
    }

    @Test("the room is full by bytes as by messages, and one message that is larger than all of it has it for itself")
    func room() async throws {
        @Sendable func message(_ bytes: Int) -> KafkaMessage {
            KafkaMessage(topic: "t", partition: 0, offset: 0, key: nil, value: Data(repeating: 0, count: bytes))
        }
        let room = MessageRoom(messages: 4, bytes: 100)
        try await room.enter(message(40))
        #expect(!room.isCrowded(beside: 0))
        try await room.enter(message(20))
        #expect(room.isCrowded(beside: 0))
        let entered = Gate()
        let large = Task {
            try await room.enter(message(1_000))
            entered.open()
        }
        room.leave(message(20))
        for _ in 0..<100 { await Task.yield() }
        #expect(!entered.isOpen)
        room.leave(message(40))
        try await large.value
        #expect(entered.isOpen)
        room.leave(message(1_000))
        for _ in 0..<3 { try await room.enter(message(0)) }
        #expect(room.isCrowded(beside: 0))
        #expect(!room.isCrowded(beside: 1))
    }
}
