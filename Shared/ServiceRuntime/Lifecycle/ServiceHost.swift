public import Logging
public import ServiceLifecycle
import Synchronization
public import UnixSignals

/// What a service's parts are made from.
public struct ServiceContext: Sendable {
    /// The service's name, for example `key-step-locator`.
    public let name: String
    /// The checked configuration.
    public let configuration: Configuration
    /// The service's logger.
    public let logger: Logger
    /// The registry behind `/metrics`, also the global metrics factory in a real process.
    public let metrics: PrometheusRegistry
    /// Where checks for `/ready` are added.
    public let readiness: Readiness

    /// Makes a context.
    public init(
        name: String,
        configuration: Configuration,
        logger: Logger,
        metrics: PrometheusRegistry,
        readiness: Readiness
    ) {
        self.name = name
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        self.readiness = readiness
    }
}

/// Runs services together with the HTTP server, until one ends or a signal comes.
///
/// Services start in their order and are shut down gracefully in the opposite one; the HTTP server is the last to
/// stop. When the shutdown takes longer than the timeout, the tasks are cancelled.
public struct ServiceHost: Sendable {
    private let context: ServiceContext
    private let signals: [UnixSignal]
    private let timeout: Duration
    private let onStuck: @Sendable () -> Void

    /// The HTTP server, for its port.
    public let healthServer: HealthServer

    /// Makes a host from the runtime's keys in the context's configuration.
    ///
    /// `onStuck` is called when services have ignored even their cancellation; a process ends itself there.
    ///
    /// - Throws: ``ConfigurationError`` when the runtime's keys were not declared.
    public init(
        context: ServiceContext,
        signals: [UnixSignal] = [.sigterm, .sigint],
        onStuck: @escaping @Sendable () -> Void = {}
    ) throws {
        self.context = context
        self.signals = signals
        self.onStuck = onStuck
        timeout = try context.configuration.value(RuntimeKeys.shutdownTimeout)
        healthServer = HealthServer(
            service: context.name,
            host: try context.configuration.value(RuntimeKeys.httpHost),
            port: try context.configuration.value(RuntimeKeys.httpPort),
            readiness: context.readiness,
            metrics: context.metrics,
            logger: context.logger
        )
    }

    /// Runs the services.
    ///
    /// A service that returns ends them all in good order; one that throws does too, and its
    /// error is thrown on.
    public func run(_ services: [any Service]) async throws {
        let watch = ShutdownWatch(
            readiness: context.readiness,
            logger: context.logger,
            deadline: timeout + .seconds(5),
            onStuck: onStuck
        )
        var all: [any Service] = [healthServer] + services
        if try context.configuration.value(RuntimeKeys.exitWithParent) {
            let parent = try context.configuration.value(RuntimeKeys.parentProcess)
            all.append(ParentWatch(parent: parent, logger: context.logger))
        }
        all.append(watch)
        var configuration = ServiceGroupConfiguration(
            services: all.map {
                .init(
                    service: $0,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup
                )
            },
            gracefulShutdownSignals: signals,
            logger: context.logger
        )
        configuration.maximumGracefulShutdownDuration = timeout
        defer { watch.stop() }
        try await ServiceGroup(configuration: configuration).run()
    }
}

/// Notices the beginning of the shutdown, makes the service unready, and watches that it ends.
private final class ShutdownWatch: Service {
    private let readiness: Readiness
    private let logger: Logger
    private let deadline: Duration
    private let onStuck: @Sendable () -> Void
    private let clock = Mutex<Task<Void, Never>?>(nil)

    init(readiness: Readiness, logger: Logger, deadline: Duration, onStuck: @escaping @Sendable () -> Void) {
        self.readiness = readiness
        self.logger = logger
        self.deadline = deadline
        self.onStuck = onStuck
    }

    func run() async throws {
        // The last service is the first to be told.
        try? await gracefulShutdown()
        logger.info("shutting down")
        readiness.beginShutdown()
        let (deadline, logger, onStuck) = (deadline, logger, onStuck)
        let task = Task.detached {
            do { try await Task.sleep(for: deadline) } catch { return }
            logger.critical("services did not stop in time", metadata: ["deadline": "\(deadline.configurationText)"])
            onStuck()
        }
        clock.withLock { $0 = task }
    }

    func stop() { clock.withLock { $0 }?.cancel() }
}
