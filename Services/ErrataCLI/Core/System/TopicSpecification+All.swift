import KafkaClient
import Schemas

extension TopicSpecification {
    /// All of Errata's topics; `replication`: replicas of each.
    static func all(replication: Int = 1) -> [TopicSpecification] {
        Topic.allCases.map {
            TopicSpecification(
                name: $0.rawValue,
                partitions: $0.defaultPartitions,
                replication: replication,
                retention: .milliseconds($0.retentionMilliseconds)
            )
        }
    }
}
