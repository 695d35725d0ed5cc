import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import ServiceRuntime

/// Opens once.
final class Gate: Sendable {
    private let isOpenFlag = Atomic<Bool>(false)
    var isOpen: Bool { isOpenFlag.load(ordering: .acquiring) }
    func open() { isOpenFlag.store(true, ordering: .releasing) }
}

@Suite("The exactly-once-effects worker")
struct DeliveryWorkerTests {
    @Test("effects, inbox and outbox are one transaction: work that throws at its end leaves nothing and is retried")
    func oneTransaction() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let left = Mutex<[Int]>([])
            let worker = bench.worker { event in
                let attempt = tries.add(event.id)
                if attempt == 2 {
                    var counts: [Int] = []
                    for table in ["effects", "inbox", "outbox"] { counts.append(try await bench.count(table)) }
                    left.withLock { $0 = counts }
                }
                var effects = try DeliveryBench.effects(of: event)
                let change = effects.change
                effects.change = { transaction in
                    try await change(transaction)
                    if attempt == 1 { throw PlantedError() }
                }
                return effects
            }
            try await bench.send([("p-1", "p-1")])
            try await withServices([worker]) {
                try await eventually("the effect") { try await bench.count("effects") > 0 }
            }
            #expect(left.withLock { $0 } == [0, 0, 0])
            #expect(tries["p-1"] == 2)
            #expect(try await bench.effects() == ["p-1"])
            let inbox = try #require(try await bench.pool.first("SELECT * FROM inbox"))
            #expect(try inbox.get("consumer", as: String.self) == "tested")
            #expect(try inbox.get("event_id", as: String.self) == "p-1")
            #expect(try inbox.get("topic", as: String.self) == Topic.problems.rawValue)
            let events = try await bench.pool.values("SELECT event_id FROM outbox", as: String.self)
            #expect(events == [DeterministicID.make(cause: "p-1", parts: "attempt")])
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("an event id that comes several times, even at the same time under several keys, has one effect")
    func duplicates() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let calls = Tally()
            let worker = bench.worker { event in
                let call = calls.add(event.id)
                if event.id == "same", call <= 3 {
                    // All three deliveries have passed the look into the inbox before any of them goes on.
                    try await eventually("three concurrent deliveries") { calls["same"] >= 3 }
                }
                return try DeliveryBench.effects(of: event)
            }
            // Different keys, so that nothing keeps them apart.
            try await bench.send([("same", "a"), ("same", "b"), ("same", "c")])
            try await withServices([worker]) {
                try await eventually("the effect") { try await bench.count("effects") > 0 }
                try await bench.send([("same", "a"), ("other", "a")])
                try await eventually("the event behind it") { try await bench.effects().contains("other") }
            }
            #expect(try await bench.effects() == ["same", "other"])
            #expect(calls["same"] == 3)
            #expect(try await bench.count("outbox") == 2)
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("a plain JSON body without headers is an event of its topic, and the same body twice is one event")
    func plainBody() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let body = #"{"id":"p-9","dataset":"d","split":"test","question":"1+1?","answer":"2"}"#
            let topic = Topic.problems.rawValue
            func record(_ key: String?) -> KafkaRecord {
                KafkaRecord(topic: topic, key: key.map { Data($0.utf8) }, value: Data(body.utf8))
            }
            _ = try await bench.producer.send([record("p-9"), record("p-9"), record(nil), record(nil)])
            let worker = bench.worker { event in
                #expect(event.attributes.eventType == .problem)
                return try DeliveryBench.effects(of: event)
            }
            try await withServices([worker]) {
                try await bench.send([("last", "p-9")])
                try await eventually("the last event") { try await bench.effects().contains("last") }
                try await eventually("all offsets") { try await bench.lag() == 0 }
            }
            // One with the key and one without.
            let ids = try await bench.effects()
            #expect(ids.count == 3)
            #expect(Set(ids).count == 3)
            #expect(try await bench.effects(column: "key").filter { $0 == "p-9" }.count == 2)
        }
    }

    @Test("while one key fails transiently the others go on; its own order and its offset are kept")
    func stuckKey() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let keys = ["a", "b", "c", "d", "e", "f"]
            var problems: [(id: String, key: String)] = []
            for index in 0..<15 { for key in keys { problems.append(("\(key)-\(index)", key)) } }
            try await bench.send(problems)
            let failures = Tally()
            let worker = bench.worker { event in
                let key = String(event.id.prefix(1))
                if key == "a", !gate.isOpen {
                    failures.add(event.id)
                    throw PlantedError()
                }
                return try DeliveryBench.effects(of: event, key: key)
            }
            try await withServices([worker]) {
                try await eventually("the other keys") {
                    try await bench.count("effects") == 75 && failures["a-0"] > 2
                }
                #expect(try await !bench.effects(column: "key").contains("a"))
                // The stuck message is the partition's first: after a crash now, everything comes again.
                #expect(try await bench.lag() == 90)
                gate.open()
                try await eventually("the stuck key") { try await bench.count("effects") == 90 }
            }
            #expect(failures.names == ["a-0"])
            let ids = try await bench.effects()
            for key in keys {
                #expect(ids.filter { $0.hasPrefix(key) } == (0..<15).map { "\(key)-\($0)" })
            }
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("graceful shutdown finishes what is in flight and commits it, so that the next worker gets nothing again")
    func gracefulShutdown() async throws {
        try await DeliveryBench.with(partitions: 2) { bench in
            let gate = Gate()
            let started = Tally()
            let worker = bench.worker { event in
                started.add(event.id)
                try await eventually("the gate") { gate.isOpen }
                return try DeliveryBench.effects(of: event)
            }
            let ids = (0..<6).map { "p-\($0)" }
            for (index, id) in ids.enumerated() { try await bench.send([(id, id)], partition: Int32(index % 2)) }
            // The shutdown begins while work is in flight; only then is the work let end.
            let service = ShutdownHook(service: worker) { gate.open() }
            try await withServices([service]) {
                try await eventually("work in flight") { !started.names.isEmpty }
                #expect(try await bench.count("effects") == 0)
            }
            let settled = try await bench.effects()
            #expect(Set(settled) == started.names)
            #expect(Set(settled).count == settled.count)
            #expect(try await bench.lag() == Int64(ids.count - settled.count))

            // Without the inbox only the committed offsets keep the next worker from doing the work again.
            try await bench.pool.execute("DELETE FROM inbox")
            let again = Tally()
            let second = bench.worker { event in
                again.add(event.id)
                return try DeliveryBench.effects(of: event)
            }
            for partition in Int32(0)..<2 {
                try await bench.send([("last-\(partition)", "k-\(partition)")], partition: partition)
            }
            try await withServices([second]) {
                try await eventually("the sentinels") { again.names.isSuperset(of: ["last-0", "last-1"]) }
            }
            #expect(again.names == Set(ids).subtracting(settled).union(["last-0", "last-1"]))
            #expect(try await bench.lag() == 0)
            let all = try await bench.effects()
            #expect(all.count == Set(all).count)
        }
    }

    @Test("the last commit is tried again when it fails for a moment, so that nothing comes again")
    func lastCommit() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let started = Tally()
            let worker = bench.worker { event in
                started.add(event.id)
                try await eventually("the gate") { gate.isOpen }
                return try DeliveryBench.effects(of: event)
            }
            try await bench.send([("p-1", "p-1")])
            // The work ends after the shutdown has begun: its offset is for the last commit, and for a regular one at
            // most once before it.
            let service = ShutdownHook(service: worker) {
                try bench.broker.injectErrors(Array(repeating: .rebalanceInProgress, count: 3), into: .offsetCommit)
                gate.open()
            }
            try await withServices([service]) {
                try await eventually("work in flight") { started["p-1"] == 1 }
            }
            #expect(try await bench.effects() == ["p-1"])
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("a last commit that fails for good does not hold the shutdown up, and its messages come again")
    func lastCommitFails() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let started = Tally()
            let worker = bench.worker { event in
                started.add(event.id)
                try await eventually("the gate") { gate.isOpen }
                return try DeliveryBench.effects(of: event)
            }
            try await bench.send([("p-1", "p-1")])
            let service = ShutdownHook(service: worker) {
                try bench.broker.injectErrors(Array(repeating: .rebalanceInProgress, count: 100), into: .offsetCommit)
                gate.open()
            }
            try await withServices([service]) {
                try await eventually("work in flight") { started["p-1"] == 1 }
            }
            #expect(try await bench.effects() == ["p-1"])
            #expect(try await bench.lag() == 1)
            try bench.broker.clearErrors(of: .offsetCommit)
            try await withServices([bench.worker { try DeliveryBench.effects(of: $0) }]) {
                try await eventually("the offset") { try await bench.lag() == 0 }
            }
            #expect(try await bench.effects() == ["p-1"])
        }
    }

    @Test("many keys that fail hold up no other, and no key waits for one that hashes alike")
    func failingKeysHoldNobodyUp() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let failures = Tally()
            // Twice as many failing keys as messages are worked on at a time.
            let failing = (0..<8).map { "bad-\($0)" }
            // Within what is held in memory.
            let good = (0..<20).map { "good-\($0)" }
            let worker = EffectsWorker(
                processor: ClosureProcessor { event in
                    if event.id.hasPrefix("bad") {
                        failures.add(event.id)
                        throw PlantedError()
                    }
                    return try DeliveryBench.effects(of: event)
                },
                pool: bench.pool,
                kafka: bench.broker.configuration,
                logger: quiet,
                concurrency: 4,
                // Each fails once and then waits for longer than the test.
                backoff: Backoff(base: .seconds(7200), cap: .seconds(7200))
            )
            try await bench.send(failing.map { ($0, $0) } + good.map { ($0, $0) })
            try await withServices([worker]) {
                try await eventually("all good keys, while all bad ones wait") {
                    try await bench.count("effects") == good.count && failures.names == Set(failing)
                }
                // The bad ones are the partition's first.
                #expect(try await bench.lag() == Int64(failing.count + good.count))
            }
            try await withServices([bench.worker { try DeliveryBench.effects(of: $0) }]) {
                try await eventually("the bad keys") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == Set(failing + good))
            #expect(try await bench.count("effects") == failing.count + good.count)
        }
    }

    @Test("no more messages are worked on at a time than the concurrency, and no more held than eight times that")
    func bounds() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let gate = Gate()
            let working = Mutex((now: 0, most: 0))
            let seen = Tally()
            let worker = bench.worker(concurrency: 3) { event in
                working.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                defer { working.withLock { $0.now -= 1 } }
                seen.add(event.id)
                await Task.yield()
                if !gate.isOpen { throw PlantedError() }
                return try DeliveryBench.effects(of: event)
            }
            try await bench.send((0..<100).map { ("p-\($0)", "p-\($0)") })
            try await withServices([worker]) {
                try await eventually("everything in memory to have failed twice") {
                    (0..<24).allSatisfy { seen["p-\($0)"] > 1 }
                }
                #expect(seen.names.count == 24)
                gate.open()
                try await eventually("all effects") { try await bench.count("effects") == 100 }
            }
            #expect(working.withLock { $0.most } <= 3)
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("a message that waits for what never comes is buried in the end with the reason, and the rest goes on")
    func waitsInVain() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let failure = PermanentFailure(code: "never-came", message: "nobody came")
            let first = Mutex(ContinuousClock.now)
            let worker = bench.worker { event in
                let attempt = tries.add(event.id)
                var patience = Duration.seconds(3600)
                switch (event.id, attempt) {
                case ("vain", 1): first.withLock { $0 = .now }
                case ("vain", 2): break
                // Over however slow the machine is, and only where it counts from the first try.
                case ("vain", _): patience = first.withLock { $0.duration(to: .now) }
                // What comes in time is worked on.
                case ("late", ..<3): break
                default: return try DeliveryBench.effects(of: event)
                }
                throw Postponement(reason: "test", wait: .milliseconds(100), end: .init(after: patience, failure))
            }
            try await bench.send([("vain", "a"), ("late", "b"), ("behind", "a")])
            try await withServices([worker]) {
                try await eventually("the end of all") { try await bench.lag() == 0 }
            }
            #expect(Set(try await bench.effects()) == ["late", "behind"])
            #expect(tries["late"] == 3)
            #expect(tries["vain"] == 3)
            let letters = try await DeadLetters.list(limit: 3, from: bench.pool)
            #expect(letters.map(\.cause.code) == ["never-came"])
            #expect(letters.first?.cause.message == "nobody came")
        }
    }

    @Test("graceful shutdown gives up a message that waits for its next try, and it comes again")
    func shutdownDuringBackoff() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let failures = Tally()
            let worker = EffectsWorker(
                processor: ClosureProcessor { event in
                    guard event.id == "good" else {
                        failures.add(event.id)
                        throw PlantedError()
                    }
                    return try DeliveryBench.effects(of: event)
                },
                pool: bench.pool,
                kafka: bench.broker.configuration,
                logger: quiet,
                // Longer than any test.
                backoff: Backoff(base: .seconds(7200), cap: .seconds(7200))
            )
            try await bench.send([("good", "good"), ("bad", "bad"), ("behind", "bad")])
            let ended = Gate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await withServices([worker]) {
                        try await eventually("the failure and the effect") {
                            try await bench.count("effects") == 1 && failures["bad"] == 1
                        }
                    }
                    ended.open()
                }
                group.addTask { try await eventually("the end of the worker", limit: .seconds(120)) { ended.isOpen } }
                while try await group.next() != nil {}
            }
            #expect(failures.names == ["bad"])
            #expect(failures["bad"] == 1)
            #expect(try await bench.lag() == 2)
            try await withServices([bench.worker { try DeliveryBench.effects(of: $0) }]) {
                try await eventually("the rest") { try await bench.lag() == 0 }
            }
            #expect(try await bench.effects() == ["good", "bad", "behind"])
        }
    }

    @Test("a processor that ends its own work by cancellation is retried like any other failure")
    func cancellationOfProcessor() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let tries = Tally()
            let worker = bench.worker { event in
                if tries.add(event.id) == 1 { throw CancellationError() }
                return try DeliveryBench.effects(of: event)
            }
            try await bench.send([("p-1", "p-1")])
            try await withServices([worker]) {
                try await eventually("the effect") { try await bench.count("effects") == 1 }
            }
            #expect(tries["p-1"] == 2)
            #expect(try await bench.lag() == 0)
        }
    }

    @Test("a worker whose memory is full of failing messages still ends when it is cancelled")
    func cancellation() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let failures = Tally()
            let worker = bench.worker(concurrency: 1) { event in
                failures.add(event.id)
                throw PlantedError()
            }
            // More than the worker keeps in memory.
            try await bench.send((0..<100).map { ("p-\($0)", "p-\($0)") })
            let ended = Gate()
            let running = Task {
                defer { ended.open() }
                try await worker.run()
            }
            try await eventually("failures") { (0..<8).allSatisfy { failures["p-\($0)"] > 3 } }
            running.cancel()
            try await eventually("the end of the worker") { ended.isOpen }
            #expect(failures.names == Set((0..<8).map { "p-\($0)" }))
            #expect(try await bench.lag() == 100)
        }
    }

    @Test("an event that the producer could not send sends its cause to the dead letters, by size and setting")
    func tooLargeEffect() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            var kafka = bench.broker.configuration
            kafka.settings["message.max.bytes"] = "5000"
            let worker = EffectsWorker(
                processor: ClosureProcessor { event in
                    var effects = try DeliveryBench.effects(of: event)
                    if event.id == "large" {
                        let output = String(repeating: "x", count: 6_000)
                        effects.events = [try DeliveryBench.attempt(at: "p", cause: event.id, output: output)]
                    }
                    return effects
                },
                pool: bench.pool,
                kafka: kafka,
                logger: quiet
            )
            try await bench.send([("large", "k"), ("small", "k")])
            try await withServices([worker]) {
                try await eventually("the message behind it") { try await bench.effects() == ["small"] }
            }
            let letter = try #require(try await DeadLetters.list(limit: 2, from: bench.pool).first)
            #expect(letter.cause.code == "too-large")
            #expect(letter.cause.message.contains("at most 5000"))
            #expect(letter.cause.message.contains("message.max.bytes"))
        }
    }

    @Test("two workers of a group share the partitions, and the one that stays takes over; nothing is lost or doubled")
    func twoWorkers() async throws {
        try await DeliveryBench.with(partitions: 4) { bench in
            func worker(_ name: String) -> EffectsWorker<ClosureProcessor> {
                bench.worker { event in try DeliveryBench.effects(of: event, worker: name) }
            }
            var sent = 0
            func sendMore(_ count: Int) async throws {
                try await bench.send((sent..<(sent + count)).map { ("p-\($0)", "p-\($0)") })
                sent += count
            }
            try await sendMore(200)
            try await withServices([worker("stays")]) {
                try await withServices([worker("leaves")]) {
                    try await eventually("both to work") {
                        try await sendMore(5)
                        try await Task.sleep(for: .milliseconds(50))
                        return Set(try await bench.effects(column: "worker")) == ["stays", "leaves"]
                    }
                    try await sendMore(200)
                }
                try await sendMore(100)
                try await eventually("all effects") { try await bench.count("effects") >= sent }
                // What was done but not committed when its partition moved comes again, is recognised, and is committed.
                try await eventually("all offsets") { try await bench.lag() == 0 }
            }
            let ids = try await bench.effects()
            #expect(sent >= 500)
            #expect(ids.count == sent)
            #expect(Set(ids) == Set((0..<sent).map { "p-\($0)" }))
            #expect(try await bench.count("outbox") == sent)
            #expect(try await bench.lag() == 0)
        }
    }
}

