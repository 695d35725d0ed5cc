import Foundation
import KafkaClient
import Testing

@Suite("Producing and reading back")
struct ProducerTests {
    @Test("keys, headers, binary values, empty values and tombstones come back as they were sent")
    func roundTrip() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        let binary = Data((0...255).map { UInt8($0) })
        let headers = [
            KafkaHeader(key: "a", text: "1"), KafkaHeader(key: "a", text: "2"),
            KafkaHeader(key: "null", value: nil), KafkaHeader(key: "empty", value: Data()),
            KafkaHeader(key: "binary", value: binary),
        ]
        let time = Date(timeIntervalSince1970: 1_700_000_000.25)
        let records = [
            KafkaRecord(topic: "t", key: binary, value: binary, headers: headers, timestamp: time),
            KafkaRecord(topic: "t", key: Data("k".utf8), value: nil),
            KafkaRecord(topic: "t", key: nil, value: Data()),
            KafkaRecord(topic: "t", key: Data(), value: Data("x".utf8)),
        ]
        let reports = try await producer.send(records)
        #expect(reports.map(\.offset) == [0, 1, 2, 3])
        let reader = try await KafkaReader(broker.configuration, topics: ["t"], stopAtEnd: true)
        let messages = try await reader.batches.take(4)
        #expect(messages.map(\.key) == records.map(\.key))
        #expect(messages.map(\.value) == records.map(\.value))
        #expect(messages.map(\.headers) == records.map(\.headers))
        #expect(messages.first?.timestamp == time)
        await reader.close()
        await producer.close()
    }

    @Test("ten thousand messages arrive once each, in order within each partition, and the reader stops at the end")
    func many() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 4])
        // A queue far smaller than the batch: sending waits for room instead of failing.
        let producer = try KafkaProducer(broker.configuration.with(["queue.buffering.max.messages": "500"]))
        let records = (0..<10_000).map { KafkaRecord("t", key: "key \($0 % 37)", "\($0)") }
        let reports = try await within("delivery") { try await producer.send(records) }
        #expect(reports.count == 10_000)
        let reader = try await KafkaReader(
            broker.configuration,
            topics: ["t"],
            stopAtEnd: true,
            limits: .init(batchMessages: 100, bufferedMessages: 300)
        )
        let messages = try await within("reading to the end") {
            var messages: [KafkaMessage] = []
            for try await batch in reader.batches { messages += batch }
            return messages
        }
        #expect(messages.count == 10_000)
        for (_, inPartition) in Dictionary(grouping: messages, by: \.partition) {
            #expect(inPartition.map(\.offset) == Array(0..<Int64(inPartition.count)))
            let numbers = inPartition.compactMap { Int($0.text) }
            #expect(numbers == numbers.sorted())
        }
        await reader.close()
        await producer.close()
    }

    @Test("the idempotent producer outlives injected errors without loss or doubles")
    func idempotence() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration.with(["retry.backoff.ms": "10"]))
        try broker.injectErrors(
            [.requestTimedOut, .transport, .notEnoughReplicas, .notLeaderForPartition],
            into: .produce
        )
        let records = (0..<200).map { KafkaRecord("t", key: "k", "\($0)") }
        _ = try await within("delivery") { try await producer.send(records) }
        let reader = try await KafkaReader(broker.configuration, topics: ["t"], stopAtEnd: true)
        let messages = try await within("reading to the end") {
            var messages: [KafkaMessage] = []
            for try await batch in reader.batches { messages += batch }
            return messages
        }
        #expect(messages.map(\.text) == (0..<200).map { "\($0)" })
        await reader.close()
        await producer.close()
    }

    @Test("a message that is too large fails with its size, and those around it go through")
    func tooLarge() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        let large = KafkaRecord(topic: "t", value: Data(count: 2_000_000))
        let results = try await producer.deliver([KafkaRecord("t", "a"), large, KafkaRecord("t", "b")])
        #expect(throws: Never.self) { _ = try results[0].get() }
        let error = #expect(throws: KafkaError.self) { _ = try results[1].get() }
        #expect(error?.code == .messageTooLarge)
        #expect(error?.isRetriable == false)
        #expect(error?.message.contains("2000000 bytes") == true)
        #expect(throws: Never.self) { _ = try results[2].get() }
        await producer.close()
    }

    @Test("a delivery that times out is reported as a retriable failure, and closing is prompt")
    func unreachable() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        try broker.takeDown()
        let producer = try KafkaProducer(broker.configuration.with(["delivery.timeout.ms": "300", "linger.ms": "0"]))
        let error = await #expect(throws: KafkaError.self) {
            _ = try await within("the failure") { try await producer.send(KafkaRecord("t", "x")) }
        }
        #expect(error?.code == .messageTimedOut)
        #expect(error?.isRetriable == true)
        await producer.close(timeout: .milliseconds(100))
        let refused = await #expect(throws: KafkaError.self) { _ = try await producer.send(KafkaRecord("t", "y")) }
        #expect(refused?.code == .closed)
    }

    @Test("an unknown setting is refused by name", arguments: ["no.such.setting", "linger.ms"])
    func unknownSetting(name: String) {
        let configuration = KafkaConfiguration(bootstrapServers: "127.0.0.1:1", settings: [name: "nonsense"])
        let error = #expect(throws: KafkaError.self) { _ = try KafkaProducer(configuration) }
        #expect(error?.setting == name)
        #expect(error?.message.contains("'\(name)'") == true)
        #expect(throws: KafkaError.self) { _ = try KafkaConsumer(configuration, group: "g", topics: ["t"]) }
    }

    @Test(
        "a producer that no broker would answer is refused by the setting's name",
        arguments: ["acks", "request.required.acks"]
    )
    func unacknowledged(name: String) {
        let configuration = KafkaConfiguration(
            bootstrapServers: "127.0.0.1:1",
            settings: [name: "0", "enable.idempotence": "false"]
        )
        let error = #expect(throws: KafkaError.self) { _ = try KafkaProducer(configuration) }
        #expect(error?.setting == name)
        #expect(error?.message.contains("leave the setting out") == true)
    }

    @Test("a producer that a fatal error ended sends again once it is renewed, and one in health is left alone")
    func renewal() async throws {
        let broker = try EmbeddedBroker(topics: ["t": 1])
        let producer = try KafkaProducer(broker.configuration)
        _ = try await producer.send(KafkaRecord("t", "a"))
        try producer.renew()
        producer.endFatally(reason: "planted")
        #expect(producer.fatalError?.isFatal == true)
        await #expect(throws: KafkaError.self) { _ = try await producer.send(KafkaRecord("t", "lost")) }
        try producer.renew()
        #expect(producer.fatalError == nil)
        _ = try await producer.send(KafkaRecord("t", "b"))
        let reader = try await KafkaReader(broker.configuration, topics: ["t"], stopAtEnd: true)
        #expect(try await reader.batches.take(2).map(\.text) == ["a", "b"])
        await reader.close()
        await producer.close()
        // A closed one stays closed.
        try producer.renew()
        let refused = await #expect(throws: KafkaError.self) { _ = try await producer.send(KafkaRecord("t", "c")) }
        #expect(refused?.code == .closed)
    }

    @Test("the admin makes topics through the embedded broker, and one that is there is no error")
    func topics() async throws {
        let broker = try EmbeddedBroker()
        let admin = try KafkaAdmin(broker.configuration, embedded: broker)
        #expect(try await admin.createTopics([.init(name: "a", partitions: 3)]) == ["a"])
        #expect(try await admin.createTopics([.init(name: "a", partitions: 3), .init(name: "b")]) == ["b"])
        #expect(try await admin.listTopics() == ["a", "b"])
        #expect(try await admin.metadata().topics.first?.partitions.count == 3)
        let remote = try KafkaAdmin(broker.configuration)
        #expect(try await remote.createTopics([.init(name: "a", replication: 1)]) == [])
        let error = await #expect(throws: KafkaError.self) {
            try await remote.createTopics([.init(name: "missing", replication: 1)], timeout: .seconds(5))
        }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("'missing'") == true)
    }
}
