import DequeModule

/// The pool's decisions, without any input or output: each event returns the actions to carry out outside the lock.
struct PoolStateMachine {
    typealias ConnectionID = Int
    typealias WaiterID = Int

    enum Action: Hashable {
        /// Give a connection to a waiter; a rested one should be looked at first.
        case hand(ConnectionID, to: WaiterID, rested: Bool)
        case connect(ConnectionID)
        case close(ConnectionID)
        case fail(WaiterID, Reason)
    }

    enum Reason: Hashable {
        case closed
        case connectFailed
    }

    private struct Idle {
        let id: ConnectionID
        let since: ContinuousClock.Instant
    }

    let maximumConnections: Int
    let minimumConnections: Int

    private var idle: [Idle] = []
    private var leased: Set<ConnectionID> = []
    private var connecting: Set<ConnectionID> = []
    private var waiters: Deque<WaiterID> = []
    private var lastConnection = 0
    private(set) var isClosed = false

    init(maximumConnections: Int, minimumConnections: Int = 0) {
        self.maximumConnections = max(1, maximumConnections)
        self.minimumConnections = min(max(0, minimumConnections), self.maximumConnections)
    }

    var leasedCount: Int { leased.count }
    var waitingCount: Int { waiters.count }
    var totalCount: Int { idle.count + leased.count + connecting.count }

    /// Somebody wants a connection.
    mutating func lease(_ waiter: WaiterID) -> [Action] {
        guard !isClosed else { return [.fail(waiter, .closed)] }
        // The connection used last is the likeliest to be alive; the others may then rest long enough to be closed.
        if waiters.isEmpty, let last = idle.popLast() {
            leased.insert(last.id)
            return [.hand(last.id, to: waiter, rested: true)]
        }
        waiters.append(waiter)
        return connectAsNeeded()
    }

    /// A waiter gave up.
    ///
    /// False when it has its connection, or its failure, already.
    mutating func cancel(_ waiter: WaiterID) -> Bool {
        guard let index = waiters.firstIndex(of: waiter) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// A new connection is open.
    mutating func connected(_ id: ConnectionID, now: ContinuousClock.Instant) -> [Action] {
        guard connecting.remove(id) != nil else { return [.close(id)] }
        guard !isClosed else { return [.close(id)] }
        return park(id, now: now)
    }

    /// A connection could not be made, retries included: the oldest waiter is told, the others get another try.
    mutating func connectFailed(_ id: ConnectionID) -> [Action] {
        guard connecting.remove(id) != nil else { return [] }
        var actions: [Action] = []
        if waiters.count > connecting.count, let waiter = waiters.popFirst() {
            actions.append(.fail(waiter, .connectFailed))
        }
        return actions + connectAsNeeded()
    }

    /// A connection comes back.
    mutating func release(_ id: ConnectionID, isHealthy: Bool, now: ContinuousClock.Instant) -> [Action] {
        guard leased.remove(id) != nil else { return [] }
        guard isHealthy, !isClosed else { return [.close(id)] + connectAsNeeded() }
        return park(id, now: now)
    }

    /// A handed connection turned out to be dead: the waiter goes to the front of the queue.
    mutating func replace(_ id: ConnectionID, for waiter: WaiterID) -> [Action] {
        guard leased.remove(id) != nil else { return [] }
        guard !isClosed else { return [.close(id), .fail(waiter, .closed)] }
        waiters.prepend(waiter)
        return [.close(id)] + connectAsNeeded()
    }

    /// Connections that rested too long go, down to the minimum.
    mutating func trim(idleSince limit: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        // The longest at rest are in front.
        while let first = idle.first, first.since <= limit, totalCount > minimumConnections {
            idle.removeFirst()
            actions.append(.close(first.id))
        }
        return actions
    }

    /// No new leases; leased connections close when they come back.
    mutating func close() -> [Action] {
        guard !isClosed else { return [] }
        isClosed = true
        let actions = waiters.map { Action.fail($0, .closed) } + idle.map { Action.close($0.id) }
        waiters = []
        idle = []
        return actions
    }

    private mutating func park(_ id: ConnectionID, now: ContinuousClock.Instant) -> [Action] {
        if let waiter = waiters.popFirst() {
            leased.insert(id)
            return [.hand(id, to: waiter, rested: false)]
        }
        idle.append(Idle(id: id, since: now))
        return []
    }

    private mutating func connectAsNeeded() -> [Action] {
        guard !isClosed else { return [] }
        var actions: [Action] = []
        while connecting.count < waiters.count, totalCount < maximumConnections {
            lastConnection += 1
            connecting.insert(lastConnection)
            actions.append(.connect(lastConnection))
        }
        return actions
    }
}
