/// Messages between the thread that polls and those who read them, and which partitions should be paused.
///
/// A pure state machine: it says what to do, the thread does it. When the messages reach a limit every assigned
/// partition is to be held (paused), and released when half of it is read.
struct ConsumerBuffer {
    struct Limits: Sendable {
        var messages: Int
        var bytes: Int
        var batch: Int
    }

    enum FlowAction: Equatable {
        case none
        case pause([TopicPartition])
        case resume([TopicPartition])
    }

    let limits: Limits
    /// The held partitions, each with the number of the assignment that brought it.
    private var assignments: [TopicPartition: UInt64] = [:]
    private var lastAssignment: UInt64 = 0
    private(set) var isHolding = false
    private var queue: [KafkaMessage] = []
    private var head = 0
    private(set) var bytes = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// The held partitions.
    var assigned: Set<TopicPartition> { Set(assignments.keys) }

    /// Whether a message's partition is still held under the assignment that the message came under.
    func holds(_ message: KafkaMessage) -> Bool { assignments[message.topicPartition] == message.assignment }

    /// Messages that can be read now.
    var count: Int { queue.count - head }

    /// Whether the thread has partitions to release.
    var wantsRelease: Bool { isHolding && count <= limits.messages / 2 && bytes <= limits.bytes / 2 }

    /// Adds one message; one of a partition that is no longer held here is dropped.
    mutating func append(_ message: KafkaMessage) {
        let partition = message.topicPartition
        guard let assignment = assignments[partition] else { return }
        var message = message
        message.assignment = assignment
        queue.append(message)
        bytes += message.byteCount
    }

    /// Takes up to a batch, in order.
    mutating func takeBatch() -> [KafkaMessage] {
        let end = min(queue.count, head + limits.batch)
        let batch = Array(queue[head..<end])
        head = end
        for message in batch { bytes -= message.byteCount }
        // What was read is let go in large steps, so that taking stays linear over all.
        if head == queue.count {
            queue.removeAll(keepingCapacity: true)
            head = 0
        } else if head > limits.messages {
            queue.removeFirst(head)
            head = 0
        }
        return batch
    }

    /// What the thread must pause or release now.
    mutating func flow() -> FlowAction {
        if !isHolding, count >= limits.messages || bytes >= limits.bytes {
            isHolding = true
            return .pause(assigned.sorted())
        }
        if wantsRelease {
            isHolding = false
            return .resume(assigned.sorted())
        }
        return .none
    }

    /// Notes new partitions; gives those to pause at once.
    mutating func assign(_ partitions: [TopicPartition]) -> [TopicPartition] {
        lastAssignment += 1
        for partition in partitions { assignments[partition] = lastAssignment }
        return isHolding ? partitions : []
    }

    /// Forgets partitions and all their messages.
    mutating func revoke(_ partitions: [TopicPartition]) {
        for partition in partitions { assignments[partition] = nil }
        let revoked = Set(partitions)
        queue = queue[head...].filter { !revoked.contains($0.topicPartition) }
        head = 0
        bytes = queue.reduce(0) { $0 + $1.byteCount }
    }
}
