import Foundation
import KafkaClient
import PostgresClient
import Schemas
import Synchronization
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Messages that share a transaction")
struct DeliveryBatchTests {
    private static func problem(_ id: String, key: String, answer: String = "2") -> KafkaRecord {
        KafkaRecord(
            topic: Topic.problems.rawValue,
            key: Data(key.utf8),
            value: Data(#"{"id":"\#(id)","dataset":"d","split":"train","question":"1+1?","answer":"\#(answer)"}"#.utf8),
            headers: [
                KafkaHeader(key: "ce_specversion", text: "1.0"), KafkaHeader(key: "ce_id", text: id),
                KafkaHeader(key: "ce_source", text: "/test"), KafkaHeader(key: "ce_type", text: "errata.problem.v1"),
                KafkaHeader(key: "content-type", text: "application/json"),
            ]
        )
    }

    /// Counts the INSERT statements on a table from now on.
    private static func countStatements(on table: String, in pool: PostgresPool) async throws {
        let sequence = table + "_statements"
        try await pool.execute("CREATE SEQUENCE \(identifier: sequence)")
        try await pool.execute(
            """
            CREATE OR REPLACE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval((TG_TABLE_NAME || '_statements')::regclass);
                RETURN NULL;
            END $$
            """
        )
        try await pool.execute(
            """
            CREATE TRIGGER counted AFTER INSERT ON \(identifier: table)
            FOR EACH STATEMENT EXECUTE FUNCTION count_statement()
            """
        )
    }

    private static func statements(on table: String, in pool: PostgresPool) async throws -> Int {
        let sequence = table + "_statements"
        return try await pool.value(
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM \(identifier: sequence)",
            as: Int.self
        )
    }

    /// The rows of `effects`, by key in their order.
    private static func effectsByKey(_ bench: DeliveryBench) async throws -> [String: [String]] {
        let rows = try await bench.pool.query("SELECT event_id, key FROM effects ORDER BY sequence")
        var result: [String: [String]] = [:]
        for row in rows {
            result[try row.get("key", as: String.self), default: []].append(try row.get("event_id", as: String.self))
        }
        return result
    }

    // MARK: Effects

    @Test("a batch is prepared for at once, its changes of a kind are made together, and one by one where that fails")
    func prepared() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await bench.pool.execute("CREATE TABLE prepared (event_id text NOT NULL, beside integer NOT NULL)")
            try await Self.countStatements(on: "prepared", in: bench.pool)
            let keys = (0..<60).map { "k-\($0)" }
            let fails = Mutex(false)
            let sizes = Mutex<[Int]>([])
            var processor = ClosureProcessor(batchLimit: 20) { try DeliveryBench.effects(of: $0) }
            processor.prepares = { events in
                sizes.withLock { $0.append(events.count) }
                if fails.withLock({ $0 }) { throw StageFault() }
            }
            let worker = EffectsWorker(
                processor: processor,
                pool: bench.pool,
                kafka: bench.broker.configuration,
                logger: quiet,
                concurrency: 4
            )
            try await bench.send(keys.map { (id: $0, key: $0) })
            try await withServices([worker]) {
                try await eventually("all effects") { try await bench.count("effects") == 60 }
                #expect(try await bench.count("prepared") == 60)
                let made = try await Self.statements(on: "prepared", in: bench.pool)
                #expect(made == sizes.withLock { $0.count } && made < 60)
                let shares = "SELECT sum(1.0 / beside)::float8 FROM prepared" as SQL
                #expect(abs(try await bench.pool.value(shares, as: Double.self) - Double(made)) < 1e-6)

                fails.withLock { $0 = true }
                try await bench.send(keys.map { (id: "late-\($0)", key: $0) })
                try await eventually("the late effects") { try await bench.count("effects") == 120 }
                #expect(try await bench.count("prepared") == 60)
            }
            #expect(try await bench.count("inbox") == 120)
        }
    }

    private struct StageFault: Error {}

    @Test("inbox and outbox take a batch in a statement each, and everything happens once and in the order of its key")
    func statements() async throws {
        try await DeliveryBench.with(partitions: 2) { bench in
            for table in ["inbox", "outbox"] { try await Self.countStatements(on: table, in: bench.pool) }
            let keys = (0..<100).map { "k-\($0)" }
            let problems = (0..<4).flatMap { round in keys.map { (id: "\($0)-\(round)", key: $0) } }
            try await bench.send(problems)
            // One batch at a time, so that the next one fills up meanwhile.
            let worker = bench.worker(concurrency: 1, batch: 50) { event in
                let key = event.id.split(separator: "-").prefix(2).joined(separator: "-")
                return try DeliveryBench.effects(of: event, key: key)
            }
            try await withServices([worker]) {
                try await eventually("all effects") { try await bench.count("effects") == problems.count }
            }
            let effects = try await Self.effectsByKey(bench)
            for key in keys { #expect(effects[key] == (0..<4).map { "\(key)-\($0)" }) }
            #expect(try await bench.count("outbox") == problems.count)
            #expect(try await bench.count("work_begun") == 0)
            #expect(try await bench.lag() == 0)
            for table in ["inbox", "outbox"] {
                let statements = try await Self.statements(on: table, in: bench.pool)
                #expect(statements <= problems.count / 4, "\(table): \(statements)")
            }
        }
    }

    @Test(
        "a poisoned message among fifty goes to the dead letters, the others have their effects once and in order",
        arguments: [true, false]
    )
    func poison(inTransaction: Bool) async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let worker = bench.worker(batch: 50) { event in
                tries.add(event.id)
                let key = String(event.id.prefix { $0 != "-" })
                var effects = try DeliveryBench.effects(of: event, key: key)
                guard event.id == "f-2" else { return effects }
                let failure = PermanentFailure(code: "poisoned", message: "as planted")
                guard inTransaction else { throw failure }
                let change = effects.change
                effects.change = { transaction in
                    try await change(transaction)
                    throw failure
                }
                return effects
            }
            let keys = "abcdefghij".map { String($0) }
            try await bench.send((0..<5).flatMap { round in keys.map { (id: "\($0)-\(round)", key: $0) } })
            try await withServices([worker]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            let effects = try await Self.effectsByKey(bench)
            for key in keys {
                #expect(effects[key] == (0..<5).map { "\(key)-\($0)" }.filter { $0 != "f-2" })
            }
            // A dead letter is an event too.
            #expect(try await bench.count("outbox") == 50)
            let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
            #expect(letters.map(\.cause.code) == ["poisoned"])
            // Once in the batch and once by itself.
            #expect(tries["f-2"] == 2)
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("what fails for a while, or is postponed, holds up its own key alone, and is tried until it succeeds")
    func transient() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let tries = Tally()
            let worker = bench.worker(batch: 20) { event in
                tries.add(event.id)
                if !gate.isOpen {
                    if event.id == "fails-0" { throw PlantedError() }
                    if event.id == "waits-0" { throw Postponement(reason: "somebody", wait: .milliseconds(100)) }
                }
                return try DeliveryBench.effects(of: event, key: String(event.id.prefix { $0 != "-" }))
            }
            let keys = ["fails", "waits"] + (0..<30).map { "good\($0)" }
            try await bench.send((0..<2).flatMap { round in keys.map { (id: "\($0)-\(round)", key: $0) } })
            try await withServices([worker]) {
                try await eventually("the good ones") {
                    try await bench.count("effects") == 60 && tries["fails-0"] > 3 && tries["waits-0"] > 2
                }
                #expect(tries["fails-1"] == 0)
                #expect(tries["waits-1"] == 0)
                gate.open()
                try await eventually("all") { try await bench.lag() == 0 }
            }
            let effects = try await Self.effectsByKey(bench)
            for key in keys { #expect(effects[key] == ["\(key)-0", "\(key)-1"]) }
            #expect(try await bench.count("dead_letters") == 0)
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    // MARK: Repeats

    @Test("an event that comes several times in a batch, under its key and under others, has its effects once")
    func repeats() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let worker = bench.worker(concurrency: 1, batch: 20) { try DeliveryBench.effects(of: $0) }
            let records = ["a", "b", "a", "c"].map { Self.problem("same", key: $0) }
            _ = try await bench.producer.send(records + [Self.problem("last", key: "a")])
            try await withServices([worker]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            #expect(try await bench.effects() == ["same", "last"])
            #expect(try await bench.count("outbox") == 2)
            #expect(try await bench.count("dead_letters") == 0)
        }
    }

    @Test("a second body under an id in a batch is a dead letter, and the first has its effects")
    func taken() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let worker = bench.worker(concurrency: 1, batch: 20) { try DeliveryBench.effects(of: $0) }
            _ = try await bench.producer.send([
                Self.problem("same", key: "a"), Self.problem("other", key: "b"),
                Self.problem("same", key: "c", answer: "3"), Self.problem("same", key: "a", answer: "4"),
            ])
            try await withServices([worker]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == ["same", "other"])
            #expect(try await bench.count("effects") == 2)
            let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
            #expect(letters.map(\.cause.code) == ["event-id-taken", "event-id-taken"])
        }
    }

    @Test("what was committed and whose offsets were not comes again and has no effects again")
    func offsetsLost() async throws {
        try await DeliveryBench.with(partitions: 2) { bench in
            let ids = (0..<60).map { "p-\($0)" }
            try await bench.send(ids.map { ($0, $0) })
            try bench.broker.injectErrors(Array(repeating: .rebalanceInProgress, count: 1_000), into: .offsetCommit)
            let calls = Tally()
            try await withServices([
                bench.worker(batch: 20) { event in
                    calls.add(event.id)
                    return try DeliveryBench.effects(of: event)
                }
            ]) {
                try await eventually("all effects") { try await bench.count("effects") == 60 }
            }
            #expect(try await bench.lag() == 60)
            try bench.broker.clearErrors(of: .offsetCommit)
            try await withServices([
                bench.worker(batch: 20) { event in
                    calls.add(event.id)
                    return try DeliveryBench.effects(of: event)
                }
            ]) {
                try await eventually("the offsets") { try await bench.lag() == 0 }
            }
            #expect(try await bench.count("effects") == 60)
            #expect(calls.names == Set(ids))
            #expect(ids.allSatisfy { calls[$0] == 1 })
        }
    }

    @Test("partitions that move while batches are in work lose and double nothing")
    func rebalance() async throws {
        try await DeliveryBench.with(partitions: 4) { bench in
            func worker(_ name: String) -> EffectsWorker<ClosureProcessor> {
                bench.worker(batch: 20) { event in try DeliveryBench.effects(of: event, worker: name) }
            }
            var sent = 0
            func sendMore(_ count: Int) async throws {
                try await bench.send((sent..<(sent + count)).map { ("p-\($0)", "p-\($0)") })
                sent += count
            }
            try await sendMore(300)
            try await withServices([worker("stays")]) {
                try await withServices([worker("leaves")]) {
                    // In turns, so that a group that takes long to form is not given ever more to do.
                    try await eventually("both to work") {
                        try await sendMore(20)
                        try await Task.sleep(for: .milliseconds(200))
                        return Set(try await bench.effects(column: "worker")) == ["stays", "leaves"]
                    }
                    try await sendMore(300)
                }
                try await eventually("all effects") { try await bench.count("effects") >= sent }
                try await eventually("all offsets") { try await bench.lag() == 0 }
            }
            let ids = try await bench.effects()
            #expect(ids.count == sent)
            #expect(Set(ids) == Set((0..<sent).map { "p-\($0)" }))
            #expect(try await bench.count("outbox") == sent)
            #expect(try await bench.count("dead_letters") == 0)
        }
    }

    // MARK: Ends of processes

    @Test("messages over which processes ended are put out of their batch: worked on alone, or buried")
    func suspects() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            for (id, tries) in [("suspect", 2), ("killer", 5)] {
                try await bench.pool.execute(
                    """
                    INSERT INTO work_begun (consumer, event_id, topic, source, tries)
                    VALUES ('tested', \(id), \(Topic.problems.rawValue), '/test', \(tries))
                    """
                )
            }
            let working = Mutex(0)
            let beside = Tally()
            let worker = bench.worker(concurrency: 8, batch: 20) { event in
                working.withLock { $0 += 1 }
                defer { working.withLock { $0 -= 1 } }
                for _ in 0..<20 {
                    await Task.yield()
                    if event.id == "suspect" { beside.add("\(working.withLock { $0 })") }
                }
                return try DeliveryBench.effects(of: event)
            }
            var ids = (0..<40).map { "p-\($0)" }
            ids.insert("suspect", at: 10)
            ids.insert("killer", at: 15)
            try await bench.send(ids.map { ($0, $0) })
            try await withServices([worker]) {
                try await eventually("all") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == Set(ids).subtracting(["killer"]))
            #expect(try await bench.count("effects") == 41)
            #expect(beside.names == ["1"])
            let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
            #expect(letters.map(\.cause.code) == ["killed-its-worker"])
            #expect(try await bench.count("work_begun") == 0)
        }
    }

    @Test("the tries of a batch are counted in one statement, all but those of suspects, and taken back together")
    func begun() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.countStatements(on: "work_begun", in: pool)
            func event(_ number: Int) -> (event: EventIdentity, message: KafkaMessage) {
                let topic = Topic.problems
                let received = ReceivedEvent(
                    topic: topic,
                    partition: 0,
                    offset: Int64(number),
                    attributes: CloudEvent(id: "e-\(number)", source: "/test", type: "errata.problem.v1"),
                    data: Data()
                )
                let message = KafkaMessage(
                    topic: topic.rawValue,
                    partition: 0,
                    offset: Int64(number),
                    key: nil,
                    value: nil
                )
                return (EventIdentity(of: received), message)
            }
            let events = (0..<30).map(event)
            for _ in 0..<2 {
                // A process that ends without a word.
                let process = BegunWork(consumer: "tested", pool: pool, window: 100, limit: 4, logger: quiet)
                let refused = try await process.begin([events[3]])
                #expect(refused.isEmpty)
            }
            let process = BegunWork(consumer: "tested", pool: pool, window: 100, limit: 4, logger: quiet)
            #expect(try await process.begin(events) == [events[3].event])
            #expect(try await Self.statements(on: "work_begun", in: pool) == 3)
            #expect(try await pool.value("SELECT count(*) FROM work_begun", as: Int.self) == 30)
            await process.ended(events.filter { $0.event.id != "e-3" }.map(\.event))
            #expect(try await pool.values("SELECT event_id FROM work_begun", as: String.self) == ["e-3"])
        }
    }

    // MARK: The tables

    @Test("events of one statement keep their order, and another event under the id of one of them is refused")
    func outbox() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await Self.countStatements(on: "outbox", in: bench.pool)
            // Out of the order of their ids.
            let numbers = Array((0..<600).reversed())
            let events = try numbers.map { try DeliveryBench.attempt(at: "p", cause: "e-\($0)") }
            try await bench.pool.withTransaction { try await Outbox.enqueue(events + events.prefix(5), in: $0) }
            let ids = try await bench.pool.values("SELECT event_id FROM outbox ORDER BY sequence", as: String.self)
            #expect(ids == events.map(\.attributes.id))
            #expect(try await Self.statements(on: "outbox", in: bench.pool) == 2)
            let new = try DeliveryBench.attempt(at: "p", cause: "new")
            let other = try DeliveryBench.attempt(at: "p", cause: "new", output: "3")
            await #expect(throws: PermanentFailure.self) {
                try await bench.pool.withTransaction { try await Outbox.enqueue([new, other], in: $0) }
            }
            #expect(try await bench.count("outbox") == 600)
        }
    }

    @Test("a lane whose message is in a batch stays open until nothing waits in it")
    func lanes() throws {
        let lanes = KeyedLanes()
        func message(_ offset: Int64) -> KafkaMessage {
            KafkaMessage(topic: "t", partition: 0, offset: offset, key: Data("k".utf8), value: nil)
        }
        let lane = try #require(lanes.add(message(0)))
        #expect(lanes.take(from: lane)?.offset == 0)
        #expect(lanes.add(message(1)) == nil)
        #expect(!lanes.close(lane))
        #expect(lanes.take(from: lane)?.offset == 1)
        #expect(lanes.take(from: lane) == nil)
        #expect(lanes.close(lane))
        #expect(lanes.add(message(2)) == lane)
    }
}
