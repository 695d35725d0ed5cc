/// The time between the calls of a server that limits how many come in a second.
///
/// It is learned from what the server answered before it refused, so that only servers are paced that answer at least
/// ``least`` calls within ``window``; slower limits are kept by the waits that they name.
struct TeacherPace {
    private static let window = Duration.seconds(2)
    private static let least = 8
    /// What an answer takes off the time between calls, so that a limit that was raised is found.
    private static let gain = 0.998
    /// What a refusal adds to it.
    private static let loss = 1.1

    private var interval = Duration.zero
    private var next: ContinuousClock.Instant?
    private var answers: [ContinuousClock.Instant] = []

    /// Begins a call.
    ///
    /// - Returns: nil where it begins now, else when to ask again.
    mutating func begin(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if let next, next > now { return next }
        // What was not used is not saved up for a burst.
        next = interval == .zero ? nil : max(next ?? now, now - interval) + interval
        return nil
    }

    mutating func answered(at now: ContinuousClock.Instant) {
        answers.append(now)
        forget(before: now - Self.window)
        interval = interval * Self.gain
    }

    mutating func refused(at now: ContinuousClock.Instant) {
        forget(before: now - Self.window)
        guard answers.count >= Self.least, let first = answers.first else { return }
        interval = max(interval * Self.loss, (now - first) / answers.count)
    }

    private mutating func forget(before time: ContinuousClock.Instant) {
        let old = answers.prefix { $0 < time }.count
        if old > 0 { answers.removeFirst(old) }
    }
}
