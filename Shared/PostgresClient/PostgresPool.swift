public import Logging
public import ServiceLifecycle
import Synchronization

/// A bounded set of connections, shared by many tasks.
///
/// It connects when it is first used and works without ``run()``, which only closes connections that rest and closes
/// the pool on graceful shutdown.
public final class PostgresPool: Service, PostgresQueryable {
    /// Sizes and times of a pool.
    public struct Options: Sendable, Hashable {
        /// The most connections at a time.
        public var maximumConnections: Int
        /// Connections that stay open however long they rest.
        public var minimumConnections: Int
        /// How long a task waits for a connection before it gets an error.
        public var leaseTimeout: Duration
        /// How long attempts to connect go on, with growing waits between them.
        public var connectDeadline: Duration
        /// A connection that rested as long is closed by ``PostgresPool/run()``.
        public var idleTimeout: Duration
        /// Prepared statements kept on each connection.
        public var statementCacheSize: Int

        /// Options with their defaults.
        public init(
            maximumConnections: Int = 8,
            minimumConnections: Int = 0,
            leaseTimeout: Duration = .seconds(60),
            connectDeadline: Duration = .seconds(15),
            idleTimeout: Duration = .seconds(300),
            statementCacheSize: Int = 128
        ) {
            self.maximumConnections = maximumConnections
            self.minimumConnections = minimumConnections
            self.leaseTimeout = leaseTimeout
            self.connectDeadline = connectDeadline
            self.idleTimeout = idleTimeout
            self.statementCacheSize = statementCacheSize
        }
    }

    private struct Handed: Sendable {
        let id: Int
        let connection: PostgresConnection
        let rested: Bool
    }

    private struct State {
        var machine: PoolStateMachine
        var connections: [Int: PostgresConnection] = [:]
        var promises: [Int: Promise<Handed>] = [:]
        var lastWaiter = 0
        var lastConnectError: (any Error)?
    }

    /// Where the pool connects to.
    public let configuration: PostgresConfiguration
    /// Sizes and times.
    public let options: Options

    let logger: Logger
    private let state: Mutex<State>

    /// A pool that has not connected yet.
    public init(configuration: PostgresConfiguration, options: Options = Options(), logger: Logger? = nil) {
        self.configuration = configuration
        self.options = options
        self.logger = logger ?? Logger(label: "errata.postgres")
        state = Mutex(
            State(
                machine: PoolStateMachine(
                    maximumConnections: options.maximumConnections,
                    minimumConnections: options.minimumConnections
                )
            )
        )
    }

    /// A pool with a bound on its connections.
    public convenience init(configuration: PostgresConfiguration, maximumConnections: Int, logger: Logger? = nil) {
        self.init(
            configuration: configuration,
            options: Options(maximumConnections: maximumConnections),
            logger: logger
        )
    }

    // MARK: Life

