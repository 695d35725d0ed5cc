import Foundation
public import Logging
import Schemas

/// The tracer of a process and, where a collector is configured, the exporter of what it records.
public struct ServiceTracing: Sendable {
    /// The tracer.
    public let tracer: ServiceTracer
    /// What must run for spans to be sent; nil where none are.
    public let exporter: OTLPExporter?

    /// Reads ``TracingKeys``.
    ///
    /// Arguments:
    ///   - name: the name of the process where none is configured.
    /// - Throws: ``ConfigurationError``.
    public init(_ configuration: Configuration, name: String, logger: Logger) throws {
        let sampler = TraceSampler(
            try configuration.value(TracingKeys.sampler),
            ratio: try configuration.value(TracingKeys.samplerRatio)
        )
        guard let url = try Self.url(configuration) else {
            tracer = ServiceTracer(sampler: sampler)
            exporter = nil
            return
        }
        var resource = try configuration.value(TracingKeys.resourceAttributes).values
        resource["service.name"] =
            try configuration.optionalValue(TracingKeys.serviceName) ?? resource["service.name"] ?? name
        if resource["service.instance.id"] == nil { resource["service.instance.id"] = ProcessIdentity.description }
        resource["telemetry.sdk.name"] = "errata"
        resource["telemetry.sdk.language"] = "swift"
        let queue = SpanQueue()
        tracer = ServiceTracer(sampler: sampler, queue: queue)
        exporter = OTLPExporter(
            OTLPExporter.Options(
                url: url,
                headers: try configuration.value(TracingKeys.headers).pairs.values,
                timeout: .milliseconds(try configuration.value(TracingKeys.timeout)),
                resource: resource
            ),
            queue: queue,
            logger: logger
        )
    }

    private static func url(_ configuration: Configuration) throws -> String? {
        if let whole = try configuration.optionalValue(TracingKeys.tracesEndpoint) { return whole.absoluteString }
        guard let base = try configuration.optionalValue(TracingKeys.endpoint)?.absoluteString else { return nil }
        return base + (base.hasSuffix("/") ? "v1/traces" : "/v1/traces")
    }
}
