/// Exponential backoff with full jitter: the wait before attempt *n* is uniform in [0, min(cap, base · 2ⁿ)], and at least
/// `base / 2` so that a loop never spins.
public struct Backoff: Sendable {
    /// The ceiling of the first wait.
    ///
    /// Default 200 ms.
    public var base: Duration
    /// The ceiling of any wait.
    ///
    /// Default 30 s.
    public var cap: Duration

    /// Creates a policy.
    public init(base: Duration = .milliseconds(200), cap: Duration = .seconds(30)) {
        self.base = base
        self.cap = cap
    }

    /// The wait after the given number of failed attempts (1 = the first failure).
    public func delay(afterFailure attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let exponent = min(max(attempt - 1, 0), 20)
        let ceiling = min(cap, base * (1 << exponent))
        let floor = min(base / 2, ceiling)
        return floor + (ceiling - floor) * Double.random(in: 0...1, using: &generator)
    }

    /// The wait after the given number of failed attempts, with the system's randomness.
    public func delay(afterFailure attempt: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(afterFailure: attempt, using: &generator)
    }

    /// Waits after a failed attempt.
    ///
    /// Throws `CancellationError` when the task is cancelled meanwhile.
    public func wait(afterFailure attempt: Int) async throws {
        try await Task.sleep(for: delay(afterFailure: attempt))
    }
}
