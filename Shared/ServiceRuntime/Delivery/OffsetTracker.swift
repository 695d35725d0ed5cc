/// Which offsets of a partition may be committed while messages finish out of order.
///
/// Messages of one partition are handed to several lanes, so a later one can be done before an earlier one. Only the
/// offset before the first unfinished message may be committed; a crash then replays the finished ones after it, which
/// the inbox recognises. The type is a pure state machine: it holds no clock and does no I/O.
struct OffsetTracker {
    private struct Partition {
        /// Offsets handed out and not yet finished.
        var unfinished: Set<Int64> = []
        /// Finished offsets at or after `next`.
        var finished: Set<Int64> = []
        /// Offsets handed out, in order; the head is the first that is not known to be committable.
        var order: [Int64] = []
        var head = 0
        /// The offset to commit: the one after the last message of the finished prefix.
        var committable: Int64?
        var committed: Int64?
        /// The assignment that the offsets belong to.
        var assignment: UInt64 = 0
    }

    private var partitions: [TopicPartitionKey: Partition] = [:]
    private var revokedPartitions: Set<TopicPartitionKey> = []

    /// Notes that a message was taken from the consumer.
    ///
    /// Offsets of a partition arrive in increasing order under one `assignment`.
    mutating func started(topic: String, partition: Int32, offset: Int64, assignment: UInt64 = 0) {
        let key = TopicPartitionKey(topic: topic, partition: partition)
        if let state = partitions[key],
            state.assignment != assignment || state.order.last.map({ offset <= $0 }) ?? false
        {
            // The partition went away and came back, from its last committed offset: the earlier hand-outs, some of which
            // were given up, no longer matter.
            partitions[key] = nil
        }
        partitions[key, default: Partition(assignment: assignment)].order.append(offset)
        partitions[key]?.unfinished.insert(offset)
    }

    /// Notes that a message's effects are in the database.
    mutating func finished(topic: String, partition: Int32, offset: Int64) {
        let key = TopicPartitionKey(topic: topic, partition: partition)
        guard var state = partitions.removeValue(forKey: key) else { return }
        defer { partitions[key] = state }
        guard state.unfinished.remove(offset) != nil else { return }
        state.finished.insert(offset)
        while state.head < state.order.count, state.finished.remove(state.order[state.head]) != nil {
            state.committable = state.order[state.head] + 1
            state.head += 1
        }
        if state.head > 1024 {
            state.order.removeFirst(state.head)
            state.head = 0
        }
    }

    /// Notes that another member of the group now owns a partition: nothing of it is committed from here.
    ///
    /// What is unfinished is remembered: when the partition comes back its offset must not be committed past it.
    mutating func revoked(topic: String, partition: Int32) {
        revokedPartitions.insert(TopicPartitionKey(topic: topic, partition: partition))
    }

    /// Notes that a partition is this member's, as every partition is that was never revoked.
    mutating func assigned(topic: String, partition: Int32) {
        revokedPartitions.remove(TopicPartitionKey(topic: topic, partition: partition))
    }

    /// Notes that an offset which was taken could not be committed, so that it is given again.
    mutating func notCommitted(topic: String, partition: Int32, offset: Int64) {
        let key = TopicPartitionKey(topic: topic, partition: partition)
        if partitions[key]?.committed == offset { partitions[key]?.committed = nil }
    }

    /// The offsets that can be committed and were not returned before.
    mutating func takeCommittable() -> [(topic: String, partition: Int32, offset: Int64)] {
        var result: [(topic: String, partition: Int32, offset: Int64)] = []
        for (key, state) in partitions where !revokedPartitions.contains(key) {
            guard let committable = state.committable, committable != state.committed else { continue }
            partitions[key]?.committed = committable
            result.append((key.topic, key.partition, committable))
        }
        return result.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }
}

struct TopicPartitionKey: Hashable {
    let topic: String
    let partition: Int32
}
