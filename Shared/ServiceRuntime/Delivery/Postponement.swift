/// A message cannot be worked on for now through no fault of its own, and whoever knows why has said so already: it is
/// tried again after a while, without counting as a failure and without a warning each time.
public struct Postponement: Error, Sendable, CustomStringConvertible {
    /// What is waited for.
    public let reason: String
    /// How long to wait before the next try.
    public let wait: Duration
    /// When the waiting ends, and with what; without it the message waits for as long as it takes.
    public let end: End?

    /// The end of a waiting: what is waited for may never come.
    ///
    /// The time is counted by the worker from its own first try, not from when the message was sent: a message that lay
    /// on its topic while the services were down has waited for nobody. It begins anew with another worker, and where
    /// the message's partition went and came back.
    public struct End: Sendable {
        /// How long the message is tried.
        public let patience: Duration
        /// Why it then goes to the dead letters.
        public let failure: PermanentFailure

        /// Makes an end.
        public init(after patience: Duration, _ failure: PermanentFailure) {
            self.patience = patience
            self.failure = failure
        }
    }

    /// Makes a postponement; the shortest wait is 100 ms, so that a loop never spins.
    public init(reason: String, wait: Duration, end: End? = nil) {
        self.reason = reason
        self.wait = max(wait, .milliseconds(100))
        self.end = end
    }

    /// What is waited for.
    public var description: String { reason }
}
