public import Logging
public import ServiceLifecycle
import Synchronization

/// Produces records; idempotent and acknowledged by all in-sync replicas unless the settings say otherwise.
///
/// Every call awaits the broker's own delivery report. Records that one task sends one after the other, or in one
/// batch, keep their order in a partition. When the local queue (`queue.buffering.max.messages`) is full a call waits
/// for room instead of failing. Delivery is tried for ``deliveryTimeout``.
///
/// A record counts as delivered when a broker has said so; `acks=0`, by which none would, is refused.
///
/// As a `Service` it stays until graceful shutdown and then closes: put it before what uses it.
public final class KafkaProducer: Sendable, Service {
    /// How long a record is tried; nil: without an end.
    public let deliveryTimeout: Duration?
    private let settings: [String: String]
    private let logger: Logger
    private let onStatistics: (@Sendable (KafkaStatistics) -> Void)?
    private let current: Mutex<ProducerCore>

    private var core: ProducerCore { current.withLock { $0 } }

    /// Makes a producer; throws ``KafkaError`` that names a refused setting.
    ///
    /// The brokers are not contacted yet.
    public init(_ configuration: KafkaConfiguration, logger: Logger = Logger(label: "kafka.producer")) throws {
        try Self.checkAcknowledgement(configuration)
        deliveryTimeout = configuration.deliveryTimeout
        settings = configuration.merged(
            defaults: [
                "client.id": "errata",
                "enable.idempotence": "true",
                "linger.ms": "5",
                "statistics.interval.ms": "5000",
            ],
            required: [:]
        )
        self.logger = logger
        onStatistics = configuration.onStatistics
        current = try Mutex(ProducerCore(settings: settings, logger: logger, onStatistics: onStatistics))
    }

    /// Refuses a producer that no broker answers: a record that was lost on the way would count as delivered.
    private static func checkAcknowledgement(_ configuration: KafkaConfiguration) throws {
        // One setting under two names.
        for name in ["acks", "request.required.acks"] {
            guard let value = configuration.settings[name], Int(value.filter { !$0.isWhitespace }) == 0 else {
                continue
            }
            throw KafkaError(
                code: .invalidArgument,
                message: "Kafka setting '\(name)': with 0 no broker says whether it has a record, and one that is lost "
                    + "would count as delivered; leave the setting out (all in-sync replicas), or set 1 or all",
                setting: name
            )
        }
    }

    deinit {
        // A no-op after `close`; otherwise what is queued is given up, and those who await it are told so.
        core.stop()
    }

    /// Sends one record and awaits its delivery report.
    ///
    /// A cancelled task stops waiting (`CancellationError`); a record that was queued by then may still be delivered.
    public func send(_ record: KafkaRecord) async throws -> DeliveryReport {
        guard let result = try await deliver([record]).first else { throw KafkaError.closed("producer") }
        return try result.get()
    }

    /// Sends records in order and awaits all reports; throws the first failure after every report has come.
    public func send(_ records: [KafkaRecord]) async throws -> [DeliveryReport] {
        try await deliver(records).map { try $0.get() }
    }

    /// Sends records in order and awaits all reports, one result a record; throws only `CancellationError`.
    ///
    /// A record that is refused (one that is too large, say) does not hold up those behind it.
    public func deliver(_ records: [KafkaRecord]) async throws -> [Result<DeliveryReport, KafkaError>] {
        try await core.deliver(records)
    }

    /// Sends what is queued without lingering, and waits until all reports have come; throws when `timeout` passes.
    public func flush(timeout: Duration = .seconds(30)) async throws {
        try await core.flush(timeout: timeout)
    }

    /// Flushes within `timeout`, gives up what is left (its senders get ``KafkaError/Code/purged``), and ends.
    ///
    /// Closing twice is harmless.
    public func close(timeout: Duration = .seconds(10)) async {
        let core = core
        core.refuseMore()
        do {
            try await core.flush(timeout: timeout)
        } catch {
            core.context.logger.warning("closing with undelivered records: \(error)")
        }
        core.stop()
        await core.awaitStop()
    }

    /// The error that ended the client, if one did: nothing is sent until ``renew()``.
    public var fatalError: KafkaError? { core.fatalError }

    /// Makes a new client in place of one that a fatal error ended; does nothing where none did, or after `close`.
    ///
    /// What the old one still holds is given up, and its senders are told (``KafkaError/Code/purged``). The new client is
    /// another one to the brokers: what it sends again of the old one's records may stand twice on a topic.
    public func renew() throws {
        let old = try current.withLock { core -> ProducerCore? in
            guard core.fatalError != nil else { return nil }
            let old = core
            core = try ProducerCore(settings: settings, logger: logger, onStatistics: onStatistics)
            return old
        }
        old?.stop()
    }

    /// Ends the client as a fatal error would, for tests of what is done then.
    package func endFatally(reason: String) { core.endFatally(reason: reason) }

    /// The brokers, topics and partitions, asked of a broker now over this client's own connections.
    ///
    /// Throws ``KafkaError`` where none answers within `timeout`.
    public func metadata(timeout: Duration = .seconds(10)) async throws -> ClusterMetadata {
        try await core.metadata(timeout: timeout)
    }

    /// Stays until graceful shutdown or cancellation, then closes.
    public func run() async throws {
        try? await gracefulShutdown()
        await close()
    }
}
