import ArgumentParser
import Foundation
import KafkaClient
import Logging
import Schemas
import ServiceRuntime

/// `errata migrate`: prepares a database and a broker.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database to this version and make the topics. Safe to run again.",
        discussion: """
            Topics that are there already are left as they are; one with fewer partitions or another retention than Errata's \
            is told of, with what changes it. With ERRATA_LOG_FORMAT=json it writes lines of JSON, as the services do.
            """
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
        let report = MigrationReport(environment: ProcessInfo.processInfo.environment)
        do {
            try await migrate(report)
        } catch {
            guard report.isJSON else { throw error }
            report.failed(Explanation.text(of: error))
            throw ExitCode.failure
        }
    }

    private func migrate(_ report: MigrationReport) async throws {
        try await system.withDatabase(checksSchema: false) { try await DatabaseSchema.migrate($0) }
        report.say("database: up to date (\(DatabaseSchema.migrations.count) migrations)")
        let admin = try KafkaAdmin(try await system.answeringKafka(), logger: LastWords().logger)
        let topics = TopicSpecification.all(replication: replication)
        let made = Set(try await admin.createTopics(topics))
        report.say("topics: \(topics.map(\.name).joined(separator: ", "))")
        let others = topics.filter { !made.contains($0.name) }
        for difference in try await admin.differences(from: others, timeout: SystemOptions.patience) {
            report.warn(difference.description)
        }
    }
}

/// What `errata migrate` says: lines for people, or those of a service's log.
struct MigrationReport {
    private let logger: Logger?

    /// Reads how to say it from ERRATA_LOG_FORMAT.
    init(environment: [String: String]) {
        guard environment[RuntimeKeys.logFormat.name] == LogFormat.json.rawValue else {
            logger = nil
            return
        }
        logger = Logger(label: "errata.migrate") { label in
            ServiceLogHandler(label: label, service: "errata", format: .json)
        }
    }

    /// Whether it is for programs.
    var isJSON: Bool { logger != nil }

    func say(_ text: String) {
        guard let logger else { return Terminal.out(text) }
        logger.info("\(text)")
    }

    func warn(_ text: String) {
        guard let logger else { return Terminal.error("warning: \(text)") }
        logger.warning("\(text)")
    }

    func failed(_ text: String) { logger?.error("\(text)") }
}
