import CLibrdkafka

/// Owns a configuration object until a client takes it over.
struct ClientConfiguration: ~Copyable {
    private var pointer: OpaquePointer?

    init() { pointer = rd_kafka_conf_new() }

    deinit {
        if let pointer { rd_kafka_conf_destroy(pointer) }
    }

    /// Sets a setting.
    ///
    /// What librdkafka takes without a word and nobody means is refused here: a number with something behind it, of which it
    /// reads the beginning, and a value that holds the next setting, which would then not be in force.
    ///
    /// - Throws: ``KafkaError`` that names the setting, and no value of a secret.
    borrowing func set(_ name: String, _ value: String) throws {
        if let inner = Self.setting(within: value) {
            throw Self.refused(
                name,
                "its value holds another setting, '\(inner)'; settings are separated by semicolons (;), not by commas or blanks"
            )
        }
        var text = [CChar](repeating: 0, count: 512)
        if Self.isNumber(name), let first = value.utf8.first, "+-0123456789".utf8.contains(first), Double(value) == nil
        {
            throw Self.refused(name, "bad value (\"\(value.prefix(100))\" is no number)")
        }
        let result = rd_kafka_conf_set(pointer, name, value, &text, text.count)
        guard result != RD_KAFKA_CONF_OK else { return }
        let reason = KafkaConfiguration.isSecret(name) ? "its value is refused" : text.asText
        let advice = result == RD_KAFKA_CONF_UNKNOWN ? "no such librdkafka setting" : "bad value"
        throw Self.refused(name, "\(advice) (\(reason)); see librdkafka's CONFIGURATION.md")
    }

    borrowing func install(_ context: UnsafeMutableRawPointer, rebalance: Bool, deliveries: Bool) {
        rd_kafka_conf_set_opaque(pointer, context)
        rd_kafka_conf_set_log_cb(pointer, logCallback)
        rd_kafka_conf_set_error_cb(pointer, errorCallback)
        rd_kafka_conf_set_stats_cb(pointer, statisticsCallback)
        if rebalance { rd_kafka_conf_set_rebalance_cb(pointer, rebalanceCallback) }
        if deliveries { rd_kafka_conf_set_dr_msg_cb(pointer, deliveryCallback) }
    }

    /// Makes the client, which then owns the configuration.
    mutating func makeClient(_ type: rd_kafka_type_t) throws -> OpaquePointer {
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(type, pointer, &text, text.count) else {
            throw KafkaError(code: .invalidArgument, message: "the Kafka client cannot be made: \(text.asText)")
        }
        pointer = nil
        return client
    }

    // MARK: Faults that librdkafka does not see

    private static func refused(_ name: String, _ reason: String) -> KafkaError {
        KafkaError(code: .invalidArgument, message: "Kafka setting '\(name)': \(reason)", setting: name)
    }

    /// The first `name=` in a value whose name is a setting's; nil where there is none.
    private static func setting(within value: String) -> String? {
        guard value.utf8.contains(UInt8(ascii: "=")) else { return nil }
        for match in value.matches(of: /(?:^|[^A-Za-z0-9_.])([a-z][a-z0-9_.]*)[ \t]*=/) where isKnown(String(match.1)) {
            return String(match.1)
        }
        return nil
    }

    /// Whether librdkafka has a setting of that name.
    private static func isKnown(_ name: String) -> Bool {
        // It would load what is named.
        if name == "plugin.library.paths" { return true }
        let other = rd_kafka_conf_new()
        defer { rd_kafka_conf_destroy(other) }
        return rd_kafka_conf_set(other, name, "", nil, 0) != RD_KAFKA_CONF_UNKNOWN
    }

    /// Whether a setting's standard value is a number, as that of all is which take one.
    private static func isNumber(_ name: String) -> Bool {
        let other = rd_kafka_conf_new()
        defer { rd_kafka_conf_destroy(other) }
        var size = 512
        var text = [CChar](repeating: 0, count: size)
        guard rd_kafka_conf_get(other, name, &text, &size) == RD_KAFKA_CONF_OK else { return false }
        return Double(text.asText) != nil
    }
}
