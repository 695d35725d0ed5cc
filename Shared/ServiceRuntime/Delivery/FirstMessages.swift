import KafkaClient

/// Which messages of a partition may have been in the hands of the process that held it before, and ended it.
///
/// A worker holds at most so many unfinished messages, `limit`. When its process ends, the partition is read again from
/// the last committed offset: what was finished after that is recognised, and of what was not, fewer than `limit`
/// messages stand before any one. So a message before which `limit` messages have been worked on for the first time
/// since the partition came was in nobody's hands. The type is a pure state machine.
struct FirstMessages {
    let limit: Int
    /// Of the messages that were worked on for the first time, the lowest offsets, in order; at most `limit`.
    private var lowest: [TopicPartition: [Int64]] = [:]

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// Whether the message may have been begun before.
    func includes(_ partition: TopicPartition, offset: Int64) -> Bool {
        guard let lowest = lowest[partition], lowest.count >= limit, let last = lowest.last else { return true }
        return offset <= last
    }

    /// Notes a message whose effects were not there before.
    mutating func worked(_ partition: TopicPartition, offset: Int64) {
        guard includes(partition, offset: offset) else { return }
        var offsets = lowest.removeValue(forKey: partition) ?? []
        let place = offsets.lastIndex { $0 < offset }.map { $0 + 1 } ?? 0
        offsets.insert(offset, at: place)
        if offsets.count > limit { offsets.removeLast() }
        lowest[partition] = offsets
    }

    /// Notes that a partition went or came: another process may have held it meanwhile.
    mutating func forget(_ partition: TopicPartition) {
        lowest[partition] = nil
    }
}