extension DeliveryWorkerTests {
    @Test("what is not begun when its partition goes to another member is left to that member")
    func notBegun() async throws {
        try await DeliveryBench.with(partitions: 2) { bench in
            let gates = ["stays": Gate(), "joins": Gate()]
            let begun = Beginnings()
            func worker(_ name: String) throws -> EffectsWorker<ClosureProcessor> {
                let gate = try #require(gates[name])
                return bench.worker(concurrency: 1) { event in
                    begun.add(event.id, by: name)
                    try await eventually("the gate of \(name)") { gate.isOpen }
                    return try DeliveryBench.effects(of: event, worker: name)
                }
            }
            let ids = (0..<2).map { partition in (0..<5).map { "\(partition)-\($0)" } }
            for (partition, ids) in ids.enumerated() {
                try await bench.send(ids.map { ($0, $0) }, partition: Int32(partition))
            }
            try await withServices([try worker("stays")]) {
                // It holds messages of both partitions, and works on one of them.
                try await eventually("the first") { begun["stays"].count == 1 }
                try await withServices([try worker("joins")]) {
                    try await eventually("a partition to go over") { begun["joins"].count == 1 }
                    let moved = try #require(begun["joins"].first?.first)
                    gates["stays"]?.open()
                    let kept = moved == "0" ? ids[1] : ids[0]
                    try await eventually("what stayed") {
                        Set(try await bench.effects()).isSuperset(of: kept)
                    }
                    let others = begun["stays"].dropFirst().filter { $0.first == moved }
                    #expect(others.isEmpty)
                    gates["joins"]?.open()
                    try await eventually("everything") { try await bench.lag() == 0 }
                }
            }
            let done = try await bench.effects()
            #expect(done.count == 10)
            #expect(Set(done) == Set(ids.joined()))
        }
    }
}

/// The events that each worker has begun, in order.
private final class Beginnings: Sendable {
    private let events = Mutex<[String: [String]]>([:])

    func add(_ event: String, by worker: String) {
        events.withLock { $0[worker, default: []].append(event) }
    }

    subscript(worker: String) -> [String] { events.withLock { $0[worker, default: []] } }
}

/// A service with a closure that runs when its graceful shutdown begins.
private struct ShutdownHook: Service {
    let service: any Service
    let onShutdown: @Sendable () throws -> Void

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask {
                try await ServiceLifecycle.gracefulShutdown()
                try onShutdown()
            }
            try await group.waitForAll()
        }
    }
}
