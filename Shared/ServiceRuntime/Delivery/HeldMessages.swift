import Foundation
import KafkaClient
import Synchronization

/// The messages that a worker has taken and not finished, for the age of the oldest.
final class HeldMessages: Sendable {
    private struct Place: Hashable {
        let topic: String
        let partition: Int32
        let offset: Int64
        /// A partition that came back brings its messages again, while those of before may still be in work.
        let assignment: UInt64

        init(_ message: KafkaMessage) {
            (topic, partition, offset) = (message.topic, message.partition, message.offset)
            assignment = message.assignment
        }
    }

    /// When each was taken, and when it was sent where its topic says so.
    private let held = Mutex<[Place: (taken: ContinuousClock.Instant, sent: Date?)]>([:])

    func take(_ message: KafkaMessage) {
        held.withLock { $0[Place(message)] = (.now, message.timestamp) }
    }

    func finish(_ message: KafkaMessage) {
        held.withLock { $0[Place(message)] = nil }
    }

    /// The age of the oldest since it was sent, or since it was taken where that is longer or the other is not known.
    ///
    /// It is 0 where there is none.
    func oldestAge(at now: ContinuousClock.Instant = .now, date: Date = Date()) -> Duration {
        held.withLock { held in
            held.values.reduce(Duration.zero) { oldest, one in
                let sent = one.sent.map { Duration.seconds(max(0, date.timeIntervalSince($0))) } ?? .zero
                return max(oldest, one.taken.duration(to: now), sent)
            }
        }
    }
}
