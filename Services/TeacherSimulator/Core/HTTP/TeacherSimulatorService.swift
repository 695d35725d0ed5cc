import Foundation
import Logging
import PracticeDomain
import ServiceLifecycle
public import ServiceRuntime
import UnixSignals

/// How the simulator is configured and run.
///
/// It serves its own `/health` and `/ready` beside the API on the address of ERRATA_HTTP_HOST and ERRATA_HTTP_PORT, so
/// it is run without `ServiceHost`, whose server would take that address.
public enum TeacherSimulatorService {
    /// The simulator's name.
    public static let name = "teacher-simulator"

    /// The seed of slips and wordings.
    public static let seed = ConfigurationKey<Int>(
        "ERRATA_SIMULATOR_SEED",
        default: 0,
        in: 0...Int.max,
        "The seed of slips and wordings: the same seed gives the same answers."
    )
    /// The share of wrong chains.
    public static let errorRate = ConfigurationKey<Double>(
        "ERRATA_SIMULATOR_ERROR_RATE",
        default: 0.5,
        in: 0...10,
        "The share of chains of thought with a slip at temperature 1, in proportion to it at others: 1.35 gives 27 % at 0.2."
    )

    /// How long batches take.
    public static let batchSeconds = ConfigurationKey<Double>(
        "ERRATA_SIMULATOR_BATCH_SECONDS",
        default: 0,
        in: 0...86_400,
        unit: "seconds",
        "How long a batch of /v1/batches is in progress before it is completed."
    )

    /// All keys.
    public static let keys: [any AnyConfigurationKey] = RuntimeKeys.all + [seed, errorRate, batchSeconds]

    /// Runs the simulator with the process' arguments and environment.
    ///
    /// - Returns: how it ended, in the codes of sysexits.h.
    public static func run(arguments: [String], environment: [String: String]) async -> ExitCode {
        if arguments == ["--help"] || arguments == ["-h"] {
            FileHandle.standardOutput.write(Data("\(name): an OpenAI-compatible teacher\n\n\(help)".utf8))
            return .success
        }
        guard arguments.isEmpty || arguments == ["--check"] else {
            complain("unknown arguments: \(arguments.joined(separator: " ")); see --help")
            return .usage
        }
        let group: ServiceGroup
        let logger: Logger
        do {
            let configuration = try Configuration(keys: keys, environment: environment)
            if arguments == ["--check"] {
                let lines = configuration.effective.map { "\($0.name)=\($0.value)\n" }.joined()
                FileHandle.standardOutput.write(Data(lines.utf8))
                return .success
            }
            let level = try configuration.value(RuntimeKeys.logLevel)
            let format = try configuration.value(RuntimeKeys.logFormat)
            LoggingSystem.bootstrap { ServiceLogHandler(label: $0, service: name, level: level, format: format) }
            logger = Logger(label: name)
            let server = TeacherServer(
                teacher: SimulatedTeacher(
                    seed: UInt64(try configuration.value(seed)),
                    errorRate: try configuration.value(errorRate)
                ),
                batchDelay: .seconds(try configuration.value(batchSeconds)),
                host: try configuration.value(RuntimeKeys.httpHost),
                port: try configuration.value(RuntimeKeys.httpPort),
                logger: logger
            )
            var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
                .init(service: server, failureTerminationBehavior: .cancelGroup)
            ]
            if try configuration.value(RuntimeKeys.exitWithParent) {
                services.append(
                    .init(
                        service: ParentWatch(
                            parent: try configuration.value(RuntimeKeys.parentProcess),
                            logger: logger
                        ),
                        successTerminationBehavior: .gracefullyShutdownGroup
                    )
                )
            }
            group = ServiceGroup(
                configuration: .init(
                    services: services,
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logger
                )
            )
        } catch {
            complain("the configuration is wrong: \(error)\nSee \(name) --help.")
            return .configuration
        }
        do {
            try await group.run()
            return .success
        } catch {
            logger.critical("failed", metadata: ["error": "\(error)"])
            return .software
        }
    }

    private static var help: String { "Configuration, from the environment:\n\n\(Configuration.describe(keys))" }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data("\(name): \(text)\n".utf8))
    }
}
