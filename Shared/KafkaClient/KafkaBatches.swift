/// Batches of messages as they come; a partition's messages are in order, partitions may be mixed.
///
/// The sequence ends when the consumer closes or the task is cancelled, and throws ``KafkaError`` when reading cannot
/// go on. A batch belongs to whichever iterator takes it, so that one task should iterate.
public struct KafkaBatches: AsyncSequence, Sendable {
    /// One batch, never empty.
    public typealias Element = [KafkaMessage]
    /// What ends it early.
    public typealias Failure = any Error

    /// Awaits one batch after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let core: ConsumerCore

        /// The next batch; nil at the end.
        public mutating func next() async throws -> [KafkaMessage]? {
            try await core.nextBatch()
        }
    }

    let core: ConsumerCore

    /// Makes an iterator.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(core: core) }
}

/// A change of the partitions that a consumer of a group holds.
public enum KafkaRebalance: Sendable, Hashable {
    /// These came.
    case assigned([TopicPartition])
    /// These were given up in good order; work on them may still be committed only by their new holder.
    case revoked([TopicPartition])
    /// These were taken away: another member may hold them already.
    case lost([TopicPartition])

    /// The partitions.
    public var partitions: [TopicPartition] {
        switch self {
        case .assigned(let partitions), .revoked(let partitions), .lost(let partitions): partitions
        }
    }
}
