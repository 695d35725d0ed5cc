import Foundation

/// Where the brokers are, and any librdkafka setting on top.
///
/// Each client sets the defaults that this project relies on (see ``KafkaProducer``, ``KafkaConsumer``); an entry of
/// `settings` overrides any of them, except those on which correctness rests, which are named in the client's page.
public struct KafkaConfiguration: Sendable, CustomStringConvertible {
    /// Comma-separated `host:port` list.
    public var bootstrapServers: String
    /// librdkafka settings by their own names, such as `security.protocol`, passed through as they are.
    ///
    /// An unknown name or a bad value is refused with a ``KafkaError`` that names it.
    public var settings: [String: String]
    /// Told of each client's statistics, every `statistics.interval.ms` (5 s unless set); called on the client's own
    /// thread, so it must not wait.
    public var onStatistics: (@Sendable (KafkaStatistics) -> Void)?

    /// Makes a configuration; nothing is checked before a client is made from it.
    public init(bootstrapServers: String, settings: [String: String] = [:]) {
        self.bootstrapServers = bootstrapServers
        self.settings = settings
    }

    /// The brokers and settings, without the value of any secret.
    public var description: String {
        let shown = settings.sorted { $0.key < $1.key }
            .map { Self.isSecret($0.key) ? "\($0.key)=***" : "\($0.key)=\($0.value)" }
        return (["bootstrap.servers=\(bootstrapServers)"] + shown).joined(separator: " ")
    }

    /// The largest record that a producer sends, in bytes of key, value, headers and framing (``KafkaRecord/largestSize``):
    /// the setting `message.max.bytes`, by default librdkafka's 1,000,000.
    ///
    /// A broker's own limit (`message.max.bytes`, a topic's `max.message.bytes`) must not be smaller.
    public var recordSizeLimit: Int { settings["message.max.bytes"].flatMap { Int($0) } ?? 1_000_000 }

    /// How long a producer tries to deliver a record: the setting `delivery.timeout.ms`, by default librdkafka's 5 minutes;
    /// nil where it is 0, by which there is no end.
    public var deliveryTimeout: Duration? {
        // One setting under two names.
        let text = settings["delivery.timeout.ms"] ?? settings["message.timeout.ms"]
        let milliseconds = text.flatMap { Int($0) } ?? 300_000
        return milliseconds > 0 ? .milliseconds(milliseconds) : nil
    }

    /// The settings of one client: our defaults, then the user's, then those that the client depends on.
    func merged(defaults: [String: String], required: [String: String]) -> [String: String] {
        var result = defaults
        result.merge(settings) { $1 }
        result.merge(required) { $1 }
        if !bootstrapServers.isEmpty { result["bootstrap.servers"] = bootstrapServers }
        return result
    }

    /// What is wrong with the first bad one of some settings, in the order of their names, with no value of a secret; nil
    /// where a client can be made with them.
    ///
    /// `plugin.library.paths` is not looked at: librdkafka loads what it names at once.
    public static func fault(in settings: [String: String]) -> String? {
        let configuration = ClientConfiguration()
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) where name != "plugin.library.paths" {
            do { try configuration.set(name, value) } catch { return (error as? KafkaError)?.message ?? "\(error)" }
        }
        return nil
    }

    /// Whether the value of a setting must never be logged.
    public static func isSecret(_ name: String) -> Bool {
        ["password", "secret", "key.pem", "oauthbearer.config", "jaas", "credential"].contains { name.contains($0) }
    }
}
