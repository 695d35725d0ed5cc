import Foundation
import Synchronization
import Testing

@testable import KafkaClient

@Suite("Consuming in a group")
struct ConsumerTests {
    private func filled(_ count: Int, partitions: Int = 1) async throws -> EmbeddedBroker {
        let broker = try EmbeddedBroker(topics: ["t": partitions])
        let producer = try KafkaProducer(broker.configuration)
        _ = try await producer.send(
            (0..<count).map {
                KafkaRecord(topic: "t", partition: Int32($0 % partitions), value: Data("\($0)".utf8))
            }
        )
        await producer.close()
        return broker
    }

    @Test("a group resumes after its last commit, and its lag is what is left")
    func resume() async throws {
        let broker = try await filled(100)
        let first = try KafkaConsumer(
            broker.configuration,
            group: "g",
            topics: ["t"],
            limits: .init(batchMessages: 40)
        )
        let batch = try await first.batches.take(1)
        #expect(!batch.isEmpty)
        try await first.commit(after: batch)
        #expect(try await first.committed().map(\.offset) == [Int64(batch.count)])
        let left = Int64(100 - batch.count)
        #expect(try await first.lag().values.reduce(0, +) == left)
        await first.close()
        let admin = try KafkaAdmin(broker.configuration)
        #expect(try await admin.lag(group: "g", topics: ["t"]).values.reduce(0, +) == left)
        let second = try KafkaConsumer(broker.configuration, group: "g", topics: ["t"])
        let rest = try await second.batches.take(100 - batch.count)
        #expect(rest.map(\.offset) == Array(Int64(batch.count)..<100))
        await second.close()
        await #expect(throws: KafkaError.self) { try await second.commit(after: rest) }
    }

    @Test("two members share the partitions, and one takes over when the other leaves")
    func rebalance() async throws {
        let broker = try await filled(8, partitions: 4)
        let settings = broker.configuration.with(["session.timeout.ms": "6000", "heartbeat.interval.ms": "200"])
        let first = try KafkaConsumer(settings, group: "g", topics: ["t"])
        let second = try KafkaConsumer(settings, group: "g", topics: ["t"])
        try await within("both to hold two partitions", limit: .seconds(90)) {
            var events = first.rebalances.makeAsyncIterator()
            while first.assignment.count != 2 {
                guard await events.next() != nil else { throw DeadlinePassed(what: "events") }
            }
        }
        try await within("the second's share", limit: .seconds(90)) {
            var events = second.rebalances.makeAsyncIterator()
            while second.assignment.count != 2 { _ = await events.next() }
        }
        #expect(first.assignment.isDisjoint(with: second.assignment))
        await second.close()
        try await within("the take-over", limit: .seconds(90)) {
            for await event in first.rebalances {
                if case .assigned = event, first.assignment.count == 4 { break }
            }
        }
        #expect(first.assignment.count == 4)
        await first.close()
    }

    private final class Seen: Sendable {
        let texts = Mutex<Set<String>>([])
    }

