import CLibrdkafka
public import Logging

/// Reads topics without a group: nothing is committed, no other reader is disturbed.
///
/// For tools that watch or count.
public final class KafkaReader: Sendable {
    /// Where reading begins.
    public enum Start: Sendable {
        /// At the oldest message.
        case earliest
        /// At the messages that come from now on.
        case latest
        /// Up to so many messages before the end of each partition.
        case last(Int)
    }

    private let core: ConsumerCore
    /// The messages, in batches.
    public let batches: KafkaBatches

    /// Begins to read every partition that the topics have now; throws ``KafkaError`` that names a missing topic.
    ///
    /// With `stopAtEnd` the batches end once the end of every partition has been reached and read.
    public init(
        _ configuration: KafkaConfiguration,
        topics: [String],
        from start: Start = .earliest,
        stopAtEnd: Bool = false,
        limits: KafkaConsumer.Limits = KafkaConsumer.Limits(),
        timeout: Duration = .seconds(10),
        logger: Logger = Logger(label: "kafka.reader")
    ) async throws {
        let admin = try KafkaAdmin(configuration, logger: logger)
        let known = try await admin.metadata(timeout: timeout).topics
        let offset: Int64 =
            switch start {
            case .earliest: Int64(RD_KAFKA_OFFSET_BEGINNING)
            case .latest: Int64(RD_KAFKA_OFFSET_END)
            case .last(let count): Int64(RD_KAFKA_OFFSET_TAIL_BASE) - Int64(max(count, 0))
            }
        var offsets: [TopicPartitionOffset] = []
        for topic in topics {
            guard let found = known.first(where: { $0.name == topic }), !found.partitions.isEmpty else {
                throw KafkaError(
                    code: .unknownTopicOrPartition,
                    message: "there is no topic '\(topic)' at \(configuration.bootstrapServers)"
                )
            }
            offsets += found.partitions.map {
                TopicPartitionOffset(topic: topic, partition: $0.partition, offset: offset)
            }
        }
        var required = ConsumerCore.requiredSettings(group: "errata-reader")
        if stopAtEnd { required["enable.partition.eof"] = "true" }
        var settings = configuration.merged(defaults: ConsumerCore.defaultSettings, required: required)
        // The group is only a name here: this reader never joins it.
        settings["group.instance.id"] = nil
        core = try ConsumerCore(
            name: "reader",
            source: .partitions(offsets, stopAtEnd: stopAtEnd),
            settings: settings,
            limits: .init(limits),
            logger: logger
        )
        batches = KafkaBatches(core: core)
    }

    deinit {
        core.stop()
    }

    /// The partitions that are read.
    public var assignment: Set<TopicPartition> { core.assignment }

    /// Ends ``batches`` at once and awaits the end.
    ///
    /// Closing twice is harmless.
    public func close() async {
        core.stop()
        await core.awaitStop()
    }
}
