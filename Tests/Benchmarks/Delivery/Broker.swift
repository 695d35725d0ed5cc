import Foundation
import KafkaClient
import Logging

/// The broker that is measured: `ERRATA_TEST_KAFKA` (`host:port`), or one in this process.
struct Broker: Sendable {
    let configuration: KafkaConfiguration
    private let embedded: EmbeddedBroker?

    /// Runs the body with topics and their numbers of partitions.
    ///
    /// The embedded broker keeps no more than 5 MiB a partition: take enough of them for what is to be read again.
    static func with<Value>(
        topics: [String: Int],
        _ body: (Broker) async throws -> Value
    ) async throws -> Value {
        if let servers = ProcessInfo.processInfo.environment["ERRATA_TEST_KAFKA"] {
            let configuration = KafkaConfiguration(bootstrapServers: servers)
            try await KafkaAdmin(configuration, logger: .quiet).createTopics(
                topics.map { TopicSpecification(name: $0.key, partitions: $0.value, retention: .seconds(3_600)) }
            )
            return try await body(Broker(configuration: configuration, embedded: nil))
        }
        let broker = try EmbeddedBroker(topics: topics, logger: .quiet)
        defer { broker.stop() }
        return try await body(Broker(configuration: broker.configuration, embedded: broker))
    }

    /// Whether the broker is one in this process, whose time is then part of this process's.
    var isEmbedded: Bool { embedded != nil }

    /// Sends records, some thousands at a time.
    func produce(_ records: [KafkaRecord]) async throws {
        let producer = try KafkaProducer(configuration, logger: .quiet)
        for first in stride(from: 0, to: records.count, by: 5_000) {
            _ = try await producer.send(Array(records[first..<min(first + 5_000, records.count)]))
        }
        await producer.close()
    }

    /// Throws where a topic has messages: the names of Errata's topics are fixed, and what is there would be measured too.
    func checkIsEmpty(_ topics: [String]) async throws {
        let admin = try KafkaAdmin(configuration, logger: .quiet)
        for topic in topics {
            for (partition, marks) in try await admin.watermarks(topic: topic) where marks.low < marks.high {
                throw BenchmarkError(
                    "\(topic)/\(partition.partition) of \(configuration.bootstrapServers) has messages already; delete "
                        + "the topic, or take a new broker"
                )
            }
        }
    }
}