    @Test("no message is passed over while members come and go", arguments: ["range", "cooperative-sticky"])
    func comeAndGo(strategy: String) async throws {
        let broker = try await filled(50_000, partitions: 4)
        let settings = broker.configuration.with([
            "session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "partition.assignment.strategy": strategy,
        ])
        let seen = Seen()
        /// Reads and commits, slowly enough for a backlog to be there at each change.
        func join() throws -> (consumer: KafkaConsumer, reading: Task<Void, any Error>) {
            let consumer = try KafkaConsumer(settings, group: "g", topics: ["t"])
            let reading = Task {
                for try await batch in consumer.batches {
                    seen.texts.withLock { $0.formUnion(batch.map(\.text)) }
                    // Where it is refused another member begins before it.
                    try? await consumer.commit(after: batch.filter { consumer.holds($0) })
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            return (consumer, reading)
        }
        func wait(until count: Int) async throws {
            try await within("\(count) messages", limit: .seconds(120)) {
                while seen.texts.withLock({ $0.count }) < count { try await Task.sleep(for: .milliseconds(20)) }
            }
        }
        let first = try join()
        try await wait(until: 3_000)
        let second = try join()
        try await wait(until: 12_000)
        let third = try join()
        try await wait(until: 20_000)
        await second.consumer.close()
        try await wait(until: 50_000)
        for member in [first, third] { await member.consumer.close() }
        for member in [first, second, third] { try await member.reading.value }
    }

    @Test(
        "a handler that is slower than max.poll.interval.ms keeps its partitions, and bounded buffering loses nothing"
    )
    func slowHandler() async throws {
        let broker = try await filled(1_000, partitions: 2)
        let latest = Mutex<KafkaStatistics?>(nil)
        let (updates, update) = AsyncStream.makeStream(of: Void.self)
        var configuration = broker.configuration.with([
            "max.poll.interval.ms": "4500", "session.timeout.ms": "4500", "heartbeat.interval.ms": "200",
            "statistics.interval.ms": "500",
        ])
        configuration.onStatistics = { statistics in
            latest.withLock { $0 = statistics }
            update.yield()
        }
        let consumer = try KafkaConsumer(
            configuration,
            group: "g",
            topics: ["t"],
            limits: .init(batchMessages: 10, bufferedMessages: 20)
        )
        var messages = try await consumer.batches.take(1)
        // The handler holds its batch for twenty statistics intervals: over twice max.poll.interval.ms.
        try await within("statistics") {
            var count = 0
            for await _ in updates {
                count += 1
                if count == 20 { break }
            }
        }
        #expect(consumer.assignment.count == 2)
        // What the handler has not taken is held back: it is full, and the partitions wait.
        let snapshot = latest.withLock { $0 }
        let held = try #require(snapshot?.buffer)
        #expect(held.messages > 10 && held.bytes > 0 && held.isHoldingBack)
        try await consumer.commit(after: messages)
        messages += try await consumer.batches.take(1_000 - messages.count)
        #expect(Set(messages.map(\.text)).count == 1_000)
        #expect(messages.count == 1_000)
        let last = latest.withLock { $0 }
        let statistics = try #require(last)
        #expect(statistics.group?.rebalances == 1)
        #expect(statistics.partitions.filter(\.isFetched).count == 2)
        await consumer.close()
    }

    @Test("a dead member is noticed after 6 s unless the settings say otherwise, or leave it to the broker")
    func sessions() {
        let plain = KafkaConfiguration(bootstrapServers: "127.0.0.1:1")
        let own = ConsumerCore.sessionSettings(of: plain)
        #expect(own == ["session.timeout.ms": "6000", "heartbeat.interval.ms": "2000"])
        let merged = plain.with(["session.timeout.ms": "9000"]).merged(defaults: own, required: [:])
        #expect(merged["session.timeout.ms"] == "9000")
        #expect(ConsumerCore.sessionSettings(of: plain.with(["group.protocol": "consumer"])).isEmpty)
    }

    @Test("closing ends a poll that waits")
    func closeWhilePolling() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let consumer = try KafkaConsumer(broker.configuration, group: "g", topics: ["t"])
        let reading = Task {
            var iterator = consumer.batches.makeAsyncIterator()
            return try await iterator.next()
        }
        await consumer.close()
        let last = try await within("the end of the stream") { try await reading.value }
        #expect(last == nil)
        await consumer.close()
    }

    @Test("a reader names a missing topic, and cancelling ends its stream")
    func reader() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let error = await #expect(throws: KafkaError.self) {
            _ = try await KafkaReader(broker.configuration, topics: ["missing"])
        }
        #expect(error?.message.contains("'missing'") == true)
        let reader = try await KafkaReader(broker.configuration, topics: ["t"], from: .latest)
        let reading = Task { try await reader.batches.first { _ in true } }
        reading.cancel()
        #expect(try await within("the end of the stream") { try await reading.value } == nil)
        await reader.close()
    }
}
