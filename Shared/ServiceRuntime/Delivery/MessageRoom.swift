import KafkaClient

/// Bounds the messages that a worker holds in memory, by number and by bytes.
final class MessageRoom: Sendable {
    /// The bytes of messages that a worker holds by default, beside one message that may go over: 64 MiB.
    static let defaultBytes = 64 << 20

    private let places: SlotLimiter
    private let bytes: SlotLimiter
    private let held: HeldMessages

    /// `messages`: the most messages; `bytes`: the most bytes of their keys, values and headers, where one that has more is
    /// held by itself; `held`: where they are noted.
    init(messages: Int, bytes: Int = MessageRoom.defaultBytes, held: HeldMessages = HeldMessages()) {
        self.held = held
        places = SlotLimiter(limit: messages)
        self.bytes = SlotLimiter(limit: bytes)
    }

    /// Waits until there is room for a message, in order of arrival.
    ///
    /// Throws `CancellationError` when the task is cancelled before.
    func enter(_ message: KafkaMessage) async throws {
        try await places.acquire()
        do {
            try await bytes.acquire(Self.size(of: message))
        } catch {
            places.release()
            throw error
        }
        held.take(message)
    }

    /// Gives back the room of a message that entered.
    func leave(_ message: KafkaMessage) {
        held.finish(message)
        bytes.release(Self.size(of: message))
        places.release()
    }

    /// Whether messages that wait fill more than half of the room, `working` of those in it being worked on.
    ///
    /// By bytes it may say so too early, as those that are worked on count.
    func isCrowded(beside working: Int) -> Bool {
        places.taken - working > places.limit / 2 || bytes.taken > bytes.limit / 2
    }

    private static func size(of message: KafkaMessage) -> Int {
        message.headers.reduce((message.key?.count ?? 0) + (message.value?.count ?? 0)) {
            $0 + $1.key.utf8.count + ($1.value?.count ?? 0)
        }
    }
}
