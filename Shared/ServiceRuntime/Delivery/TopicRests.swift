/// Topics that take no events for now, so that those of the others do not wait for them.
///
/// A pure state machine.
struct TopicRests {
    private struct Rest {
        var failures = 0
        var until: ContinuousClock.Instant
    }

    private let backoff: Backoff
    private var rests: [String: Rest] = [:]

    /// By default a topic rests for at most 1 s after its first failure, and never for more than a minute.
    init(backoff: Backoff = Backoff(base: .seconds(1), cap: .seconds(60))) {
        self.backoff = backoff
    }

    /// The topics that are left out now.
    func topics(at now: ContinuousClock.Instant) -> [String] {
        rests.filter { $0.value.until > now }.map(\.key).sorted()
    }

    /// Notes that events of a topic were not taken; gives how often in a row.
    mutating func failed(_ topic: String, at now: ContinuousClock.Instant) -> Int {
        let failures = (rests[topic]?.failures ?? 0) + 1
        rests[topic] = Rest(failures: failures, until: now + backoff.delay(afterFailure: failures))
        return failures
    }

    /// Notes that all events of a topic that were sent were taken.
    mutating func succeeded(_ topic: String) {
        rests[topic] = nil
    }
}
