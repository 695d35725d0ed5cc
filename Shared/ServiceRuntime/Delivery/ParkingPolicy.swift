/// When a message that waits is taken off its topic into the table `parked_messages`, and how it is worked on from there.
///
/// Parking is for a worker whose memory is more than half full of messages that wait: fewer hold up nobody. What is stored
/// when it comes (``EventProcessor/isStoredFirst(_:)``) is worked on from there in the same way.
public struct ParkingPolicy: Sendable {
    /// How long a message has waited since its first try before it may be parked.
    ///
    /// Default 30 s.
    public var patience: Duration
    /// The most messages of a consumer that are parked at a time; further ones wait in the worker's memory, as while
    /// nothing is parked.
    ///
    /// Default 10,000: what is parked is copied into the database, and where everything fails nothing is gained.
    public var limit: Int
    /// The waits between tries of a parked message that fails; one that is postponed waits for what its postponement
    /// says, and one that was stored when it came waits as it would on its topic.
    ///
    /// Default 2 s to 5 min.
    public var backoff: Backoff
    /// How often a worker looks for parked messages that are due; at least every 250 ms where some are stored first.
    ///
    /// It also rests for so long after as many tries in a row as it makes at a time have ended in waiting. Default 1 s.
    public var pollInterval: Duration
    /// How long a worker that died keeps its parked message from the others.
    ///
    /// Default 9 s; a worker that lives renews its claims every third of that.
    public var claim: Duration

    /// Creates a policy.
    public init(
        patience: Duration = .seconds(30),
        limit: Int = 10_000,
        backoff: Backoff = Backoff(base: .seconds(2), cap: .seconds(300)),
        pollInterval: Duration = .seconds(1),
        claim: Duration = .seconds(9)
    ) {
        self.patience = patience
        self.limit = limit
        self.backoff = backoff
        self.pollInterval = max(pollInterval, .milliseconds(10))
        self.claim = max(claim, .seconds(1))
    }
}
