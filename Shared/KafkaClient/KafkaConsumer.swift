import CLibrdkafka
public import Logging
public import ServiceLifecycle

/// A member of a consumer group.
///
/// Offsets are committed only by ``commit(_:)``.
///
/// A thread of its own polls, also while the reader is slow and no message is taken any more: a handler may take minutes
/// without costing the membership, however small `max.poll.interval.ms` is. What is buffered is bounded in messages and
/// bytes, here and at librdkafka (`queued.max.messages.kbytes`, 64 MiB unless set). Messages of partitions that are taken
/// away are dropped from the buffer; of those that the reader has already, ``holds(_:)`` tells.
///
/// A member that dies is noticed after 6 s, from when on the others have its partitions (`session.timeout.ms`, with a
/// heartbeat every 2 s; where the broker sets these times itself, `group.protocol=consumer`, they are left to it).
///
/// With the setting `group.instance.id` a member keeps its partitions while it is away for less than the session time: it
/// does not leave the group when it closes, and comes back without a rebalance. Two members of one name are not possible:
/// the reading of the earlier one ends with ``KafkaError/Code/fencedInstance``. ``EmbeddedBroker`` takes one that comes back
/// for a new member, and keeps the old one's partitions from all until its session has run out.
///
/// `enable.auto.commit` and `enable.auto.offset.store` are off and cannot be turned on. As a `Service` it stays until
/// graceful shutdown and then leaves the group.
public final class KafkaConsumer: Sendable, Service {
    /// Where a group without a committed offset begins.
    public enum StartPosition: String, Sendable {
        /// At the oldest message.
        case earliest
        /// At the messages that come from now on.
        case latest
    }

    /// How much may wait between the broker and the reader.
    public struct Limits: Sendable {
        /// The most messages in one batch.
        public var batchMessages: Int
        /// Messages at which no more are taken until half are read.
        public var bufferedMessages: Int
        /// Bytes at which no more are taken until half are read.
        public var bufferedBytes: Int

        /// Makes limits; each is at least 1.
        public init(batchMessages: Int = 256, bufferedMessages: Int = 2_048, bufferedBytes: Int = 16 << 20) {
            self.batchMessages = max(batchMessages, 1)
            self.bufferedMessages = max(bufferedMessages, 1)
            self.bufferedBytes = max(bufferedBytes, 1)
        }
    }

    private let core: ConsumerCore
    /// The messages, in batches.
    public let batches: KafkaBatches

    /// Joins `group` for `topics`; throws ``KafkaError`` that names a refused setting.
    public init(
        _ configuration: KafkaConfiguration,
        group: String,
        topics: [String],
        from start: StartPosition = .earliest,
        limits: Limits = Limits(),
        logger: Logger = Logger(label: "kafka.consumer")
    ) throws {
        guard !group.isEmpty, !topics.isEmpty else {
            throw KafkaError(
                code: .invalidArgument,
                message: "a consumer needs a group and at least one topic",
                setting: group.isEmpty ? "group.id" : nil
            )
        }
        var settings = configuration.merged(
            defaults: ConsumerCore.defaultSettings.merging(ConsumerCore.sessionSettings(of: configuration)) { $1 },
            required: ConsumerCore.requiredSettings(group: group)
        )
        settings["auto.offset.reset"] = start.rawValue
        core = try ConsumerCore(
            name: "consumer \(group)",
            source: .group(topics: topics),
            settings: settings,
            limits: .init(limits),
            logger: logger,
            onStatistics: configuration.onStatistics
        )
        batches = KafkaBatches(core: core)
    }

    deinit {
        // A no-op after `close`.
        core.stop()
    }

    /// Partitions as they come and go, the latest 1,024 if nobody reads; ends when the consumer closes.
    ///
    /// One reader.
    public var rebalances: AsyncStream<KafkaRebalance> { core.rebalances }

    /// The partitions held now.
    public var assignment: Set<TopicPartition> { core.assignment }

    /// Whether a message's partition is held here under the assignment that the message came under.
    ///
    /// Where it is not, whoever holds the partition now, which may be this consumer again, gets the message once more.
    public func holds(_ message: KafkaMessage) -> Bool { core.holds(message) }

    /// Commits positions (one past the last message handled) and awaits the coordinator's answer.
    ///
    /// Throws ``KafkaError``: with ``KafkaError/Code/illegalGeneration``, ``KafkaError/Code/unknownMember`` or
    /// ``KafkaError/Code/rebalanceInProgress`` the partition has gone or is going elsewhere, and what was handled may
    /// be handled again there.
    public func commit(_ offsets: [TopicPartitionOffset]) async throws {
        try await core.commit(offsets)
    }

