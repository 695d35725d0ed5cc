import Foundation
import Schemas
import ServiceRuntime
import Tracing

/// The traces of what commands send.
///
/// Events of a command begin traces of their own, one each, or belong to the trace that `TRACEPARENT` and `TRACESTATE` in
/// its environment name. Where a collector is configured as for the services, their spans are exported.
enum CommandTrace {
    /// Runs a body with a tracer for the whole process.
    ///
    /// - Throws: ``CLIError`` that names what is wrong in the environment, and what the body throws.
    static func run(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        _ body: () async throws -> Void
    ) async throws {
        let tracing: ServiceTracing
        do {
            // The rest is for the command itself to read.
            let others = environment.filter { !$0.key.hasPrefix(Configuration.prefix) }
            let configuration = try Configuration(keys: TracingKeys.all, environment: others)
            tracing = try ServiceTracing(configuration, name: "errata", logger: LastWords().logger)
        } catch let error as ConfigurationError {
            throw CLIError(error.description)
        }
        InstrumentationSystem.bootstrap(tracing.tracer)
        let exporting = tracing.exporter.map { exporter in Task { try? await exporter.run() } }
        let context = InstrumentationContext.carrying(trace(in: environment))
        let result: Result<Void, any Error>
        do {
            try await InstrumentationContext.$current.withValue(context) { try await body() }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        exporting?.cancel()
        _ = await exporting?.value
        try result.get()
    }

    /// The trace that the environment names; nil where it names none that is valid.
    static func trace(in environment: [String: String]) -> TraceContext? {
        environment["TRACEPARENT"].flatMap { TraceContext(traceparent: $0, tracestate: environment["TRACESTATE"]) }
    }
}
