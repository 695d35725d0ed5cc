public import Logging
public import ServiceLifecycle

/// Produces records; idempotent and acknowledged by all in-sync replicas unless the settings say otherwise.
///
/// Every call awaits the broker's own delivery report. Records that one task sends one after the other, or in one
/// batch, keep their order in a partition. When the local queue (`queue.buffering.max.messages`) is full a call waits
/// for room instead of failing. Delivery is tried until `delivery.timeout.ms` (librdkafka's default, 5 minutes).
///
/// As a `Service` it stays until graceful shutdown and then closes: put it before what uses it.
public final class KafkaProducer: Sendable, Service {
    private let core: ProducerCore

    /// Makes a producer; throws ``KafkaError`` that names a refused setting.
    ///
    /// The brokers are not contacted yet.
    public init(_ configuration: KafkaConfiguration, logger: Logger = Logger(label: "kafka.producer")) throws {
        let settings = configuration.merged(
            defaults: [
                "client.id": "errata",
                "enable.idempotence": "true",
                "linger.ms": "5",
                "statistics.interval.ms": "5000",
            ],
            required: [:]
        )
        core = try ProducerCore(settings: settings, logger: logger, onStatistics: configuration.onStatistics)
    }

    deinit {
        // A no-op after `close`; otherwise what is queued is given up, and those who await it are told so.
        core.stop()
    }

    /// Sends one record and awaits its delivery report.
    ///
    /// A cancelled task stops waiting (`CancellationError`); a record that was queued by then may still be delivered.
    public func send(_ record: KafkaRecord) async throws -> DeliveryReport {
        try await core.enqueue(record).cancellableValue()
    }

    /// Sends records in order and awaits all reports; throws the first failure after every report has come.
    public func send(_ records: [KafkaRecord]) async throws -> [DeliveryReport] {
        try await deliver(records).map { try $0.get() }
    }

    /// Sends records in order and awaits all reports, one result a record; throws only `CancellationError`.
    ///
    /// A record that is refused (one that is too large, say) does not hold up those behind it.
    public func deliver(_ records: [KafkaRecord]) async throws -> [Result<DeliveryReport, KafkaError>] {
        var queued: [Result<Promise<DeliveryReport>, KafkaError>] = []
        queued.reserveCapacity(records.count)
        for record in records {
            do {
                queued.append(.success(try await core.enqueue(record)))
            } catch let error as KafkaError {
                queued.append(.failure(error))
            }
        }
        var results: [Result<DeliveryReport, KafkaError>] = []
        results.reserveCapacity(records.count)
        for entry in queued {
            do {
                results.append(.success(try await entry.get().cancellableValue()))
            } catch let error as KafkaError {
                results.append(.failure(error))
            }
        }
        return results
    }

    /// Sends what is queued without lingering, and waits until all reports have come; throws when `timeout` passes.
    public func flush(timeout: Duration = .seconds(30)) async throws {
        try await core.flush(timeout: timeout)
    }

    /// Flushes within `timeout`, gives up what is left (its senders get ``KafkaError/Code/purged``), and ends.
    ///
    /// Closing twice is harmless.
    public func close(timeout: Duration = .seconds(10)) async {
        core.refuseMore()
        do {
            try await core.flush(timeout: timeout)
        } catch {
            core.context.logger.warning("closing with undelivered records: \(error)")
        }
        core.stop()
        await core.awaitStop()
    }

    /// The error that ended the client, if one did: a new producer must then be made.
    public var fatalError: KafkaError? { core.fatalError }

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
