import CLibrdkafka
public import Logging
import Synchronization

/// librdkafka's own broker, in this process: real Kafka protocol on loopback, for a quick start and for tests.
///
/// It keeps messages in memory, at most 5 MiB or 100,000 batches a partition; has no admin protocol, no transactions
/// and no security; and its ports are chosen by the system. Other processes reach it through ``bootstrapServers``.
public final class EmbeddedBroker: Sendable {
    /// A kind of request that errors can be injected into.
    public enum Request: Int16, Sendable {
        /// Produce.
        case produce = 0
        /// Fetch.
        case fetch = 1
        /// Offsets by time, and watermarks.
        case listOffsets = 2
        /// Metadata.
        case metadata = 3
        /// Offset commit.
        case offsetCommit = 8
        /// Offset fetch.
        case offsetFetch = 9
        /// Finding a group's coordinator.
        case findCoordinator = 10
        /// Joining a group.
        case joinGroup = 11
        /// Heartbeat.
        case heartbeat = 12
        /// Leaving a group.
        case leaveGroup = 13
        /// Group synchronisation.
        case syncGroup = 14
        /// The idempotent producer's first request.
        case initProducerID = 22
    }

    private struct State {
        var handle: ClientHandle?
        var cluster: ThreadSafePointer?
    }

    private let state: Mutex<State>
    /// The brokers' `host:port` list.
    public let bootstrapServers: String

    /// Settings that suit an embedded broker's consumer groups.
    ///
    /// A group that a member has joined or left goes on only after its session timeout less a second, so that is as short
    /// as brokers take it (6 s); below 4 s a first member is expelled while it waits for the others.
    ///
    /// A member that was expelled, on a machine too busy for its heartbeats, can wait for its JoinGroup answer in vain;
    /// librdkafka gives up after `max.poll.interval.ms` and joins anew, so that is short too. Our consumers poll on a
    /// thread of their own and keep it easily.
    public static let recommendedSettings = [
        "session.timeout.ms": "6000", "heartbeat.interval.ms": "500", "max.poll.interval.ms": "10000",
    ]

    /// A configuration that reaches this broker, with ``recommendedSettings``.
    public var configuration: KafkaConfiguration {
        KafkaConfiguration(bootstrapServers: bootstrapServers, settings: Self.recommendedSettings)
    }

    /// Starts brokers numbered from 1, with topics and their numbers of partitions.
    ///
    /// A topic that is not named here comes into being when it is first used, with 4 partitions.
    public init(
        brokers: Int = 1,
        topics: [String: Int] = [:],
        logger: Logger = Logger(label: "kafka.embedded-broker")
    ) throws {
        guard (1...64).contains(brokers) else {
            throw KafkaError(code: .invalidArgument, message: "an embedded cluster has 1 to 64 brokers, not \(brokers)")
        }
        let handle = try ClientHandle(
            .producer,
            settings: ["client.id": "embedded-broker"],
            context: CallbackContext(name: "embedded broker", logger: logger)
        )
        guard let cluster = handle.withClient({ rd_kafka_mock_cluster_new($0, Int32(brokers)) }) else {
            throw KafkaError(code: .invalidState, message: "the embedded broker cannot listen on loopback")
        }
        bootstrapServers = rd_kafka_mock_cluster_bootstraps(cluster).map { String(cString: $0) } ?? ""
        state = Mutex(State(handle: handle, cluster: ThreadSafePointer(raw: cluster)))
        for (name, partitions) in topics.sorted(by: { $0.key < $1.key }) {
            try createTopic(name, partitions: partitions)
        }
    }

    deinit {
        stop()
    }

    /// Makes a topic; false when it is there already.
    @discardableResult
    public func createTopic(_ name: String, partitions: Int) throws -> Bool {
        guard !name.isEmpty, (1...10_000).contains(partitions) else {
            throw KafkaError(
                code: .invalidArgument,
                message: "topic '\(name)' needs a name and 1 to 10,000 partitions, not \(partitions)"
            )
        }
        let error = try withCluster { rd_kafka_mock_topic_create($0, name, Int32(partitions), 1) }
        if error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { return false }
        try KafkaError.check(error, "topic '\(name)'")
        return true
    }

    /// Makes the next requests of a kind fail, one with each of the codes; ``KafkaError/Code/transport`` breaks the
    /// connection.
    public func injectErrors(_ codes: [KafkaError.Code], into request: Request) throws {
        let errors = codes.map { rd_kafka_resp_err_t(rawValue: $0.rawValue) }
        try withCluster { rd_kafka_mock_push_request_errors_array($0, request.rawValue, errors.count, errors) }
    }

    /// Takes back injected errors of a kind.
    public func clearErrors(of request: Request) throws {
        try withCluster { rd_kafka_mock_clear_request_errors($0, request.rawValue) }
    }

    /// Delays every answer of a broker, or of all.
    public func setRoundTripTime(_ time: Duration, broker: Int32? = nil) throws {
        let result = try withCluster { rd_kafka_mock_broker_set_rtt($0, broker ?? -1, time.milliseconds) }
        try KafkaError.check(result, "round-trip time")
    }

    /// Takes a broker, or all, off the network: connections break and new ones are refused.
    ///
    /// Messages are kept.
    public func takeDown(broker: Int32? = nil) throws {
        try KafkaError.check(try withCluster { rd_kafka_mock_broker_set_down($0, broker ?? -1) }, "taking down")
    }

    /// Ends the brokers; their messages are gone.
    ///
    /// Stopping twice is harmless.
    public func stop() {
        state.withLock { state in
            if let cluster = state.cluster { rd_kafka_mock_cluster_destroy(cluster.raw) }
            state.cluster = nil
            state.handle = nil
        }
    }

    private func withCluster<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
        try state.withLock { state in
            guard let cluster = state.cluster else { throw KafkaError.closed("embedded broker") }
            return try body(cluster.raw)
        }
    }
}