    /// Closes connections that rest too long; returns, and closes the pool, on graceful shutdown or cancellation.
    public func run() async throws {
        let interval = max(min(options.idleTimeout / 4, .seconds(30)), .milliseconds(100))
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    try await Task.sleep(for: interval)
                    self.trim(now: .now)
                }
            }
        } catch is CancellationError {
            // Both ways out close the pool.
        }
        close()
    }

    /// Fails the waiting tasks and closes the connections; those in use close when they come back.
    public func close() {
        perform { $0.machine.close() }
    }

    /// Connections that are open or being opened, those of them in use, and tasks that wait.
    public var statistics: (connections: Int, leased: Int, waiting: Int) {
        state.withLock { ($0.machine.totalCount, $0.machine.leasedCount, $0.machine.waitingCount) }
    }

    func trim(now: ContinuousClock.Instant) {
        perform { $0.machine.trim(idleSince: now - self.options.idleTimeout) }
    }

    // MARK: Leasing

    /// Runs the closure with a connection of its own.
    ///
    /// What is isolated to no actor runs on the connection's thread meanwhile, the closure's child tasks too: work that
    /// takes long, or is to run beside other work, belongs outside. An open transaction is rolled back at the end.
    public func withConnection<Value>(
        actor: isolated (any Actor)? = #isolation,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        var handed = try await lease()
        while true {
            let (id, connection, isRested) = (handed.id, handed.connection, handed.rested)
            let outcome = try await withTaskExecutorPreference(connection.executor.user) { () async throws -> Value? in
                // It may have died at rest; a look at the socket tells, without a round trip.
                if isRested, await !connection.isAlive() { return nil }
                do {
                    let value = try await body(connection)
                    await release(id, connection)
                    return value
                } catch {
                    await release(id, connection)
                    throw error
                }
            }
            if let outcome { return outcome }
            logger.debug("replacing a connection that died at rest")
            handed = try await replace(id)
        }
    }

    /// Runs a statement on any connection.
    public func rows(_ sql: SQL, prepared: Bool) async throws -> (rows: [Row], affected: Int) {
        try await withConnection { try await $0.rows(sql, prepared: prepared) }
    }

    /// Runs the closure in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// Runs it again, after a wait, when the transaction lost against a concurrent one (40001, 40P01) or when the
    /// connection broke before COMMIT was sent; so the closure may run several times. A connection that breaks during
    /// COMMIT throws ``PostgresError/Kind/unknownOutcome``, and nothing is run again.
    public func withTransaction<Value>(
        isolation level: IsolationLevel = .readCommitted,
        readOnly: Bool = false,
        retries: RetryPolicy = .standard,
        actor: isolated (any Actor)? = #isolation,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        var failures = 0
        while true {
            do {
                return try await withConnection { connection in
                    try await self.attempt(connection, level, readOnly, body)
                }
            } catch let error as PostgresError where shouldRetry(error) {
                failures += 1
                guard failures < retries.maximumAttempts else { throw error }
                logger.debug("transaction runs again", metadata: ["attempt": "\(failures + 1)", "cause": "\(error)"])
                try await Task.sleep(for: retries.delay(afterFailures: failures))
            }
        }
    }

    private func shouldRetry(_ error: PostgresError) -> Bool {
        error.isSerializationFailure || error.isStalePlan || (error.isTransient && error.statement != nil)
    }

    private func attempt<Value>(
        _ connection: PostgresConnection,
        _ level: IsolationLevel,
        _ readOnly: Bool,
        actor: isolated (any Actor)? = #isolation,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        _ = try await connection.simple("BEGIN ISOLATION LEVEL \(level.rawValue)\(readOnly ? " READ ONLY" : "")")
        let transaction = PostgresTransaction(connection: connection)
        defer { transaction.end() }
        let value: Value
        do {
            value = try await body(transaction)
            try Task.checkCancellation()
        } catch {
            // A connection that cannot even roll back is broken; the pool finds out when it comes back.
            _ = try? await connection.simple("ROLLBACK")
            throw error
        }
        try await connection.commit()
        return value
    }

    private func lease() async throws -> Handed {
        try Task.checkCancellation()
        return try await handedOver { $0.machine.lease($1) }
    }

    /// Gives a leased connection that has died back for another one.
    private func replace(_ dead: Int) async throws -> Handed {
        try await handedOver { $0.machine.replace(dead, for: $1) }
    }

    /// Awaits the connection that an event brings to a new waiter.
    private func handedOver(_ event: (inout State, _ waiter: Int) -> [PoolStateMachine.Action]) async throws -> Handed {
        let promise = Promise<Handed>()
        let waiter = state.withLock { state in
            state.lastWaiter += 1
            state.promises[state.lastWaiter] = promise
            return state.lastWaiter
        }
        perform { event(&$0, waiter) }
        let mustWait = state.withLock { $0.promises[waiter] != nil }
        let timeout = options.leaseTimeout
        let timer =
            mustWait
            ? Task {
                try await Task.sleepInSteps(for: timeout)
                self.abandon(
                    waiter,
                    PostgresError(kind: .usage, message: "no free connection within \(timeout)")
                )
            } : nil
        defer { timer?.cancel() }
        return try await withTaskCancellationHandler {
            try await promise.value()
        } onCancel: {
            abandon(waiter, CancellationError())
        }
    }

    private func abandon(_ waiter: Int, _ error: any Error) {
        let promise = state.withLock { state in
            state.machine.cancel(waiter) ? state.promises.removeValue(forKey: waiter) : nil
        }
        promise?.complete(.failure(error))
    }

    private func release(_ id: Int, _ connection: PostgresConnection) async {
        let isHealthy = await connection.reset()
        perform { $0.machine.release(id, isHealthy: isHealthy, now: .now) }
    }

    // MARK: Actions

    private func perform(_ event: (inout State) -> [PoolStateMachine.Action]) {
        var deliveries: [(Promise<Handed>, Result<Handed, any Error>)] = []
        var closing: [PostgresConnection] = []
        var opening: [(Int, PostgresConnection)] = []
        state.withLock { state in
            for action in event(&state) {
                switch action {
                case .hand(let id, let waiter, let rested):
                    guard let promise = state.promises.removeValue(forKey: waiter),
                        let connection = state.connections[id]
                    else { continue }
                    deliveries.append((promise, .success(Handed(id: id, connection: connection, rested: rested))))
                case .connect(let id):
                    let connection = PostgresConnection(
                        configuration: configuration,
                        statementCacheSize: options.statementCacheSize
                    )
                    state.connections[id] = connection
                    opening.append((id, connection))
                case .close(let id):
                    if let connection = state.connections.removeValue(forKey: id) { closing.append(connection) }
                case .fail(let waiter, let reason):
                    guard let promise = state.promises.removeValue(forKey: waiter) else { continue }
                    let closed = PostgresError(kind: .usage, message: "the pool is closed")
                    let error = reason == .closed ? closed : state.lastConnectError ?? closed
                    deliveries.append((promise, .failure(error)))
                }
            }
        }
        for (promise, result) in deliveries { promise.complete(result) }
        for (id, connection) in opening { Task { await self.connect(id, connection) } }
        for connection in closing { Task { await connection.close() } }
    }

    private func connect(_ id: Int, _ connection: PostgresConnection) async {
        let policy = RetryPolicy(
            maximumAttempts: .max,
            initialDelay: .milliseconds(20),
            maximumDelay: .seconds(2)
        )
        let deadline = ContinuousClock.now + options.connectDeadline
        var failures = 0
        while true {
            do {
                try await connection.open()
                perform { $0.machine.connected(id, now: .now) }
                return
            } catch {
                failures += 1
                let isPermanent = (error as? PostgresError)?.isPermanentConnectFailure ?? false
                let isClosed = state.withLock { $0.machine.isClosed }
                let delay = policy.delay(afterFailures: failures)
                guard !isPermanent, !isClosed, ContinuousClock.now + delay < deadline else {
                    logger.warning("cannot connect to the database", metadata: ["cause": "\(error)"])
                    perform { state in
                        state.lastConnectError = error
                        state.connections[id] = nil
                        return state.machine.connectFailed(id)
                    }
                    return
                }
                try? await Task.sleep(for: delay)
            }
        }
    }
}

extension PostgresConnection {
    /// Commits.
    ///
    /// An aborted transaction, which COMMIT rolls back in silence, is an error here.
    func commit() throws {
        let before = transactionState
        guard before != .failed else {
            _ = try? simple("ROLLBACK")
            throw PostgresError(
                kind: .server,
                sqlState: "25P02",
                message: "a statement of the transaction failed and the failure was swallowed; nothing is committed"
            )
        }
        do {
            _ = try simple("COMMIT")
        } catch var error as PostgresError where error.kind == .connection {
            error.kind = .unknownOutcome
            error.sqlState = nil
            error.message = "the connection broke during COMMIT: \(error.message)"
            throw error
        }
    }
}
