import ServiceLifecycle
public import ServiceRuntime
import Teaching

/// Decides when a server may be called: no more calls at once than it bears, none while its limits say wait, and none
/// but a trial now and then while it fails or refuses everything.
///
/// The number of calls adapts: a server that is too busy halves it, each answer raises it again by little.
public actor TeacherGate {
    /// Why the server is not asked for now.
    public struct Closure: Sendable, Hashable {
        /// The last failure's words.
        public let reason: String
        /// Calls that failed since it closed, the first one included.
        public fileprivate(set) var failures: Int
    }

    /// How a call ended.
    enum Outcome {
        /// With an answer; the server may ask everyone to wait.
        case answered(pause: Duration?)
        /// With a failure that has nothing to do with this call alone.
        case failed(reason: String, isBusy: Bool, pause: Duration?, closesAtOnce: Bool)
        /// The request itself was refused, or no answer to it could be used.
        case rejected(reason: String)
        /// The server has read the request and refuses it for its words: it is well.
        case judged
        /// The call was given up by this side.
        case abandoned
    }

    /// So many failures in a row, without an answer between them, close the gate.
    private static let patience = 5
    /// A number of calls is halved once for all calls that were under way when the server was too busy.
    private static let calm = Duration.milliseconds(500)

    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private let most: Int
    private let trials: Backoff
    private let onChange: @Sendable (Closure?) async -> Void
    private var limit: Double
    private var running = 0
    private var waiting: [Waiter] = []
    private var lastWaiter = 0
    private var pausedUntil = ContinuousClock.now
    private var lastHalved = ContinuousClock.now - .seconds(60)
    private var failuresInRow = 0
    private var nextTrial = ContinuousClock.now
    private(set) var closure: Closure?
    /// Answers so far.
    private(set) var answers = 0
    /// How many calls may be under way now.
    var room: Int { Int(limit) }

    /// Makes a gate for at most `limit` calls at once.
    ///
    /// - Parameters:
    ///   - limit: The most calls at once.
    ///   - trials: The waits between trials while the gate is closed.
    ///   - onChange: Called when the gate closes, and with nil when it opens again.
    public init(
        limit: Int,
        trials: Backoff = Backoff(base: .seconds(2), cap: .seconds(30)),
        onChange: @escaping @Sendable (Closure?) async -> Void = { _ in }
    ) {
        most = max(1, limit)
        self.limit = Double(most)
        self.trials = trials
        self.onChange = onChange
    }

    /// Waits until a call may begin.
    ///
    /// - Throws: ``TeacherError`` with the code `paused` while the gate is closed; `CancellationError`.
    ///
    /// Arguments:
    ///   - isProbe: whether the call is to find out if the server answers at all: then it may begin while the gate is closed.
    nonisolated func enter(isProbe: Bool = false) async throws {
        try await acquire()
        do {
            try await waitForPause()
            if !isProbe { try await passClosure() }
        } catch {
            await release()
            throw error
        }
    }

    /// Ends a call that ``enter()`` let in.
    func leave(_ outcome: Outcome) async {
        release()
        switch outcome {
        case .abandoned: break
        case .answered(let pause):
            answers += 1
            failuresInRow = 0
            limit = min(Double(most), limit + 1 / limit)
            if let pause { holdBack(pause) }
            await open()
        case .judged:
            failuresInRow = 0
            await open()
        case .rejected(let reason): await failed(reason, closes: false)
        case .failed(let reason, let isBusy, let pause, let closesAtOnce):
            if let pause { holdBack(pause) }
            if isBusy, ContinuousClock.now - lastHalved > Self.calm {
                lastHalved = .now
                limit = max(1, limit / 2)
            }
            // A server that says when to come again is well.
            if pause == nil { await failed(reason, closes: closesAtOnce) }
        }
    }

    // MARK: Closing

    private func open() async {
        guard closure != nil else { return }
        closure = nil
        admit()
        await onChange(nil)
    }

    private func failed(_ reason: String, closes: Bool) async {
        failuresInRow += 1
        if var closed = closure {
            closed.failures += 1
            closure = Closure(reason: reason, failures: closed.failures)
            nextTrial = .now + trials.delay(afterFailure: closed.failures)
            return
        }
        guard closes || failuresInRow >= Self.patience else { return }
        let closed = Closure(reason: reason, failures: 1)
        closure = closed
        nextTrial = .now + trials.delay(afterFailure: 1)
        await onChange(closed)
    }

    private func passClosure() throws {
        guard let closure else { return }
        let now = ContinuousClock.now
        guard now >= nextTrial else {
            throw TeacherError(.paused, closure.reason, retryAfter: nextTrial - now)
        }
        // One trial at a time; should it never end, another one follows.
        nextTrial = now + .seconds(60)
    }

    // MARK: Waiting

    private func holdBack(_ pause: Duration) { pausedUntil = max(pausedUntil, .now + pause) }

    private nonisolated func waitForPause() async throws {
        while true {
            let until = await pausedUntil
            guard until > .now else { return try Task.checkCancellation() }
            try await cancelWhenGracefulShutdown { try await Task.sleep(until: until, clock: .continuous) }
        }
    }

    private func acquire() async throws {
        try Task.checkCancellation()
        guard running >= Int(limit) else {
            running += 1
            return
        }
        lastWaiter += 1
        let id = lastWaiter
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting.append(Waiter(id: id, continuation: $0)) }
        } onCancel: {
            // It gets its turn only after the waiter stands in line.
            Task { await giveUp(id) }
        }
    }

    private func giveUp(_ id: Int) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func release() {
        running -= 1
        admit()
    }

    private func admit() {
        while running < Int(limit), !waiting.isEmpty {
            running += 1
            waiting.removeFirst().continuation.resume()
        }
    }
}
