import DequeModule
import Synchronization

/// Open lanes in which a message waits and on which nobody works, in the order in which they came.
final class ReadyLanes: Sendable {
    private let lanes = Mutex<Deque<KeyedLanes.Lane>>([])
    /// Comes when a lane was added since the last one, and ends after ``finish()``; for one reader.
    let additions: AsyncStream<Void>
    private let addition: AsyncStream<Void>.Continuation

    init() {
        (additions, addition) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var isEmpty: Bool { lanes.withLock { $0.isEmpty } }

    func add(_ lane: KeyedLanes.Lane) {
        lanes.withLock { $0.append(lane) }
        addition.yield()
    }

    func next() -> KeyedLanes.Lane? { lanes.withLock { $0.popFirst() } }

    func finish() { addition.finish() }
}
