import KafkaClient
import Synchronization

/// The latest statistics of this process' Kafka clients, as metrics.
final class KafkaFigures: Sendable {
    /// One of the clients.
    enum Client: Sendable, Hashable {
        case producer
        case consumer(String)

        var name: String {
            switch self {
            case .producer: "producer"
            case .consumer(let name): name
            }
        }
    }

    private let latest = Mutex<[Client: KafkaStatistics]>([:])

    /// A client's configuration that brings its statistics here.
    func following(_ client: Client, _ configuration: KafkaConfiguration) -> KafkaConfiguration {
        var configuration = configuration
        configuration.onStatistics = { statistics in self.latest.withLock { $0[client] = statistics } }
        return configuration
    }

    /// What the clients said last.
    var samples: [MetricSample] {
        latest.withLock { $0 }.flatMap { client, statistics -> [MetricSample] in
            let up = statistics.brokers.count { $0.state == "UP" }
            let brokers = MetricSample(.kafkaBrokersUp, count: up, ["client": client.name])
            return [brokers] + Self.samples(of: client, statistics)
        }
    }

    private static func samples(of client: Client, _ statistics: KafkaStatistics) -> [MetricSample] {
        guard case .consumer(let consumer) = client else {
            return [
                MetricSample(.producerQueuedMessages, count: statistics.queuedMessages),
                MetricSample(.producerQueuedBytes, count: statistics.queuedBytes),
            ]
        }
        let labels = ["consumer": consumer]
        var samples: [MetricSample] = []
        if let group = statistics.group {
            samples.append(MetricSample(.consumerRebalances, count: group.rebalances, labels))
        }
        if let buffer = statistics.buffer {
            samples.append(MetricSample(.consumerBufferedMessages, count: buffer.messages, labels))
            samples.append(MetricSample(.consumerBufferedBytes, count: buffer.bytes, labels))
            samples.append(MetricSample(.consumerHeldBack, buffer.isHoldingBack ? 1 : 0, labels))
        }
        for partition in statistics.partitions {
            guard let lag = partition.lag else { continue }
            let place = ["topic": partition.topicPartition.topic, "partition": "\(partition.topicPartition.partition)"]
            samples.append(MetricSample(.consumerLag, count: lag, labels.merging(place) { $1 }))
        }
        return samples
    }
}

extension KafkaStatistics.Partition {
    /// Messages that the group has not committed; nil while unknown, or where another member reads the partition.
    ///
    /// Before the group's first commit all messages count.
    fileprivate var lag: Int64? {
        guard isFetched else { return nil }
        if let consumerLag { return consumerLag }
        guard committedOffset == nil, let highWatermark else { return nil }
        return max(0, highWatermark - (lowWatermark ?? 0))
    }
}
