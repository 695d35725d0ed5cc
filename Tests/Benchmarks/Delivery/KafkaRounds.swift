import ArgumentParser
import CKafkaLoop
import Foundation
import KafkaClient
import Logging
import ServiceRuntime

/// The Kafka client beside a plain C loop over librdkafka, with the same settings, on the same broker, by turns.
struct KafkaRounds: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kafka",
        abstract: "KafkaClient's producer and consumer beside a plain C loop over librdkafka."
    )

    @Option(help: "Messages a round and side.") var messages = 100_000
    @Option(help: "Bytes a message.") var bytes = 1_024
    @Option(help: "Rounds, in which both sides take turns at being first.") var rounds = 5
    @Option(help: "Partitions of the topic.") var partitions = 64
    @Option(help: "Records that the client sends at once and awaits together.") var batch = 10_000
    @Option(help: "Fail where a median ratio is lower than this.") var atLeast: Double?

    /// Given to both sides, so that neither runs on other defaults: what KafkaProducer sets by itself.
    private static let producerSettings = [
        "client.id": "errata", "enable.idempotence": "true", "linger.ms": "5", "statistics.interval.ms": "5000",
    ]
    /// What KafkaConsumer sets by itself.
    private static let consumerSettings = [
        "client.id": "errata", "statistics.interval.ms": "5000", "queued.max.messages.kbytes": "65536",
        "fetch.wait.max.ms": "100",
    ]
    /// The messages that a producer of librdkafka queues (`queue.buffering.max.messages`).
    private static let queued = 100_000
    /// Seconds without a message after which a side has failed.
    private static let patience = 60.0

    func validate() throws {
        guard messages > 1, bytes > 0, rounds > 0, partitions > 0, batch > 0 else {
            throw ValidationError("--messages must be at least 2, and all other numbers positive")
        }
        guard messages / partitions * (bytes + 100) < 4 << 20 else {
            throw ValidationError(
                "the embedded broker keeps 5 MiB a partition, and \(messages) messages of \(bytes) bytes on \(partitions) "
                    + "partitions are more; raise --partitions"
            )
        }
    }

    private enum Side: CaseIterable {
        case loop
        case client
    }

    func run() async throws {
        var produced: [Side: [Double]] = [:]
        var consumed: [Side: [Double]] = [:]
        for round in 0..<rounds {
            let run = UUID().uuidString.prefix(8)
            let topics: [Side: String] = [.loop: "benchmark-\(run)-loop", .client: "benchmark-\(run)-client"]
            try await Broker.with(
                topics: Dictionary(uniqueKeysWithValues: topics.values.map { ($0, partitions) })
            ) { broker in
                let order: [Side] = round.isMultiple(of: 2) ? [.loop, .client] : [.client, .loop]
                for side in order {
                    let topic = topics[side] ?? ""
                    produced[side, default: []].append(try await produce(side, topic, broker))
                }
                for side in order {
                    let topic = topics[side] ?? ""
                    consumed[side, default: []].append(try await consume(side, topic, broker))
                }
            }
        }
        print(
            "\(messages) messages of \(bytes) bytes on \(partitions) partitions, medians of \(rounds) rounds by turns, "
                + "thousands of messages a second"
        )
        var table = Table("", "C loop", "KafkaClient", "ratio", "worst")
        var missed: [String] = []
        for (name, rates) in [("produce", produced), ("consume", consumed)] {
            let (loop, client) = (rates[.loop] ?? [], rates[.client] ?? [])
            let ratios = zip(client, loop).map { $0 / $1 }
            table.add(
                name,
                (loop.median / 1_000).text(1),
                (client.median / 1_000).text(1),
                ratios.median.text(2),
                (ratios.min() ?? .nan).text(2)
            )
            if let atLeast, !(ratios.median >= atLeast) { missed.append("\(name) \(ratios.median.text(2))") }
        }
        table.print()
        guard missed.isEmpty else {
            throw BenchmarkError("less than \(atLeast ?? 0) of the C loop: \(missed.joined(separator: ", "))")
        }
    }

    // MARK: Producing

    private func produce(_ side: Side, _ topic: String, _ broker: Broker) async throws -> Double {
        var configuration = broker.configuration
        configuration.settings.merge(Self.producerSettings) { _, ours in ours }
        let value = Data(repeating: UInt8(ascii: "x"), count: bytes)
        switch side {
        case .loop:
            let (lines, count) = (settingLines(configuration), messages)
            return try await measure { result, error, size in
                value.withUnsafeBytes { bytes in
                    kafka_loop_produce(lines, topic, count, bytes.baseAddress, bytes.count, result, error, size)
                }
            }
        case .client:
            let producer = try KafkaProducer(configuration, logger: .quiet)
            let records = (0..<messages).map { KafkaRecord(topic: topic, key: Data("\($0)".utf8), value: value) }
            _ = try await producer.send(KafkaRecord(topic: topic, key: Data("-1".utf8), value: value))
            let start = ContinuousClock.now
            // As many batches on their way as librdkafka's queue has room for, by which the loop is held back too.
            let most = max(2, Self.queued / batch)
            try await withThrowingTaskGroup(of: Void.self) { group in
                var running = 0
                for first in stride(from: 0, to: messages, by: batch) {
                    if running == most {
                        _ = try await group.next()
                        running -= 1
                    }
                    let part = Array(records[first..<min(first + batch, messages)])
                    group.addTask { _ = try await producer.send(part) }
                    running += 1
                }
                try await group.waitForAll()
            }
            let rate = Double(messages) / (start.duration(to: .now) / .seconds(1))
            await producer.close()
            return rate
        }
    }

    // MARK: Consuming

    private func consume(_ side: Side, _ topic: String, _ broker: Broker) async throws -> Double {
        let group = "benchmark-\(UUID().uuidString)"
        var configuration = broker.configuration
        configuration.settings.merge(Self.consumerSettings) { _, ours in ours }
        // One more was produced before the clock started.
        let expected = messages + 1
        switch side {
        case .loop:
            configuration.settings.merge([
                "group.id": group, "enable.auto.commit": "false", "enable.auto.offset.store": "false",
                "auto.offset.reset": "earliest",
            ]) { _, ours in ours }
            let lines = settingLines(configuration)
            return try await measure { result, error, size in
                kafka_loop_consume(lines, topic, expected, Self.patience, result, error, size)
            }
        case .client:
            let consumer = try KafkaConsumer(configuration, group: group, topics: [topic], logger: .quiet)
            let rate = try await withDeadline {
                var first: (count: Int, time: ContinuousClock.Instant)?
                var received = 0
                for try await batch in consumer.batches {
                    received += batch.count
                    if first == nil { first = (received, .now) }
                    if received >= expected { break }
                }
                guard let first, received >= expected else {
                    throw BenchmarkError("only \(received) of \(expected) messages came before the consumer ended")
                }
                return Double(received - first.count) / (first.time.duration(to: .now) / .seconds(1))
            }
            await consumer.close()
            return rate
        }
    }

    /// Throws where the body takes much longer than any measurement should.
    private func withDeadline(_ body: @escaping @Sendable () async throws -> Double) async throws -> Double {
        try await withThrowingTaskGroup(of: Double.self) { group in
            group.addTask(operation: body)
            group.addTask {
                try await Task.sleep(for: .seconds(5 * Self.patience))
                throw BenchmarkError("the messages did not all come within \(Int(5 * Self.patience)) s")
            }
            defer { group.cancelAll() }
            guard let rate = try await group.next() else { throw CancellationError() }
            return rate
        }
    }

    // MARK: The C loops

    private func settingLines(_ configuration: KafkaConfiguration) -> String {
        (["bootstrap.servers=\(configuration.bootstrapServers)"]
            + configuration.settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
            .joined(separator: "\n")
    }

    /// Runs a loop on a thread of its own and gives its messages a second.
    private func measure(
        _ loop: @escaping @Sendable (UnsafeMutablePointer<kafka_loop_result>, UnsafeMutablePointer<CChar>, Int) -> Int32
    ) async throws -> Double {
        try await DedicatedThread.run(name: "kafka-loop") { _ in
            var result = kafka_loop_result()
            var error = [CChar](repeating: 0, count: 512)
            let status = error.withUnsafeMutableBufferPointer { error in
                error.baseAddress.map { loop(&result, $0, error.count) } ?? -1
            }
            guard status == 0 else {
                let end = error.firstIndex(of: 0) ?? error.endIndex
                throw BenchmarkError(String(decoding: error[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            return Double(result.messages) / result.seconds
        }
    }
}
