import ArgumentParser
import KafkaClient
import Schemas
import ServiceRuntime

/// `errata migrate`: prepares a database and a broker.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database to this version and make the topics. Safe to run again."
    )

    @OptionGroup var system: SystemOptions

    @Option(help: "Replicas of each topic.")
    var replication = 1

    func validate() throws {
        guard (1...1000).contains(replication) else {
            throw ValidationError("--replication must be 1 to 1000 (at most the number of brokers), not \(replication)")
        }
    }

    func run() async throws {
        try await system.withDatabase(checksSchema: false) { try await DatabaseSchema.migrate($0) }
        Terminal.out("database: up to date (\(DatabaseSchema.migrations.count) migrations)")
        let admin = try KafkaAdmin(try await system.answeringKafka(), logger: LastWords().logger)
        try await admin.createTopics(TopicSpecification.all(replication: replication))
        Terminal.out("topics: \(Topic.allCases.map(\.rawValue).joined(separator: ", "))")
    }
}
