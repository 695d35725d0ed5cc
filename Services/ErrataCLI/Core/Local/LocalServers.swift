import FaultPoints
import Foundation
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceRuntime

/// The broker and the database of a local system: its own, or ones that run already, which it leaves running.
struct LocalServers: Sendable {
    /// How the services reach the broker.
    let kafka: KafkaConfiguration
    /// How they reach the database.
    let database: PostgresConfiguration
    /// Connections to it.
    let pool: PostgresPool
    private let broker: EmbeddedBroker?
    private let postgres: EmbeddedPostgres?

    /// Starts those that are its own, brings the database to this version and makes the topics.
    static func start(
        _ options: LocalSystem.Options,
        logger: Logger,
        say: (String) -> Void
    ) async throws -> LocalServers {
        try await check(options)
        var postgres: EmbeddedPostgres?
        let database: PostgresConfiguration
        if let running = options.postgres {
            database = running
        } else {
            say("Starting a private PostgreSQL cluster in \(options.state.appending(path: "postgres").path)")
            let own = EmbeddedPostgres(stateFolder: options.state.appending(path: "postgres"))
            database = try await own.start()
            postgres = own
        }
        let pool = PostgresPool(configuration: database, maximumConnections: 4)
        do {
            try await DatabaseSchema.migrate(pool)
            if let running = options.kafka {
                try await KafkaAdmin(running, logger: logger).createTopics(TopicSpecification.all())
                return LocalServers(kafka: running, database: database, pool: pool, broker: nil, postgres: postgres)
            }
            // The embedded broker starts empty: what it carried before is sent again, and every consumer recognises it.
            try await Republishing.start(in: pool)
            let topics = Topic.allCases.map { ($0.rawValue, $0.defaultPartitions) }
            let broker = try EmbeddedBroker(topics: Dictionary(uniqueKeysWithValues: topics), logger: logger)
            say("Started the embedded broker on \(broker.bootstrapServers)")
            return LocalServers(
                kafka: broker.configuration,
                database: database,
                pool: pool,
                broker: broker,
                postgres: postgres
            )
        } catch {
            pool.close()
            await postgres?.stop()
            throw error
        }
    }

    /// Whether those that should run already answer.
    ///
    /// - Throws: ``SystemFault`` within seconds.
    private static func check(_ options: LocalSystem.Options) async throws {
        if let running = options.postgres {
            let pool = SystemOptions.pool(running, maximumConnections: 1)
            defer { pool.close() }
            try await SystemOptions.check(pool, schema: false, cure: "start it, or look at --postgres")
        }
        if let running = options.kafka {
            _ = try await SystemOptions.topics(
                at: running,
                cure: "start it, or look at --kafka and ERRATA_KAFKA_SETTINGS"
            )
        }
    }

    /// Has the embedded broker answer as late as the tests want it to; nothing in other builds.
    func delayAsPlanted() throws {
        #if ERRATA_FAULTS
        guard FaultPoint.arePlanted else { return }
        try broker?.setRoundTripTime(.milliseconds(PlantedDelay.broker))
        #endif
    }

    /// Ends those that are its own.
    func stop() async {
        broker?.stop()
        pool.close()
        await postgres?.stop()
    }
}
