import ArgumentParser
import CompletionClient
import Foundation
import KafkaClient
import Logging
import PostgresClient

/// `errata up`: the whole system on this machine.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the whole system on this machine: embedded broker, private PostgreSQL, teacher, services.",
        discussion: """
            Without --demo it runs until it is interrupted, and the other commands find it through --state. With --demo \
            it streams problems in, trains a student through all stages, prints the results and ends.

            The embedded broker keeps its messages in memory: at most 5 MiB a partition, nothing survives a restart but \
            what PostgreSQL holds. It is fit for a trial and for tests; for more, use the compose file, or --kafka and \
            --postgres with servers that run already. Topics that are missing there are made, and the database is brought \
            to this version; both are left running.

            Of the environment the services get the keys of the teacher and the intake, of computing and retention, and \
            ERRATA_CONCURRENCY, ERRATA_POSTGRES_CONNECTIONS, ERRATA_LOG_LEVEL and ERRATA_LOG_FORMAT.
            """
    )

    @Option(help: "The folder for everything that lasts. With --demo, default: a new folder in .errata.")
    var state: String?

    @Flag(help: "Run the main job on built-in problems (or --problems) and print the table of results.")
    var demo = false

    @Option(help: "With --demo: your own problems, JSON lines in GSM8K's layout.")
    var problems: String?

    @Option(help: "The seed of problems, teacher simulator, student and training.")
    var seed: UInt64 = 1

    @Flag(help: "With --demo: a few hundred problems and a minute of training; its accuracies mean nothing.")
    var quick = false

    @Flag(help: "With --demo: leave the system running after the results, until it is interrupted.")
    var keep = false

    @Option(
        help: """
            An OpenAI-compatible teacher, with or without /v1; by default that of ERRATA_TEACHER_URL, else the built-in \
            simulator.
            """
    )
    var teacherURL: String?

    @Option(help: "The teacher's model name.")
    var teacherModel: String?

    @Option(help: "A JSON file of engines that stages may name beside Errata's own, as in compose/external-trainer.")
    var engines: String?

    @Option(help: "A JSON file of the servers that a run's decoding.endpoint may name.")
    var students: String?

    @Option(
        help: """
            A broker that runs, like host:9092, in place of the embedded one; with ERRATA_KAFKA_SETTINGS and \
            ERRATA_KAFKA_SASL_PASSWORD of the environment.
            """
    )
    var kafka: String?

    @Option(
        help: """
            A database that runs, like postgresql://user@host/name, in place of a private one; with \
            ERRATA_POSTGRES_PASSWORD of the environment.
            """
    )
    var postgres: String?

    func validate() throws {
        if !demo, problems != nil || keep || quick {
            throw ValidationError("--problems, --quick and --keep belong to --demo")
        }
        if let teacherURL {
            guard ServerAddress(teacherURL) != nil else {
                throw ValidationError("--teacher-url must be like http://host:8000/v1, not '\(teacherURL)'")
            }
        }
    }

    func run() async throws {
        var logger = Logger(label: "errata")
        logger.logLevel = .warning
        var options = LocalSystem.Options(state: stateFolder)
        options.seed = seed
        // Its student's tokenizer is made of the traces, before there is a run.
        if demo { options.teacherParts = "all" }
        let environment = ProcessInfo.processInfo.environment
        options.teacherURL = teacherURL ?? environment["ERRATA_TEACHER_URL"]
        if let teacherModel = teacherModel ?? environment["ERRATA_TEACHER_MODEL"] {
            options.teacherModel = teacherModel
        }
        options.engines = engines.map { URL(fileURLWithPath: $0).absoluteURL }
        options.students = students.map { URL(fileURLWithPath: $0).absoluteURL }
        options.kafka = try kafka.map { try SystemOptions.kafka(at: $0, environment: environment) }
        options.postgres = try postgres.map { try SystemOptions.database(at: $0, environment: environment) }
        let interruption = await Interruption()
        let system = try await LocalSystem.start(options, logger: logger) { Terminal.out($0) }
        do {
            try await interruption.cancelling {
                if demo {
                    let plan = quick ? DemoPlan.quick : DemoPlan()
                    try await DemoRunner(system: system, plan: plan, seed: seed, problemsFile: problems).run()
                    if keep {
                        Terminal.out("\nThe system stays up (--keep); press Ctrl-C to stop it.")
                        try await stayUp(system)
                    }
                } else {
                    Terminal.out(readyText(system))
                    try await stayUp(system)
                }
            }
        } catch is CancellationError {
            await system.stop()
            if demo && !keep { throw ExitCode(130) }
            return
        } catch {
            await system.stop()
            throw error
        }
        await system.stop()
    }

    /// Keeps the endpoint file in step with the processes until cancelled.
    private func stayUp(_ system: LocalSystem) async throws {
        while true {
            try await Task.sleep(for: .milliseconds(200))
            try system.writeEndpoint()
            try system.delayAsPlanted()
            let failed = system.failedServices
            guard failed.isEmpty else {
                throw CLIError("\(failed.joined(separator: ", ")) cannot be kept running; see \(system.logs.path)")
            }
        }
    }

    private var stateFolder: URL {
        let current = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        if let state { return URL(fileURLWithPath: state, relativeTo: current).absoluteURL }
        let base = current.appending(path: ".errata")
        guard demo else { return base }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyyMMdd-HHmmss"
        return base.appending(path: "demo-\(formatter.string(from: Date()))")
    }

    private func readyText(_ system: LocalSystem) -> String {
        """

        Errata is up.
          Kafka       \(system.kafka.bootstrapServers)
          PostgreSQL  \(system.pool.configuration.url(includingPassword: false))
          teacher     \(system.teacherURL)
          logs        \(system.logs.path)
        Submit problems:  errata submit FILE --state \(system.options.state.path)
        Watch events:     errata watch evaluations --state \(system.options.state.path)
        Press Ctrl-C to stop.
        """
    }
}
