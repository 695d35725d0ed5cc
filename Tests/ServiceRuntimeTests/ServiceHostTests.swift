import Foundation
import Logging
import ServiceLifecycle
import ServiceRuntime
import Synchronization
import TestSupport
import Testing

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A service that runs a closure.
struct ClosureService: Service {
    let body: @Sendable () async throws -> Void
    func run() async throws { try await body() }
}

struct PlantedError: Error {}

@Suite("Health server, host and harness")
struct ServiceHostTests {
    private func context(_ environment: [String: String] = [:], sink: LogSink) throws -> ServiceContext {
        ServiceContext(
            name: "svc",
            configuration: try Configuration(keys: RuntimeKeys.all, environment: environment),
            logger: Logger(label: "svc") { ServiceLogHandler(label: $0, service: "svc", sink: sink) },
            metrics: PrometheusRegistry(),
            readiness: Readiness(timeout: .milliseconds(200))
        )
    }

    private func get(_ port: Int, _ path: String) async throws -> (status: Int, body: String) {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/\(path)"))
        let (data, response) = try await URLSession.shared.data(from: url)
        return (try #require(response as? HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))
    }

    @Test("a service whose parent was gone before it looked ends, as one that sees it go")
    func orphan() async throws {
        // This process is not its own parent: it stands for one that is gone.
        let gone = Int(ProcessInfo.processInfo.processIdentifier)
        try await ParentWatch(parent: gone, logger: Logger(label: "svc")).run()
    }

    @Test("health, readiness and metrics are served on a free port until the services end")
    func endpoints() async throws {
        let lines = Lines()
        let context = try context(sink: lines.sink)
        let isReady = Mutex(false)
        context.readiness.register("database") {
            if !isReady.withLock({ $0 }) { throw PlantedError() }
        }
        let hang = AsyncStream<Void>.makeStream()
        context.readiness.register("hanging") {
            if !isReady.withLock({ $0 }) { for await _ in hang.stream {} }
        }
        _ = context.metrics.makeCounter(label: "things", dimensions: [])
        let host = try ServiceHost(context: context, signals: [])
        let server = host.healthServer
        try await host.run([
            ClosureService {
                let port = try #require(await server.boundPort)
                #expect(port > 0)
                #expect(lines.text.contains("msg=listening host=127.0.0.1 port=\(port)\n"))
                let health = try await get(port, "health")
                #expect(health.status == 200)
                #expect(health.body.contains(#""status":"ok""#))
                let before = try await get(port, "ready")
                #expect(before.status == 503)
                #expect(before.body.contains(#"{"detail":"PlantedError()","name":"database","ready":false}"#))
                #expect(before.body.contains(#"{"detail":"took longer than 200ms","name":"hanging","ready":false}"#))
                isReady.withLock { $0 = true }
                context.readiness.register("hanging") {}
                // A check that is late on a busy machine is not ready once more.
                try await eventually("readiness") { try await get(port, "ready").status == 200 }
                let metrics = try await get(port, "metrics")
                #expect(metrics.body.contains("things_total 0\n"))
                #expect(try await get(port, "other").status == 404)
                context.readiness.beginShutdown()
                let down = try await get(port, "ready")
                #expect(down.status == 503)
                #expect(down.body.contains("shutting down"))
            }
        ])
        #expect(lines.text.contains("shutting down"))
    }

    @Test("a service that throws stops the others in good order and its error comes out")
    func failure() async throws {
        let lines = Lines()
        let host = try ServiceHost(context: context(sink: lines.sink), signals: [])
        let stopped = Mutex(false)
        await #expect(throws: PlantedError.self) {
            try await host.run([
                ClosureService {
                    try await gracefulShutdown()
                    stopped.withLock { $0 = true }
                },
                ClosureService { throw PlantedError() },
            ])
        }
        #expect(stopped.withLock { $0 })
    }

    @Test("a service that ignores the graceful shutdown is cancelled after the timeout")
    func timeout() async throws {
        let lines = Lines()
        let context = try context(["ERRATA_SHUTDOWN_TIMEOUT": "50ms"], sink: lines.sink)
        let host = try ServiceHost(context: context, signals: [])
        let cancelled = Mutex(false)
        let never = AsyncStream<Void>.makeStream()
        try? await host.run([
            ClosureService {
                for await _ in never.stream {}
                cancelled.withLock { $0 = Task.isCancelled }
            },
            ClosureService {},
        ])
        #expect(cancelled.withLock { $0 })
    }

    @Test("a port that is taken is told with the keys to change")
    func portTaken() async throws {
        let lines = Lines()
        let first = try ServiceHost(context: context(sink: lines.sink), signals: [])
        let server = first.healthServer
        try await first.run([
            ClosureService {
                let port = try #require(await server.boundPort)
                let second = try ServiceHost(
                    context: context(["ERRATA_HTTP_PORT": "\(port)"], sink: lines.sink),
                    signals: []
                )
                let error = await #expect(throws: HealthServerError.self) {
                    try await second.run([ClosureService { try await gracefulShutdown() }])
                }
                #expect(error?.description.contains("ERRATA_HTTP_PORT") == true)
            }
        ])
    }

    @Test("the harness ends with the code of what happened")
    func exitCodes() async {
        let key = ConfigurationKey<Int>("ERRATA_X_COUNT", default: 1, in: 0...10, "A count.")
        let definition = ServiceDefinition(name: "svc", summary: "Does things.", keys: [key]) { context in
            switch try context.configuration.value(key) {
            case 2: throw ConfigurationError("ERRATA_X_COUNT does not fit")
            case 3: return [ClosureService { throw PlantedError() }]
            default: return [ClosureService {}]
            }
        }
        for (arguments, environment, code, part) in [
            ([], [:], ExitCode.success, "msg=ended"),
            (["--help"], [:], .success, "`ERRATA_X_COUNT`"),
            (["--check"], ["ERRATA_X_COUNT": "4"], .success, "ERRATA_X_COUNT=4\n"),
            (["--nonsense"], [:], .usage, "--nonsense"),
            ([], ["ERRATA_X_COUNT": "many"], .configuration, "ERRATA_X_COUNT (in the environment)"),
            ([], ["ERRATA_X_CUONT": "1"], .configuration, "did you mean ERRATA_X_COUNT?"),
            ([], ["ERRATA_X_COUNT": "2"], .configuration, "does not fit"),
            ([], ["ERRATA_X_COUNT": "3"], .software, "PlantedError"),
        ] as [([String], [String: String], ExitCode, String)] {
            let lines = Lines()
            let result = await ServiceMain.run(
                definition,
                arguments: arguments,
                environment: environment,
                sink: lines.sink,
                output: lines.sink,
                complaints: lines.sink
            )
            #expect(result == code, "\(lines.text)")
            #expect(lines.text.contains(part), "\(lines.text)")
        }
    }
}
