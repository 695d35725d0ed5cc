import DequeModule

/// Messages between the thread that takes them from librdkafka and those who read them, and how many more may come.
///
/// A pure state machine. When the messages reach a limit no more are to come until half of it is read.
struct ConsumerBuffer {
    struct Limits: Sendable {
        var messages: Int
        var bytes: Int
        var batch: Int
    }

    /// Messages that came together, at most a batch; they are read as they came.
    private struct Batch {
        var messages: [KafkaMessage]
        var bytes: Int

        init(_ messages: [KafkaMessage]) {
            self.messages = messages
            bytes = messages.reduce(0) { $0 + $1.byteCount }
        }
    }

    let limits: Limits
    /// The held partitions, each with the number of the assignment that brought it.
    private(set) var assignments: [TopicPartition: UInt64] = [:]
    private var lastAssignment: UInt64 = 0
    private(set) var isHolding = false
    private var batches: Deque<Batch> = []
    /// Messages that can be read now.
    private(set) var count = 0
    /// Their bytes.
    private(set) var bytes = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// The held partitions.
    var assigned: Set<TopicPartition> { Set(assignments.keys) }

    /// Whether a message's partition is still held under the assignment that the message came under.
    func holds(_ message: KafkaMessage) -> Bool { assignments[message.topicPartition] == message.assignment }

    /// Whether more may come again, and the thread is to be told so.
    var wantsRelease: Bool { isHolding && count <= limits.messages / 2 && bytes <= limits.bytes / 2 }

    /// Adds messages of partitions that are held, with the numbers of their assignments: at most ``room()``.
    mutating func append(_ messages: [KafkaMessage]) {
        guard !messages.isEmpty else { return }
        let batch = Batch(messages)
        batches.append(batch)
        count += batch.messages.count
        bytes += batch.bytes
    }

    /// Takes the next messages, in order.
    mutating func takeBatch() -> [KafkaMessage] {
        guard let batch = batches.popFirst() else { return [] }
        count -= batch.messages.count
        bytes -= batch.bytes
        return batch.messages
    }

    /// How many messages may come now, at most a batch: none from when a limit is reached until half of it is read.
    mutating func room() -> Int {
        if count >= limits.messages || bytes >= limits.bytes { isHolding = true }
        if wantsRelease { isHolding = false }
        return isHolding ? 0 : min(limits.batch, limits.messages - count)
    }

    /// Notes new partitions.
    mutating func assign(_ partitions: [TopicPartition]) {
        lastAssignment += 1
        for partition in partitions { assignments[partition] = lastAssignment }
    }

    /// Forgets partitions and all their messages.
    mutating func revoke(_ partitions: [TopicPartition]) {
        for partition in partitions { assignments[partition] = nil }
        let revoked = Set(partitions)
        let left = batches.map { $0.messages.filter { !revoked.contains($0.topicPartition) } }
        batches = []
        (count, bytes) = (0, 0)
        for messages in left { append(messages) }
    }
}
