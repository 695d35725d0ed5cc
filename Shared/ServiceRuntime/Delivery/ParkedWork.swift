import Foundation
import Synchronization

/// What a worker does with the messages that wait in the database: which it works on, when it looks for more, and when it
/// looks more slowly.
final class ParkedWork: Sendable {
    private struct State {
        var sequences: Set<Int64> = []
        /// Tries since the last one that brought its message to its end.
        var inVain = 0
        var isNewcomersTurn = false
    }

    /// The name under which messages are claimed.
    let holder = UUID().uuidString
    /// Comes when it is time to look for messages, and ends after ``finish()``; for one reader.
    let looks: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let state = Mutex(State())

    init() {
        (looks, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// It is time to look for messages.
    func look() { continuation.yield() }

    /// No more is looked for.
    func finish() { continuation.finish() }

    /// The messages that are in work, in order.
    var sequences: [Int64] { state.withLock { $0.sequences.sorted() } }

    /// Notes that a message is in work.
    func begin(_ sequence: Int64) {
        state.withLock { state in
            _ = state.sequences.insert(sequence)
        }
    }

    /// Notes that a message is not in work any more.
    func end(_ sequence: Int64) {
        state.withLock { state in
            _ = state.sequences.remove(sequence)
        }
    }

    /// Whether the next claim is for a message that was never tried, if there is one: each second is, so that newcomers
    /// do not wait until all that is postponed has been tried.
    func takesTurn() -> Bool {
        state.withLock { state in
            state.isNewcomersTurn.toggle()
            return state.isNewcomersTurn
        }
    }

    /// Notes whether a try brought its message to its end.
    func tried(inVain: Bool) {
        state.withLock { $0.inVain = inVain ? $0.inVain + 1 : 0 }
    }

    /// Whether so many tries in a row were in vain.
    ///
    /// Everything seems to wait then, and each further try costs the database some statements. It is counted from 0 again.
    func isToRest(after tries: Int) -> Bool {
        state.withLock { state in
            guard state.inVain >= tries else { return false }
            state.inVain = 0
            return true
        }
    }
}
