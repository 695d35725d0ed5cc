import KafkaClient
public import PostgresClient
public import ServiceLifecycle

/// The parts of a service that turns events into effects: pool, producer, outbox relay and worker, from the runtime's
/// own configuration keys.
public struct EventService: Sendable {
    /// How many messages of different keys are worked on at the same time.
    public static let concurrency = ConfigurationKey<Int>(
        "ERRATA_CONCURRENCY",
        default: 16,
        in: 1...1000,
        unit: "messages",
        "How many messages of different keys are worked on at the same time."
    )

    /// The keys of the parts.
    public static let keys: [any AnyConfigurationKey] = KafkaKeys.all + DatabaseKeys.all + [concurrency]

    /// The database.
    public let pool: PostgresPool
    private let kafka: KafkaConfiguration
    private let context: ServiceContext

    /// Makes the pool, and adds the database to what the service must reach to be ready.
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
        let pool = PostgresPool(
            configuration: database,
            maximumConnections: try configuration.value(DatabaseKeys.maximumConnections),
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
        self.context = context
        context.readiness.register("database") { try await pool.execute("SELECT 1") }
    }

    /// The services in the order in which they start; they stop in the opposite one, the worker first.
    ///
    /// `concurrency`: overrides the configured number of messages in flight.
    public func services(_ processor: some EventProcessor, concurrency: Int? = nil) throws -> [any Service] {
        try publishers() + [
            EffectsWorker(
                processor: processor,
                pool: pool,
                kafka: kafka,
                logger: context.logger,
                concurrency: try concurrency ?? context.configuration.value(Self.concurrency)
            )
        ]
    }

    /// The services of a sender that reads no topic.
    public func publishers() throws -> [any Service] {
        let producer = try KafkaProducer(kafka, logger: context.logger)
        return [pool, producer, OutboxRelay(pool: pool, producer: producer, logger: context.logger)]
    }

    /// This process among all: the holder of its leases.
    public var holder: String { "\(context.name)@\(ProcessIdentity.description)" }
}
