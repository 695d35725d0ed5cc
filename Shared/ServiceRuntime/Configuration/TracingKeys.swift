import Foundation

/// The keys of tracing: OpenTelemetry's own names, so that what is set for other programs holds here too.
///
/// One that is empty is not set.
public enum TracingKeys {
    /// The collector's base address.
    public static let endpoint = ConfigurationKey<URL>(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        optional: true,
        "The base address of an OpenTelemetry collector, e.g. http://localhost:4318, to which spans are posted at /v1/traces; "
            + "left out, none are.",
        rule: isWeb
    )
    /// The collector's address for spans.
    public static let tracesEndpoint = ConfigurationKey<URL>(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        optional: true,
        "The whole address that spans are posted to, in place of that one.",
        rule: isWeb
    )
    /// The protocol.
    public static let transport = ConfigurationKey<String>(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        default: "http/json",
        "The protocol of the export."
    ) { $0 == "http/json" ? nil : "must be http/json, which collectors take at the port of http/protobuf" }
    /// Headers of the export.
    public static let headers = ConfigurationKey<SecretPairs>(
        "OTEL_EXPORTER_OTLP_HEADERS",
        default: SecretPairs(),
        "Headers of the export, e.g. a key."
    )
    /// How long a post may take.
    public static let timeout = ConfigurationKey<Int>(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        default: 10_000,
        in: 1...600_000,
        unit: "milliseconds",
        "The longest that one post of spans may take."
    )
    /// The service's name.
    public static let serviceName = ConfigurationKey<String>(
        "OTEL_SERVICE_NAME",
        optional: true,
        "The name of the service in traces; by default its own."
    )
    /// What else is told of the process.
    public static let resourceAttributes = ConfigurationKey<Pairs>(
        "OTEL_RESOURCE_ATTRIBUTES",
        default: Pairs(),
        "What else traces tell of the process, e.g. deployment.environment.name=production."
    )
    /// Which spans are recorded.
    public static let sampler = ConfigurationKey<TraceSampler.Rule>(
        "OTEL_TRACES_SAMPLER",
        default: .parentBasedAlwaysOn,
        "Which spans are recorded."
    )
    /// The share of the traces.
    public static let samplerRatio = ConfigurationKey<Double>(
        "OTEL_TRACES_SAMPLER_ARG",
        default: 1,
        in: 0...1,
        "The share of the traces that the samplers with a ratio record."
    )

    /// All of them.
    public static let all: [any AnyConfigurationKey] = [
        endpoint, tracesEndpoint, transport, headers, timeout, serviceName, resourceAttributes, sampler, samplerRatio,
    ]

    @Sendable private static func isWeb(_ url: URL) -> String? {
        guard ["http", "https"].contains(url.scheme?.lowercased()), url.host()?.isEmpty == false else {
            return "must be like http://HOST:4318"
        }
        return nil
    }
}

/// Names with values as OpenTelemetry writes them: `name=value,name=value`, with percent signs as in URLs.
public struct Pairs: ConfigurationValue, Hashable {
    /// The type's name.
    public static var configurationType: String { "NAME=VALUE,…" }

    /// The values by name.
    public var values: [String: String]

    /// Makes a list.
    public init(_ values: [String: String] = [:]) { self.values = values }

    /// Reads the list; of a name that stands twice the last counts.
    public init?(configurationText: String) {
        values = [:]
        for part in configurationText.split(separator: ",") where !part.allSatisfy(\.isWhitespace) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2,
                let name = sides[0].trimmingCharacters(in: .whitespaces).removingPercentEncoding, !name.isEmpty,
                let value = sides[1].trimmingCharacters(in: .whitespaces).removingPercentEncoding
            else { return nil }
            values[name] = value
        }
    }

    /// The list, sorted by name.
    public var configurationText: String { text { Self.encoded($0) } }

    fileprivate func text(_ shown: (String) -> String) -> String {
        values.sorted { $0.key < $1.key }.map { "\(Self.encoded($0.key))=\(shown($0.value))" }.joined(separator: ",")
    }

    private static func encoded(_ text: String) -> String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}

/// ``Pairs`` whose values must not be seen.
public struct SecretPairs: ConfigurationValue, Hashable {
    /// The type's name.
    public static var configurationType: String { Pairs.configurationType }

    /// The pairs.
    public var pairs: Pairs

    /// Makes a list.
    public init(_ values: [String: String] = [:]) { pairs = Pairs(values) }

    /// Reads the list; a name or value that could be no header makes it malformed.
    public init?(configurationText: String) {
        guard let pairs = Pairs(configurationText: configurationText),
            pairs.values.allSatisfy({ name, value in
                name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
                    && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            })
        else { return nil }
        self.pairs = pairs
    }

    /// The list, sorted by name.
    public var configurationText: String { pairs.configurationText }
    /// Always.
    public static var mayHoldSecrets: Bool { true }
    /// The list with `***` for the values.
    public var shownText: String { pairs.text { _ in "***" } }
    /// The values.
    public var secretTexts: [String] { Array(pairs.values.values) }
}
