import Foundation
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceRuntime

/// The whole of Errata on one machine: the embedded broker in this process and a private PostgreSQL cluster (or ones that
/// run already), the teacher simulator (or a teacher of the user's) and the five services as processes of their own.
final class LocalSystem: Sendable {
    /// What `errata up` can be told.
    struct Options: Sendable {
        /// Where everything that lasts is kept.
        var state: URL
        /// A teacher's base address; `nil` starts the simulator.
        var teacherURL: String?
        /// The teacher's model name.
        var teacherModel = "errata-simulator"
        /// What the teacher is asked about problems, in place of ERRATA_TEACHER_PARTS.
        var teacherParts: String?
        /// The seed of the simulator.
        var seed: UInt64 = 1
        /// The simulator's share of chains of thought that go wrong.
        var simulatorErrorRate = 0.2
        /// The file of the engines that stages may name beside Errata's own.
        var engines: URL?
        /// The file of the servers that a run's decoding may name.
        var students: URL?
        /// A broker that runs; nil starts one in this process.
        var kafka: KafkaConfiguration?
        /// A database that runs; nil starts one in the state folder.
        var postgres: PostgresConfiguration?
    }

    /// The services, in the order in which they are started.
    static let services = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
    static let simulator = "teacher-simulator"

    let options: Options
    private let servers: LocalServers
    private let supervisor: ProcessSupervisor
    private let ports: [String: Int]
    private let logger: Logger
    private let lock: StateLock

    private init(
        options: Options,
        lock: StateLock,
        servers: LocalServers,
        ports: [String: Int],
        logger: Logger
    ) {
        self.options = options
        self.lock = lock
        self.servers = servers
        self.ports = ports
        self.logger = logger
        supervisor = ProcessSupervisor(
            logger: logger,
            policy: options.kafka == nil ? .embeddedBroker : RestartPolicy()
        )
    }

    /// Starts everything and waits until every service is ready.
    static func start(_ options: Options, logger: Logger, say: (String) -> Void) async throws -> LocalSystem {
        for folder in ["logs", "models", "work"] {
            try FileManager.default.createDirectory(
                at: options.state.appending(path: folder),
                withIntermediateDirectories: true
            )
        }
        let lock = try StateLock(state: options.state)
        LocalEndpoint.remove(from: options.state)
        let servers = try await LocalServers.start(options, logger: logger, say: say)
        do {
            let names = [simulator] + services
            let free = try LoopbackPort.free(names.count)
            let system = LocalSystem(
                options: options,
                lock: lock,
                servers: servers,
                ports: Dictionary(uniqueKeysWithValues: zip(names, free)),
                logger: logger
            )
            do {
                try await system.startServices(say: say)
            } catch {
                await system.supervisor.stop()
                throw error
            }
            return system
        } catch {
            await servers.stop()
            throw error
        }
    }

    /// How the broker is reached.
    var kafka: KafkaConfiguration { servers.kafka }
    /// Connections to the database.
    var pool: PostgresPool { servers.pool }

    /// The teacher's base address.
    var teacherURL: String {
        options.teacherURL ?? "http://127.0.0.1:\(ports[Self.simulator] ?? 0)/v1"
    }

    /// Programs that keep dying.
    var failedServices: [String] { supervisor.failed }

    /// The folder of the services' logs.
    var logs: URL { options.state.appending(path: "logs") }

    /// Has the embedded broker answer as late as the tests want it to.
    func delayAsPlanted() throws { try servers.delayAsPlanted() }

    /// Writes the endpoint file again: process ids change when a service is restarted.
    func writeEndpoint() throws {
        var services: [String: LocalEndpoint.Service] = [:]
        for (name, pid) in supervisor.processIdentifiers {
            services[name] = .init(pid: pid, http: "http://127.0.0.1:\(ports[name] ?? 0)")
        }
        let endpoint = LocalEndpoint(
            kafka: kafka.bootstrapServers,
            postgres: servers.database.url(includingPassword: true),
            teacher: teacherURL,
            services: services
        )
        try endpoint.write(to: options.state)
    }

    /// Ends all that was started, the services first.
    func stop() async {
        LocalEndpoint.remove(from: options.state)
        await supervisor.stop()
        await servers.stop()
    }

    private func startServices(say: (String) -> Void) async throws {
        var names = Self.services
        if options.teacherURL == nil { names.insert(Self.simulator, at: 0) }
        for name in names { try supervisor.start(try program(name)) }
        say("Waiting for \(names.joined(separator: ", "))")
        let deadline = ContinuousClock.now + .seconds(60)
        for name in names {
            let port = ports[name] ?? 0
            while await !Self.isReady(port: port) {
                guard ContinuousClock.now < deadline, !failedServices.contains(name) else {
                    throw CLIError("\(name) is not ready after 60 s, or cannot be started; see \(logFile(name).path)")
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        try writeEndpoint()
    }

    private func logFile(_ name: String) -> URL { logs.appending(path: "\(name).log") }

    private func program(_ name: String) throws -> ProcessSupervisor.Program {
        let folder = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map {
            URL(fileURLWithPath: $0).deletingLastPathComponent()
        }
        let executable = (own ?? folder).appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: executable.path) else {
            throw CLIError("\(executable.path) is missing: build all products with `swift build -c release`")
        }
        return ProcessSupervisor.Program(
            name: name,
            executable: executable,
            arguments: [],
            environment: environment(of: name),
            log: logFile(name)
        )
    }

    /// The environment of a service: this process's, of Errata's own keys those that are handed on and those that are set
    /// here.
    private func environment(of name: String) -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        var environment = own.filter { !$0.key.hasPrefix("ERRATA_") }
        environment.merge(HandedOnKeys.taken(by: name, of: own)) { $1 }
        // Each service goes by a name of its own in traces.
        environment["OTEL_SERVICE_NAME"] = nil
        environment["ERRATA_HTTP_PORT"] = String(ports[name] ?? 0)
        environment["ERRATA_EXIT_WITH_PARENT"] = "true"
        environment["ERRATA_PARENT_PROCESS"] = String(ProcessInfo.processInfo.processIdentifier)
        if name == Self.simulator {
            environment["ERRATA_SIMULATOR_SEED"] = String(options.seed)
            environment["ERRATA_SIMULATOR_ERROR_RATE"] = String(options.simulatorErrorRate)
            return environment
        }
        environment["ERRATA_KAFKA_BOOTSTRAP_SERVERS"] = kafka.bootstrapServers
        environment["ERRATA_KAFKA_SETTINGS"] = PassThroughSettings(kafka.settings).configurationText
        environment["ERRATA_POSTGRES_URL"] = servers.database.url(includingPassword: true)
        if name != "teacher-ingestion" {
            environment["ERRATA_MODEL_STORE"] = options.state.appending(path: "models").path
        }
        switch name {
        case "teacher-ingestion":
            environment["ERRATA_TEACHER_URL"] = teacherURL
            environment["ERRATA_TEACHER_MODEL"] = options.teacherModel
            if let parts = options.teacherParts { environment["ERRATA_TEACHER_PARTS"] = parts }
        case "template-distiller", "dpo-trainer":
            environment["ERRATA_WORK_FOLDER"] = options.state.appending(path: "work/\(name)").path
            environment[ExternalEngineKeys.file.name] = options.engines?.path
        case "evaluator":
            environment[StudentEndpointKeys.file.name] = options.students?.path
        default:
            break
        }
        return environment
    }

    private static func isReady(port: Int) async -> Bool {
        await HealthCheck.isReady("http://127.0.0.1:\(port)/ready")
    }
}
