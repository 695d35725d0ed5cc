import Foundation
import Hummingbird
public import Logging
import NIOCore
public import ServiceLifecycle

/// Serves `/health`, `/ready` and `/metrics` over HTTP.
///
/// `/health` answers 200 as long as the process can answer; `/ready` 200 or 503 with a JSON body that names every
/// check; `/metrics` Prometheus' text format.
public final class HealthServer: Service {
    private let service: String
    private let host: String
    private let port: Int
    private let readiness: Readiness
    private let metrics: PrometheusRegistry
    private let logger: Logger
    private let bound = OneShot<Int?>()
    private let started = ContinuousClock.now

    /// Makes a server; it listens from ``run()`` on.
    public init(
        service: String,
        host: String = "127.0.0.1",
        port: Int = 0,
        readiness: Readiness,
        metrics: PrometheusRegistry,
        logger: Logger
    ) {
        self.service = service
        self.host = host
        self.port = port
        self.readiness = readiness
        self.metrics = metrics
        self.logger = logger
    }

    /// The port that the server listens on, once it does; nil when it could not start.
    public var boundPort: Int? {
        get async { await bound.value }
    }

    /// Serves until the task is cancelled or shut down gracefully.
    public func run() async throws {
        defer { bound.complete(nil) }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router(),
            configuration: .init(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { [logger, bound, host] channel in
                let port = channel.localAddress?.port
                logger.info("listening", metadata: ["host": "\(host)", "port": "\(port ?? 0)"])
                bound.complete(port)
            },
            logger: quiet
        )
        do {
            try await application.run()
        } catch let error as IOError {
            throw HealthServerError(
                "cannot listen on \(host):\(port): \(error); set \(RuntimeKeys.httpHost.name) and "
                    + "\(RuntimeKeys.httpPort.name) to an address that is free, or the port to 0"
            )
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("health") { [service, started] _, _ in
            let seconds = (ContinuousClock.now - started).inSeconds
            return Self.json(.ok, Health(status: "ok", service: service, uptimeSeconds: seconds))
        }
        router.get("ready") { [service, readiness] _, _ in
            let results = await readiness.results()
            let isReady = results.allSatisfy(\.isReady)
            let checks = results.map { Ready.Check(name: $0.name, ready: $0.isReady, detail: $0.detail) }
            let body = Ready(status: isReady ? "ready" : "not ready", service: service, checks: checks)
            return Self.json(isReady ? .ok : .serviceUnavailable, body)
        }
        router.get("metrics") { [metrics] _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: await metrics.scrape()))
            )
        }
        return router
    }

    private static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let data = (try? encoder.encode(value)) ?? Data("{}".utf8)
        return Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: data))
        )
    }

    private struct Health: Encodable {
        let status: String
        let service: String
        let uptimeSeconds: Double
    }

    private struct Ready: Encodable {
        struct Check: Encodable {
            let name: String
            let ready: Bool
            let detail: String?
        }

        let status: String
        let service: String
        let checks: [Check]
    }
}

/// Why the HTTP server could not start.
public struct HealthServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and what would mend it.
    public let description: String

    init(_ description: String) { self.description = description }
}
