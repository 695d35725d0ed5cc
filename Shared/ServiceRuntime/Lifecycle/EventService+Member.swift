import Foundation
import KafkaClient

// A member of a consumer group that comes back under its own name.
extension EventService {
    /// The name of the process among those of its service.
    public static let member = ConfigurationKey<String>(
        "ERRATA_MEMBER",
        optional: true,
        "A name that no other process of the service has (group.instance.id): one that is back within 6 s finds its "
            + "partitions as it left them, and one that is stopped for good leaves them waiting as long. hostname takes "
            + "the machine's name, which each container has for itself. Left out, a process is a new member at each start.",
        rule: { name in
            EventService.isMemberName(name) ? nil : "must be 1 to 249 letters, digits, dots, hyphens and underscores"
        }
    )

    /// The settings of a consumer with a name; nil leaves them as they are.
    ///
    /// - Throws: ``ConfigurationError`` when the settings name the member too, or Kafka does not take the machine's name.
    static func consumer(_ kafka: KafkaConfiguration, named configured: String?) throws -> KafkaConfiguration {
        guard let configured else { return kafka }
        guard kafka.settings["group.instance.id"] == nil else {
            throw ConfigurationError(
                "\(member.name): ERRATA_KAFKA_SETTINGS has a group.instance.id too, which is the same; give one of them"
            )
        }
        let name = configured == "hostname" ? machineName : configured
        guard isMemberName(name) else {
            throw ConfigurationError("\(member.name): the machine's name \"\(name)\" is none for Kafka; give another")
        }
        var kafka = kafka
        kafka.settings["group.instance.id"] = name
        return kafka
    }

    /// Kafka's rule.
    private static func isMemberName(_ name: String) -> Bool {
        (1...249).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains(byte)
                }
            }
    }

    /// The machine's own name, without asking the network; empty where it has none.
    private static var machineName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
