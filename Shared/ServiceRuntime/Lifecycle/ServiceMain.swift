import Foundation
import Logging
import Metrics
public import ServiceLifecycle
import Tracing
import UnixSignals

/// What an executable declares about its service.
public struct ServiceDefinition: Sendable {
    /// The service's name, for example `key-step-locator`.
    public let name: String
    /// What it does, in a line.
    public let summary: String
    /// The service's own keys; those of the runtime are added.
    public let keys: [any AnyConfigurationKey]
    /// What must hold of the keys together, and of the files that they name.
    public let check: @Sendable (Configuration) throws -> Void
    /// Calls the servers that the keys name, for `--check --call`, and tells what they answered; nil of a service that calls
    /// none.
    public let call: (@Sendable (Configuration) async throws -> String)?
    /// Makes the service's parts, in the order in which they start.
    public let makeServices: @Sendable (ServiceContext) async throws -> [any Service]

    /// Declares a service.
    public init(
        name: String,
        summary: String,
        keys: [any AnyConfigurationKey],
        check: @escaping @Sendable (Configuration) throws -> Void = { _ in },
        call: (@Sendable (Configuration) async throws -> String)? = nil,
        makeServices: @escaping @Sendable (ServiceContext) async throws -> [any Service]
    ) {
        self.name = name
        self.summary = summary
        self.keys = keys
        self.check = check
        self.call = call
        self.makeServices = makeServices
    }

    /// All keys: the runtime's and the service's own.
    public var allKeys: [any AnyConfigurationKey] { RuntimeKeys.all + TracingKeys.all + keys }

    private var callHelp: String {
        call == nil ? "" : "\n  --call   with --check: calls the servers that it names, and says what they refuse"
    }

    /// The text of `--help`.
    public var help: String {
        """
        \(name): \(summary)

        usage: \(name) [--help | --check\(call == nil ? "" : " [--call]")]

          --help   prints this text
          --check  checks the configuration, prints it without secrets, and ends\(callHelp)

        Configuration, from the environment or the file that ERRATA_CONFIG names:

        \(Configuration.describe(allKeys))
        Exit status: 0 ended in good order, 64 wrong arguments, 70 failed, 78 wrong configuration.

        """
    }
}

/// How a service's process ends, in the codes of sysexits.h.
public enum ExitCode: Int32, Sendable {
    /// Ended in good order.
    case success = 0
    /// Wrong arguments.
    case usage = 64
    /// A service failed.
    case software = 70
    /// Wrong configuration.
    case configuration = 78
}

/// The harness of a service's executable: its `main.swift` is one call of ``run(_:)``.
public enum ServiceMain {
    /// Runs a service with the process' arguments and environment, and ends the process.
    public static func run(_ definition: ServiceDefinition) async -> Never {
        let code = await run(
            definition,
            arguments: Array(CommandLine.arguments.dropFirst()),
            environment: ProcessInfo.processInfo.environment,
            isProcess: true
        )
        exit(code.rawValue)
    }

    /// Runs a service and tells how it ended.
    ///
    /// - Parameters:
    ///   - definition: The service.
    ///   - arguments: The arguments without the program's name.
    ///   - environment: The environment variables.
    ///   - isProcess: Whether the global log, metrics and tracing systems are set up and signals are taken.
    ///   - sink: Where log lines go.
    ///   - output: Where `--help` and `--check` write.
    ///   - complaints: Where wrong arguments and configurations are told.
    /// - Returns: How the service ended.
    public static func run(
        _ definition: ServiceDefinition,
        arguments: [String],
        environment: [String: String],
        isProcess: Bool = false,
        sink: LogSink = .standardError,
        output: LogSink = .standardOutput,
        complaints: LogSink = .standardError
    ) async -> ExitCode {
        var known = [[], ["--help"], ["-h"], ["--check"]]
        if definition.call != nil { known += [["--check", "--call"], ["--call", "--check"]] }
        guard known.contains(arguments) else {
            complaints.write("\(definition.name): unknown arguments: \(arguments.joined(separator: " ")); see --help\n")
            return .usage
        }
        if arguments.contains("--help") || arguments.contains("-h") {
            output.write(definition.help)
            return .success
        }
        let configuration: Configuration
        let handler: @Sendable (String) -> ServiceLogHandler
        do {
            configuration = try Configuration(keys: definition.allKeys, environment: environment)
            try definition.check(configuration)
            let level = try configuration.value(RuntimeKeys.logLevel)
            let format = try configuration.value(RuntimeKeys.logFormat)
            let secrets = configuration.secretValues
            let name = definition.name
            handler = { label in
                ServiceLogHandler(
                    label: label,
                    service: name,
                    level: level,
                    format: format,
                    secrets: secrets,
                    sink: sink
                )
            }
        } catch {
            complaints.write(Self.complaint(definition, error))
            return .configuration
        }
        if arguments.contains("--check") {
            output.write(configuration.effective.map { "\($0.name)=\($0.value)\n" }.joined())
            guard arguments.contains("--call"), let call = definition.call else { return .success }
            do {
                output.write(try await call(configuration))
                return .success
            } catch {
                complaints.write(Self.complaint(definition, error))
                return .configuration
            }
        }
        let metrics = PrometheusRegistry()
        if isProcess {
            LoggingSystem.bootstrap { handler($0) }
            MetricsSystem.bootstrap(metrics)
        }
        let logger = Logger(label: definition.name) { handler($0) }
        let context = ServiceContext(
            name: definition.name,
            configuration: configuration,
            logger: logger,
            metrics: metrics,
            readiness: Readiness()
        )
        do {
            let host = try ServiceHost(
                context: context,
                signals: isProcess ? [.sigterm, .sigint] : [],
                // Without what libraries do at the end: a thread that still computes would fall over what they free.
                onStuck: { if isProcess { _exit(ExitCode.software.rawValue) } }
            )
            let tracing = try ServiceTracing(configuration, name: definition.name, logger: logger)
            if isProcess { InstrumentationSystem.bootstrap(tracing.tracer) }
            logger.info("starting")
            // The exporter is the last to stop, so that it sends what the others did at last.
            let exporter: [any Service] = tracing.exporter.map { [$0] } ?? []
            try await host.run(exporter + (try await definition.makeServices(context)))
            logger.info("ended")
            return .success
        } catch let error as ConfigurationError {
            complaints.write(Self.complaint(definition, error))
            return .configuration
        } catch {
            logger.critical("failed", metadata: ["error": "\(error)"])
            return .software
        }
    }

    private static func complaint(_ definition: ServiceDefinition, _ error: any Error) -> String {
        let lines = "\(error)".split(separator: "\n").map { "  \($0)\n" }.joined()
        return "\(definition.name): the configuration is wrong:\n\(lines)See \(definition.name) --help.\n"
    }
}
