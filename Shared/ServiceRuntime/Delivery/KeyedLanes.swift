import DequeModule
import Foundation
import KafkaClient
import Synchronization

/// The messages in memory by topic and key: each key's in order, the keys and the topics independent of each other.
///
/// Between topics Kafka promises no order, and a message may wait for one of another topic with the same key: an attempt for
/// its problem.
///
/// A lane is open while somebody works on its messages; it closes when nothing more waits in it, and the key's next
/// message opens a new one. Nothing is kept of a key without messages.
final class KeyedLanes: Sendable {
    /// What keeps messages in order.
    enum Lane: Hashable, Sendable {
        /// All messages of a topic with this key.
        case key(topic: String, Data)
        /// A message without a key, by where it stands.
        case single(TopicPartitionOffset)

        init(of message: KafkaMessage) {
            self =
                message.key.map { .key(topic: message.topic, $0) }
                ?? .single(
                    TopicPartitionOffset(topic: message.topic, partition: message.partition, offset: message.offset)
                )
        }
    }

    private let waiting = Mutex<[Lane: Deque<KafkaMessage>]>([:])

    /// The number of open lanes.
    var count: Int { waiting.withLock { $0.count } }

    /// Adds a message behind those of its topic and key.
    ///
    /// - Returns: the lane if this opened it; the caller must then see to it that it is emptied.
    func add(_ message: KafkaMessage) -> Lane? {
        let lane = Lane(of: message)
        return waiting.withLock { waiting in
            let isNew = waiting[lane] == nil
            waiting[lane, default: []].append(message)
            return isNew ? lane : nil
        }
    }

    /// Takes the next message of an open lane; nil closes it.
    func next(of lane: Lane) -> KafkaMessage? {
        waiting.withLock { waiting in
            if let message = waiting[lane]?.popFirst() { return message }
            waiting[lane] = nil
            return nil
        }
    }

    /// Takes the next message of an open lane, which stays open: nothing else of its key is worked on meanwhile.
    func take(from lane: Lane) -> KafkaMessage? {
        waiting.withLock { $0[lane]?.popFirst() }
    }

    /// Closes a lane in which nothing waits.
    ///
    /// - Returns: false where something does; it stays open then.
    func close(_ lane: Lane) -> Bool {
        waiting.withLock { waiting in
            guard waiting[lane]?.isEmpty ?? true else { return false }
            waiting[lane] = nil
            return true
        }
    }
}
