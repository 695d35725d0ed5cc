/// What an existing topic has otherwise than it should.
public struct TopicDifference: Sendable, Hashable, CustomStringConvertible {
    /// What is different.
    public enum Kind: Sendable, Hashable {
        /// It has fewer partitions.
        case partitions(found: Int, wanted: Int)
        /// It keeps messages for another time, in milliseconds; below 0 is for ever.
        case retention(found: Int64, wanted: Int64)
    }

    /// The topic.
    public let topic: String
    /// What is different.
    public let kind: Kind

    /// How a topic differs from a specification.
    ///
    /// More partitions than wanted are no difference: there is no way back, and nothing is wrong with them.
    ///
    /// Arguments:
    ///   - partitions: how many it has.
    ///   - retention: its `retention.ms` as the broker tells it; nil where that is not known.
    public static func of(_ wanted: TopicSpecification, partitions: Int, retention: String?) -> [TopicDifference] {
        var kinds: [Kind] = []
        if partitions < wanted.partitions { kinds.append(.partitions(found: partitions, wanted: wanted.partitions)) }
        if let milliseconds = wanted.retention.map({ $0.components.seconds * 1_000 }),
            let found = retention.flatMap({ Int64($0) }), found != milliseconds
        {
            kinds.append(.retention(found: found, wanted: milliseconds))
        }
        return kinds.map { TopicDifference(topic: wanted.name, kind: $0) }
    }

    /// What is different and how it is cured, in a sentence.
    public var description: String {
        switch kind {
        case .partitions(let found, let wanted):
            "topic \(topic) has \(found) partition\(found == 1 ? "" : "s") and not \(wanted), so that fewer copies of a service "
                + "share its work; add them while nothing is produced, for keys change their partitions: kafka-topics.sh "
                + "--bootstrap-server HOST:PORT --alter --topic \(topic) --partitions \(wanted)"
        case .retention(let found, let wanted):
            "topic \(topic) keeps messages for \(Self.time(found)) and not \(Self.time(wanted)); if that is not meant: "
                + "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name \(topic) "
                + "--add-config retention.ms=\(wanted); if it is, look at the lives in compose/RETENTION.md"
        }
    }

    private static func time(_ milliseconds: Int64) -> String {
        if milliseconds < 0 { return "ever" }
        let day: Int64 = 86_400_000
        return milliseconds % day == 0 ? "\(milliseconds / day) days" : "\(milliseconds) ms"
    }
}
