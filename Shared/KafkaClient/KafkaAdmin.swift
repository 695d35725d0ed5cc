import CLibrdkafka
public import Logging

/// A topic as it should be made.
public struct TopicSpecification: Sendable, Hashable {
    /// The name.
    public var name: String
    /// How many partitions.
    public var partitions: Int
    /// How many replicas; -1 is the broker's default.
    public var replication: Int
    /// How long messages are kept (`retention.ms`); nil is the broker's default.
    public var retention: Duration?
    /// Any other topic setting, such as `cleanup.policy` or `max.message.bytes`.
    public var settings: [String: String]

    /// Makes a specification.
    public init(
        name: String,
        partitions: Int = 4,
        replication: Int = -1,
        retention: Duration? = nil,
        settings: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replication = replication
        self.retention = retention
        self.settings = settings
    }
}

/// The brokers and topics of a cluster.
public struct ClusterMetadata: Sendable, Hashable {
    /// A broker.
    public struct Broker: Sendable, Hashable {
        /// Its number.
        public let id: Int32
        /// Its host.
        public let host: String
        /// Its port.
        public let port: Int32
    }

    /// A topic.
    public struct Topic: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// Its partitions, by number.
        public let partitions: [Partition]
    }

    /// A partition.
    public struct Partition: Sendable, Hashable {
        /// Its number.
        public let partition: Int32
        /// The broker that leads it; -1 when none does.
        public let leader: Int32
        /// The brokers that hold it.
        public let replicas: [Int32]
        /// Those of them that are in sync.
        public let inSyncReplicas: [Int32]
    }

    /// The brokers, by number.
    public let brokers: [Broker]
    /// The topics, by name.
    public let topics: [Topic]
}

/// Makes topics and describes a cluster.
public final class KafkaAdmin: Sendable {
    private let configuration: KafkaConfiguration
    private let handle: ClientHandle
    private let logger: Logger
    private let broker: EmbeddedBroker?

    /// Makes an admin client; throws ``KafkaError`` that names a refused setting.
    ///
    /// The embedded broker has no admin protocol: give it where it runs in this process, and topics are made through
    /// it. Elsewhere topics that an embedded broker already has count as made, and others are refused.
    public init(
        _ configuration: KafkaConfiguration,
        embedded broker: EmbeddedBroker? = nil,
        logger: Logger = Logger(label: "kafka.admin")
    ) throws {
        self.configuration = configuration
        self.broker = broker
        self.logger = logger
        let settings = configuration.merged(defaults: ["client.id": "errata"], required: [:])
        handle = try ClientHandle(
            .producer,
            settings: settings,
            context: CallbackContext(name: "admin", logger: logger)
        )
    }

    /// Makes topics, and gives the names of those that were not there before; one that is there is left as it is.
    @discardableResult
    public func createTopics(
        _ topics: [TopicSpecification],
        timeout: Duration = .seconds(30)
    ) async throws -> [String] {
        guard !topics.isEmpty else { return [] }
        if let broker {
            return try topics.filter { try broker.createTopic($0.name, partitions: $0.partitions) }.map(\.name)
        }
        let known = Set(try await listTopics(timeout: timeout))
        let missing = topics.filter { !known.contains($0.name) }
        guard let first = missing.first else { return [] }
        do {
            return try await BlockingCalls.run { [handle] in try handle.createTopics(missing, timeout: timeout) }
        } catch let error as KafkaError where error.code == .timedOut || error.code == .unsupportedFeature {
            // The embedded broker lets admin requests time out, as a cluster without a controller does.
            throw KafkaError(
                code: error.code,
                message: "the cluster at \(configuration.bootstrapServers) did not make topic '\(first.name)' within "
                    + "\(timeout): no controller answered; an embedded broker's topics are made in its own process"
            )
        }
    }

    /// How topics that are there differ from what they should be, in the order of the specifications.
    ///
    /// What the broker does not tell, such as a retention that this user may not read, is no difference.
    public func differences(
        from topics: [TopicSpecification],
        timeout: Duration = .seconds(10)
    ) async throws -> [TopicDifference] {
        let found = Dictionary(
            try await metadata(timeout: timeout).topics.map { ($0.name, $0.partitions.count) },
            uniquingKeysWith: { first, _ in first }
        )
        let present = topics.filter { found[$0.name] ?? 0 > 0 }
        guard !present.isEmpty else { return [] }
        let names = present.map(\.name)
        // The embedded broker lets the question time out.
        let patience = min(timeout, .seconds(3))
        let retentions = try? await BlockingCalls.run { [handle] in
            try handle.setting("retention.ms", ofTopics: names, timeout: patience)
        }
        return present.flatMap {
            TopicDifference.of($0, partitions: found[$0.name] ?? 0, retention: retentions?[$0.name])
        }
    }

    /// The names of all topics, sorted.
    public func listTopics(timeout: Duration = .seconds(10)) async throws -> [String] {
        try await metadata(timeout: timeout).topics.map(\.name)
    }

    /// Brokers, topics and partitions.
    public func metadata(timeout: Duration = .seconds(10)) async throws -> ClusterMetadata {
        try await BlockingCalls.run { [handle] in try handle.metadata(timeout: timeout) }
    }

    /// First and next offset of every partition of a topic.
    public func watermarks(topic: String, timeout: Duration = .seconds(10)) async throws -> [TopicPartition: Watermarks]
    {
        let partitions = try await partitions(of: [topic], timeout: timeout)
        return try await BlockingCalls.run { [handle] in
            var result: [TopicPartition: Watermarks] = [:]
            for partition in partitions { result[partition] = try handle.watermarks(partition, timeout: timeout) }
            return result
        }
    }

    /// How far a group is behind in every partition of the topics, without joining it.
    public func lag(
        group: String,
        topics: [String],
        timeout: Duration = .seconds(10)
    ) async throws -> [TopicPartition: Int64] {
        let partitions = try await partitions(of: topics, timeout: timeout)
        var settings = configuration.merged(
            defaults: ConsumerCore.defaultSettings,
            required: ConsumerCore.requiredSettings(group: group)
        )
        settings["group.instance.id"] = nil
        let context = CallbackContext(name: "admin", logger: logger)
        let observer = try ClientHandle(.consumer, settings: settings, context: context)
        return try await BlockingCalls.run { try observer.lag(partitions, timeout: timeout) }
    }

    private func partitions(of topics: [String], timeout: Duration) async throws -> [TopicPartition] {
        let known = try await metadata(timeout: timeout).topics
        return try topics.flatMap { topic in
            guard let found = known.first(where: { $0.name == topic }) else {
                throw KafkaError(code: .unknownTopicOrPartition, message: "there is no topic '\(topic)'")
            }
            return found.partitions.map { TopicPartition(topic: topic, partition: $0.partition) }
        }
    }
}