    /// Commits that these messages, and all before them in their partitions, are handled.
    public func commit(after messages: [KafkaMessage]) async throws {
        try await core.commit(TopicPartitionOffset.after(messages))
    }

    /// The group's committed positions of partitions, the held ones unless said; those without one are left out.
    public func committed(
        _ partitions: [TopicPartition]? = nil,
        timeout: Duration = .seconds(10)
    ) async throws -> [TopicPartitionOffset] {
        let partitions = partitions ?? assignment.sorted()
        let handle = try core.withHandle()
        return try await BlockingCalls.run { try handle.committed(partitions, timeout: timeout) }
    }

    /// Messages between the committed position and the end, asked of the broker now, for each held partition; without
    /// a committed position all that are there count.
    public func lag(timeout: Duration = .seconds(10)) async throws -> [TopicPartition: Int64] {
        let partitions = assignment.sorted()
        let handle = try core.withHandle()
        return try await BlockingCalls.run { try handle.lag(partitions, timeout: timeout) }
    }

    /// Ends ``batches`` at once, leaves the group, and awaits both.
    ///
    /// Closing twice is harmless.
    public func close() async {
        core.stop()
        await core.awaitStop()
    }

    /// Stays until graceful shutdown or cancellation, then closes.
    public func run() async throws {
        try? await gracefulShutdown()
        await close()
    }
}

extension ConsumerBuffer.Limits {
    init(_ limits: KafkaConsumer.Limits) {
        self.init(messages: limits.bufferedMessages, bytes: limits.bufferedBytes, batch: limits.batchMessages)
    }
}

extension ConsumerCore {
    /// What is fetched ahead is bounded by its bytes, which librdkafka waits a second for once they are there; a short wait
    /// at the broker keeps latency low.
    static let defaultSettings = [
        "client.id": "errata",
        "statistics.interval.ms": "5000",
        "queued.max.messages.kbytes": "65536",
        "fetch.wait.max.ms": "100",
    ]

    /// How soon a member of a group that died is noticed: librdkafka's 45 s would be as long a standstill of its
    /// partitions, and 6 s is the least that a broker takes as it comes.
    static func sessionSettings(of configuration: KafkaConfiguration) -> [String: String] {
        // This protocol's times are the broker's, and librdkafka refuses the client's.
        guard configuration.settings["group.protocol"]?.lowercased() != "consumer" else { return [:] }
        return ["session.timeout.ms": "6000", "heartbeat.interval.ms": "2000"]
    }

    static func requiredSettings(group: String) -> [String: String] {
        ["group.id": group, "enable.auto.commit": "false", "enable.auto.offset.store": "false"]
    }
}

extension ClientHandle {
    func committed(_ partitions: [TopicPartition], timeout: Duration) throws -> [TopicPartitionOffset] {
        guard !partitions.isEmpty else { return [] }
        let list = TopicPartitionList(partitions)
        let error = withClient { client in
            list.withPointer { rd_kafka_committed(client, $0, timeout.milliseconds) }
        }
        try KafkaError.check(error, "committed offsets")
        try list.checkElements("committed offsets")
        return list.elements().filter { $0.offset >= 0 }
            .map {
                TopicPartitionOffset(topic: $0.partition.topic, partition: $0.partition.partition, offset: $0.offset)
            }
    }

    func watermarks(_ partition: TopicPartition, timeout: Duration) throws -> Watermarks {
        var low: Int64 = 0
        var high: Int64 = 0
        let error = withClient {
            rd_kafka_query_watermark_offsets(
                $0,
                partition.topic,
                partition.partition,
                &low,
                &high,
                timeout.milliseconds
            )
        }
        try KafkaError.check(error, "offsets of \(partition)")
        return Watermarks(low: low, high: high)
    }

    func lag(_ partitions: [TopicPartition], timeout: Duration) throws -> [TopicPartition: Int64] {
        var positions: [TopicPartition: Int64] = [:]
        for offset in try committed(partitions, timeout: timeout) { positions[offset.topicPartition] = offset.offset }
        var lag: [TopicPartition: Int64] = [:]
        for partition in partitions {
            let watermarks = try watermarks(partition, timeout: timeout)
            lag[partition] = max(0, watermarks.high - max(positions[partition] ?? 0, watermarks.low))
        }
        return lag
    }
}
