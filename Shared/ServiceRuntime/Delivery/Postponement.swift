/// A message cannot be worked on for now through no fault of its own, and whoever knows why has said so already: it is
/// tried again after a while, without counting as a failure and without a warning each time.
public struct Postponement: Error, Sendable, CustomStringConvertible {
    /// What is waited for.
    public let reason: String
    /// How long to wait before the next try.
    public let wait: Duration

    /// Makes a postponement; the shortest wait is 100 ms, so that a loop never spins.
    public init(reason: String, wait: Duration) {
        self.reason = reason
        self.wait = max(wait, .milliseconds(100))
    }

    /// What is waited for.
    public var description: String { reason }
}
