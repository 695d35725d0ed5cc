public import Foundation

/// A snapshot of a client's state, as librdkafka measures it every `statistics.interval.ms`.
public struct KafkaStatistics: Sendable, Hashable {
    /// One partition that the client consumes or produces to.
    public struct Partition: Sendable, Hashable {
        /// The partition.
        public let topicPartition: TopicPartition
        /// The broker that leads it; -1 when none is known.
        public let leader: Int32
        /// Messages between the committed position and the end; nil while unknown, or when this client does not
        /// consume the partition.
        public let consumerLag: Int64?
        /// Whether this client reads the partition now; the figures of one that went elsewhere stand still.
        public let isFetched: Bool
        /// The committed position; nil while unknown.
        public let committedOffset: Int64?
        /// One past the last message that was handed over by librdkafka; nil while unknown.
        public let position: Int64?
        /// The first message that the broker still has, as last fetched; nil while unknown.
        public let lowWatermark: Int64?
        /// The end of the partition, as last fetched; nil while unknown.
        public let highWatermark: Int64?
        /// Messages fetched ahead by librdkafka.
        public let fetchQueueMessages: Int
        /// Bytes fetched ahead by librdkafka.
        public let fetchQueueBytes: Int
        /// Messages that wait to be produced.
        public let produceQueueMessages: Int
    }

    /// One broker connection.
    public struct Broker: Sendable, Hashable {
        /// `host:port/id`.
        public let name: String
        /// The connection's state, such as `UP`.
        public let state: String
        /// Mean round-trip time in microseconds.
        public let roundTripMicroseconds: Int
        /// Requests that await an answer.
        public let requestsInFlight: Int
        /// Requests that failed.
        public let requestErrors: Int
        /// Times that the connection broke.
        public let disconnects: Int
    }

    /// The group, of a consumer in one.
    public struct Group: Sendable, Hashable {
        /// The local state, such as `up`.
        public let state: String
        /// The state of joining, such as `steady`.
        public let joinState: String
        /// Rebalances since the start.
        public let rebalances: Int
        /// Partitions held.
        public let assignedPartitions: Int
    }

    /// What a consumer has taken from librdkafka and its reader has not read yet.
    public struct Buffer: Sendable, Hashable {
        /// Messages.
        public let messages: Int
        /// Their bytes.
        public let bytes: Int
        /// Whether no more messages are taken until half of it is read.
        public let isHoldingBack: Bool
    }

    /// When the snapshot was taken.
    public let capturedAt: Date
    /// The client's name.
    public let client: String
    /// Messages in the producer's queues.
    public let queuedMessages: Int
    /// Their bytes.
    public let queuedBytes: Int
    /// The most messages that the producer's queues take.
    public let queueCapacityMessages: Int
    /// Events that wait for the client's own thread.
    public let pendingEvents: Int
    /// Messages sent since the start.
    public let transmittedMessages: Int
    /// Messages received since the start.
    public let receivedMessages: Int
    /// The brokers, by name.
    public let brokers: [Broker]
    /// The partitions, in order.
    public let partitions: [Partition]
    /// The group, of a consumer in one.
    public let group: Group?
    /// What waits for a consumer's reader; nil for a producer.
    public internal(set) var buffer: Buffer?

    /// Reads librdkafka's statistics JSON; throws `DecodingError` when it is not that.
    public init(json: Data) throws {
        let raw = try JSONDecoder().decode(Raw.self, from: json)
        capturedAt = Date(timeIntervalSince1970: Double(raw.time))
        client = raw.name
        queuedMessages = raw.msg_cnt ?? 0
        queuedBytes = raw.msg_size ?? 0
        queueCapacityMessages = raw.msg_max ?? 0
        pendingEvents = raw.replyq ?? 0
        transmittedMessages = raw.txmsgs ?? 0
        receivedMessages = raw.rxmsgs ?? 0
        brokers = (raw.brokers ?? [:]).values.sorted { $0.name < $1.name }.map(Broker.init)
        partitions = (raw.topics ?? [:]).values
            .flatMap { topic in topic.partitions.values.map { (topic.topic, $0) } }
            .filter { $0.1.partition >= 0 }
            .map { Partition(topic: $0.0, raw: $0.1) }
            .sorted { $0.topicPartition < $1.topicPartition }
        group = raw.cgrp.map {
            Group(
                state: $0.state ?? "",
                joinState: $0.join_state ?? "",
                rebalances: $0.rebalance_cnt ?? 0,
                assignedPartitions: $0.assignment_size ?? 0
            )
        }
    }
}

// The names are librdkafka's (STATISTICS.md); everything that a version may lack is optional.
// swift-format-ignore: AlwaysUseLowerCamelCase
private struct Raw: Decodable {
    struct Window: Decodable { let avg: Int? }
    struct Broker: Decodable {
        let name: String
        let state: String?
        let rtt: Window?
        let waitresp_cnt: Int?
        let txerrs: Int?
        let disconnects: Int?
    }
    struct Partition: Decodable {
        let partition: Int32
        let leader: Int32?
        let fetch_state: String?
        let consumer_lag: Int64?
        let committed_offset: Int64?
        let app_offset: Int64?
        let lo_offset: Int64?
        let hi_offset: Int64?
        let fetchq_cnt: Int?
        let fetchq_size: Int?
        let msgq_cnt: Int?
        let xmit_msgq_cnt: Int?
    }
    struct Topic: Decodable {
        let topic: String
        let partitions: [String: Partition]
    }
    struct Group: Decodable {
        let state: String?
        let join_state: String?
        let rebalance_cnt: Int?
        let assignment_size: Int?
    }
    let name: String
    let time: Int64
    let replyq: Int?
    let msg_cnt: Int?
    let msg_size: Int?
    let msg_max: Int?
    let txmsgs: Int?
    let rxmsgs: Int?
    let brokers: [String: Broker]?
    let topics: [String: Topic]?
    let cgrp: Group?
}

extension KafkaStatistics.Broker {
    fileprivate init(_ raw: Raw.Broker) {
        self.init(
            name: raw.name,
            state: raw.state ?? "",
            roundTripMicroseconds: raw.rtt?.avg ?? 0,
            requestsInFlight: raw.waitresp_cnt ?? 0,
            requestErrors: raw.txerrs ?? 0,
            disconnects: raw.disconnects ?? 0
        )
    }
}

extension KafkaStatistics.Partition {
    fileprivate init(topic: String, raw: Raw.Partition) {
        // Negative numbers stand for "unknown" (-1, and -1001 for an offset that was never set).
        func known(_ value: Int64?) -> Int64? { value.flatMap { $0 >= 0 ? $0 : nil } }
        self.init(
            topicPartition: TopicPartition(topic: topic, partition: raw.partition),
            leader: raw.leader ?? -1,
            consumerLag: known(raw.consumer_lag),
            isFetched: !["none", "stopping", "stopped"].contains(raw.fetch_state ?? "none"),
            committedOffset: known(raw.committed_offset),
            position: known(raw.app_offset),
            lowWatermark: known(raw.lo_offset),
            highWatermark: known(raw.hi_offset),
            fetchQueueMessages: raw.fetchq_cnt ?? 0,
            fetchQueueBytes: raw.fetchq_size ?? 0,
            produceQueueMessages: (raw.msgq_cnt ?? 0) + (raw.xmit_msgq_cnt ?? 0)
        )
    }
}
