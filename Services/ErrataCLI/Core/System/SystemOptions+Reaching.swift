import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceRuntime

/// The broker and the database, asked first whether they are there and are what the command needs: a command that cannot
/// work ends within five seconds with a line that says what to do.
extension SystemOptions {
    /// How long a broker or a database may take to answer before a command gives up.
    static let patience = Duration.seconds(4)

    // MARK: Database

    /// A few connections to a database, which is given up soon where it does not answer; nothing is logged.
    static func pool(_ configuration: PostgresConfiguration, maximumConnections: Int = 2) -> PostgresPool {
        var configuration = configuration
        configuration.connectTimeout = min(configuration.connectTimeout, patience)
        return PostgresPool(
            configuration: configuration,
            options: PostgresPool.Options(maximumConnections: maximumConnections, connectDeadline: patience),
            logger: LastWords().logger
        )
    }

    /// Fails where the database does not answer, or its tables are not this version's.
    ///
    /// - Throws: ``SystemFault``.
    func check(_ pool: PostgresPool, schema: Bool) async throws {
        try await Self.check(pool, schema: schema, cure: cure("ERRATA_POSTGRES_URL", .postgres))
    }

    /// The same of any database; `cure` says what to do where it does not answer.
    static func check(_ pool: PostgresPool, schema: Bool, cure: String) async throws {
        var fault: DatabaseSchema.Fault?
        do {
            if schema {
                fault = try await DatabaseSchema.fault(of: pool)
            } else {
                try await pool.query("SELECT 1")
            }
        } catch let error as PostgresError where error.kind == .connection && error.sqlState == nil {
            throw SystemFault("\(Explanation.text(of: error)); \(cure)")
        } catch {
            throw Explanation.of(error)
        }
        if let fault { throw SystemFault(fault.description) }
    }

    // MARK: Broker

    /// The topics of any broker; `cure` says what to do where it does not answer.
    ///
    /// - Throws: ``SystemFault``.
    static func topics(at configuration: KafkaConfiguration, cure: String) async throws -> Set<String> {
        let words = LastWords()
        do {
            let admin = try KafkaAdmin(configuration, logger: words.logger)
            let metadata = try await admin.metadata(timeout: patience)
            // A topic that is being deleted is listed without partitions.
            return Set(metadata.topics.filter { !$0.partitions.isEmpty }.map(\.name))
        } catch let error as KafkaError where error.isRetriable {
            let cause = words.cause.map { " (\($0))" } ?? ""
            throw SystemFault("no broker answers at \(configuration.bootstrapServers)\(cause); \(cure)")
        } catch {
            throw Explanation.of(error)
        }
    }

    /// The broker, once it has answered and has the topics.
    ///
    /// - Throws: ``SystemFault``.
    func answeringKafka(topics: [String] = []) async throws -> KafkaConfiguration {
        let configuration = try kafka()
        let cure = cure("ERRATA_KAFKA_BOOTSTRAP_SERVERS and ERRATA_KAFKA_SETTINGS", .kafka)
        let found = try await Self.topics(at: configuration, cure: cure)
        let missing = topics.filter { !found.contains($0) }
        guard missing.isEmpty else {
            let own = missing.allSatisfy { Topic(rawValue: $0) != nil }
            throw SystemFault(
                "the broker at \(configuration.bootstrapServers) has no topic \(missing.joined(separator: ", "))"
                    + (own ? "; make Errata's topics with `errata migrate`" : "")
            )
        }
        return configuration
    }

    /// Runs a body with a producer, once the broker has answered and has the topics, and closes it.
    func withProducer<Result>(
        to topics: [Topic],
        _ body: (KafkaProducer) async throws -> Result
    ) async throws -> Result {
        let producer = try KafkaProducer(try await answeringKafka(topics: topics.map(\.rawValue)))
        return try await attempting {
            try await body(producer)
        } finally: {
            await producer.close()
        }
    }

    // MARK: Cures

    private enum Part { case kafka, postgres }

    /// What to do where nobody answers.
    private func cure(_ keys: String, _ part: Part) -> String {
        let environment = ProcessInfo.processInfo.environment
        let isNamed =
            switch part {
            case .kafka: environment["ERRATA_KAFKA_BOOTSTRAP_SERVERS"] != nil
            case .postgres: environment["ERRATA_POSTGRES_URL"] != nil || environment["ERRATA_POSTGRES_URL_FILE"] != nil
            }
        return isNamed
            ? "start it, or look at \(keys)"
            : "`errata up --state \(stateFolder.path)` starts the system anew"
    }
}
