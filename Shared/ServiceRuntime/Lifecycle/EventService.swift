import KafkaClient
public import PostgresClient
import Schemas
public import ServiceLifecycle

/// The parts of a service that turns events into effects: pool, producer, outbox relay and worker, from the runtime's
/// own configuration keys; with what `/ready` and `/metrics` say of the broker and the database.
public struct EventService: Sendable {
    /// How many messages of different keys are worked on at the same time.
    public static let concurrency = ConfigurationKey<Int>(
        "ERRATA_CONCURRENCY",
        default: 16,
        in: 1...1000,
        unit: "messages",
        "How many messages of different keys are worked on at the same time."
    )

    /// The keys of the parts of a sender that reads no topic.
    public static let senderKeys: [any AnyConfigurationKey] = KafkaKeys.all + DatabaseKeys.all
    /// The keys of the parts.
    public static let keys: [any AnyConfigurationKey] = senderKeys + [concurrency, member]

    /// The database.
    public let pool: PostgresPool
    /// A connection of its own for what is looked at from outside, so that a pool that is all in use can be seen.
    private let observer: PostgresPool
    private let figures = KafkaFigures()
    private let kafka: KafkaConfiguration
    private let context: ServiceContext

    /// Makes the pool, and adds the database with its tables to what the service must reach to be ready.
    ///
    /// - Throws: ``ConfigurationError`` that names the key.
    public init(_ context: ServiceContext) throws {
        let configuration = context.configuration
        var database: PostgresConfiguration
        do {
            database = try PostgresConfiguration(url: try configuration.value(DatabaseKeys.url).configurationText)
        } catch let error as PostgresError {
            throw ConfigurationError("\(DatabaseKeys.url.name): \(error)")
        }
        if let password = try configuration.optionalValue(DatabaseKeys.password) {
            database.setPassword(password.reveal())
        }
        database.applicationName = context.name
        if database.statementTimeout != nil {
            database.statementTimeout = try configuration.value(DatabaseKeys.statementTimeout)
        }
        let pool = PostgresPool(
            configuration: database,
            maximumConnections: try configuration.value(DatabaseKeys.maximumConnections),
            logger: context.logger
        )
        let observer = PostgresPool(
            configuration: database,
            options: .init(maximumConnections: 1, leaseTimeout: .seconds(2), connectDeadline: .seconds(2)),
            logger: context.logger
        )
        var settings = try configuration.value(KafkaKeys.settings).values
        if let password = try configuration.optionalValue(KafkaKeys.saslPassword) {
            settings["sasl.password"] = password.reveal()
        }
        kafka = KafkaConfiguration(
            bootstrapServers: try configuration.value(KafkaKeys.bootstrapServers),
            settings: settings
        )
        self.pool = pool
        self.observer = observer
        self.context = context
        context.readiness.register("database") { try await pool.execute("SELECT 1") }
        context.readiness.register("schema") { try await DatabaseSchema.check(observer) }
        context.metrics.register("kafka") { [figures] in figures.samples }
        context.metrics.register("pool") {
            let (connections, leased, waiting) = pool.statistics
            return [
                MetricSample(.poolConnections, count: connections), MetricSample(.poolConnectionsInUse, count: leased),
                MetricSample(.poolConnectionLimit, count: pool.options.maximumConnections),
                MetricSample(.poolWaiting, count: waiting),
            ]
        }
        measure("delivery") { try await DatabaseFigures.delivery(in: $0) }
    }

    /// Adds figures that are read from the database when the metrics are asked for, at most every 5 s.
    ///
    /// Arguments:
    ///   - name: a name for people, by which `errata_metrics_source_up` says whether they could be read.
    ///   - read: reads them; a query of more than 2 s is given up.
    public func measure(
        _ name: String,
        _ read: @escaping @Sendable (PostgresTransaction) async throws -> [MetricSample]
    ) {
        context.metrics.register(name, freshFor: .seconds(5)) { [observer] in
            try await observer.withTransaction(readOnly: true, retries: .none) { transaction in
                try await transaction.execute("SET LOCAL statement_timeout = 2000")
                return try await read(transaction)
            }
        }
    }

    /// The services in the order in which they start; they stop in the opposite one, the worker first.
    public func services(_ processor: some EventProcessor) throws -> [any Service] {
        let worker = EffectsWorker(
            processor: processor,
            pool: pool,
            kafka: figures.following(
                .consumer(processor.consumerName),
                try Self.consumer(kafka, named: context.configuration.optionalValue(Self.member))
            ),
            logger: context.logger,
            concurrency: try context.configuration.value(Self.concurrency)
        )
        let labels = ["consumer": processor.consumerName]
        context.metrics.register("worker") { [held = worker.held] in
            [MetricSample(.unfinishedOldestAge, held.oldestAge().inSeconds, labels)]
        }
        return try publishers() + [worker]
    }

    /// The services of a sender that reads no topic.
    ///
    /// The broker and all topics are added to what the service must reach to be ready: the relay of each service publishes
    /// for all of them.
    public func publishers() throws -> [any Service] {
        let producer = try KafkaProducer(
            figures.following(.producer, OutboxRelay.configuration(kafka)),
            logger: context.logger
        )
        // Less than a check may take, so that the broker's own words are told.
        let contact = BrokerContact(servers: kafka.bootstrapServers) {
            try await producer.metadata(timeout: .milliseconds(1500))
        }
        context.readiness.register("broker") { try await contact.checkBroker() }
        context.readiness.register("topics") { try await contact.checkTopics(Topic.allCases.map(\.rawValue)) }
        return [pool, observer, producer, OutboxRelay(pool: pool, producer: producer, logger: context.logger)]
    }

    /// This process among all: the holder of its leases.
    public var holder: String { "\(context.name)@\(ProcessIdentity.description)" }
}
