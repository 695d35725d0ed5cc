import KafkaClient
import Synchronization

/// The offset tracker, shared by the lanes of a worker.
final class Progress: Sendable {
    private let tracker = Mutex(OffsetTracker())

    func started(_ message: KafkaMessage) {
        tracker.withLock {
            $0.started(
                topic: message.topic,
                partition: message.partition,
                offset: message.offset,
                assignment: message.assignment
            )
        }
    }

    func finished(_ message: KafkaMessage) {
        tracker.withLock { $0.finished(topic: message.topic, partition: message.partition, offset: message.offset) }
    }

    func revoked(_ partitions: [TopicPartition]) {
        tracker.withLock { tracker in
            for partition in partitions { tracker.revoked(topic: partition.topic, partition: partition.partition) }
        }
    }

    func assigned(_ partitions: [TopicPartition]) {
        tracker.withLock { tracker in
            for partition in partitions { tracker.assigned(topic: partition.topic, partition: partition.partition) }
        }
    }

    func notCommitted(_ offsets: [TopicPartitionOffset]) {
        tracker.withLock { tracker in
            for offset in offsets {
                tracker.notCommitted(topic: offset.topic, partition: offset.partition, offset: offset.offset)
            }
        }
    }

    func takeCommittable() -> [TopicPartitionOffset] {
        tracker.withLock { $0.takeCommittable() }.map {
            TopicPartitionOffset(topic: $0.topic, partition: $0.partition, offset: $0.offset)
        }
    }
}
