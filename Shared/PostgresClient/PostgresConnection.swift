import CLibpq
import Dispatch
import Synchronization

/// One connection. Its libpq calls run on a thread of its own, one at a time.
public actor PostgresConnection {
    /// The server's parameters of this connection.
    public nonisolated let configuration: PostgresConfiguration

    nonisolated let executor: ConnectionExecutor
    nonisolated let canceller = StatementCanceller()
    private let nextToken = Atomic<UInt64>(0)
    private var handle: ConnectionHandle?
    private var statements: StatementCache

    /// The thread of this connection.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// A connection that is not open yet.
    init(configuration: PostgresConfiguration, statementCacheSize: Int = 128) {
        self.configuration = configuration
        executor = ConnectionExecutor(label: "errata.postgres.connection")
        statements = StatementCache(capacity: statementCacheSize)
    }

    func open() throws {
        close()
        let handle = try ConnectionHandle(configuration)
        handle.withPointer { canceller.install(from: $0) }
        self.handle = handle
    }

    /// Opens the connection, unless it is open and well.
    func openIfNeeded() throws {
        if !isAlive() { try open() }
    }

    func close() {
        canceller.install(from: nil)
        handle = nil
        statements.removeAll()
    }

    /// The process id of the server process behind this connection.
    public func backendProcessID() throws -> Int32 {
        try opened().backendProcessID
    }

    /// Nothing stands in the way of the next statement.
    ///
    /// Costs no round trip.
    func isAlive() -> Bool {
        handle?.isAlive() ?? false
    }

    /// Makes the connection fit for its next user; false when it must be replaced.
    func reset() -> Bool {
        guard let handle, !handle.isBroken else { return false }
        switch handle.transactionStatus {
        case PQTRANS_IDLE: return true
        case PQTRANS_INTRANS, PQTRANS_INERROR:
            guard (try? handle.simple("ROLLBACK")) != nil else { return false }
            return handle.transactionStatus == PQTRANS_IDLE
        default: return false
        }
    }

    enum TransactionState {
        case none
        case open
        case failed
    }

    var transactionState: TransactionState {
        switch handle?.transactionStatus {
        case PQTRANS_INERROR: .failed
        case PQTRANS_INTRANS, PQTRANS_ACTIVE: .open
        default: .none
        }
    }

    private func opened() throws -> ConnectionHandle {
        guard let handle else { throw PostgresError(kind: .usage, message: "the connection is closed") }
        return handle
    }

    // MARK: Statements

    /// Runs text without parameters, several statements included.
    func simple(_ text: String) throws -> ResultSet {
        guard !text.containsNUL else {
            throw PostgresError(kind: .encoding, message: "a statement holds a NUL character")
        }
        return try opened().simple(text)
    }

    /// Runs a statement with its parameters; a cancelled task stops it on the server.
    nonisolated func run(_ sql: SQL, prepared: Bool = true) async throws -> ResultSet {
        try Task.checkCancellation()
        let rendered = sql.rendered()
        let token = nextToken.wrappingAdd(1, ordering: .relaxed).newValue
        do {
            return try await withTaskCancellationHandler {
                try await perform(rendered, token: token, prepared: prepared)
            } onCancel: {
                canceller.cancel(token)
            }
        } catch let error as PostgresError where error.sqlState == "57014" && Task.isCancelled {
            throw CancellationError()
        }
    }

    private func perform(_ sql: RenderedSQL, token: UInt64, prepared: Bool) throws -> ResultSet {
        let handle = try opened()
        guard !sql.text.containsNUL else {
            throw PostgresError(kind: .encoding, message: "a statement holds a NUL character")
        }
        let parameters = try BoundParameters(sql.values)
        canceller.begin(token)
        // A request to stop it that hangs could hit what comes next: nothing does, on this connection.
        defer { if !canceller.end() { close() } }
        // Cancelled before the token was known: the request had nothing to stop.
        try Task.checkCancellation()
        guard prepared else { return try handle.execute(text: sql.text, parameters: parameters) }
        do {
            return try executePrepared(sql, parameters, handle)
        } catch let error as PostgresError where error.isStalePlan {
            statements.remove(text: sql.text, types: parameters.types, isKnownToServer: error.sqlState != "26000")
            guard handle.transactionStatus == PQTRANS_IDLE else { throw error }
            return try executePrepared(sql, parameters, handle)
        }
    }

    private func executePrepared(
        _ sql: RenderedSQL,
        _ parameters: BoundParameters,
        _ handle: ConnectionHandle
    ) throws -> ResultSet {
        if let name = statements.name(text: sql.text, types: parameters.types) {
            return try handle.executePrepared(name: name, parameters: parameters, text: sql.text)
        }
        if handle.transactionStatus != PQTRANS_INERROR {
            for name in statements.takeEvicted() { _ = try handle.simple("DEALLOCATE \(name)") }
        }
        let name = statements.newName()
        try handle.prepare(name: name, text: sql.text, types: parameters.types)
        statements.insert(name: name, text: sql.text, types: parameters.types)
        return try handle.executePrepared(name: name, parameters: parameters, text: sql.text)
    }

}

/// Names of the prepared statements of one connection, least recently used out first.
struct StatementCache {
    private struct Key: Hashable {
        let text: String
        let types: [UInt32]
    }

    private struct Entry {
        let name: String
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var evicted: [String] = []
    private var clock: UInt64 = 0
    private var created = 0

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { entries.count }

    mutating func name(text: String, types: [UInt32]) -> String? {
        clock += 1
        let key = Key(text: text, types: types)
        entries[key]?.lastUse = clock
        return entries[key]?.name
    }

    mutating func newName() -> String {
        created += 1
        return "errata_\(created)"
    }

    mutating func insert(name: String, text: String, types: [UInt32]) {
        if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            evicted.append(oldest.value.name)
        }
        clock += 1
        entries[Key(text: text, types: types)] = Entry(name: name, lastUse: clock)
    }

    mutating func remove(text: String, types: [UInt32], isKnownToServer: Bool) {
        let entry = entries.removeValue(forKey: Key(text: text, types: types))
        if let entry, isKnownToServer { evicted.append(entry.name) }
    }

    /// Statements that the server may forget.
    mutating func takeEvicted() -> [String] {
        defer { evicted = [] }
        return evicted
    }

    mutating func removeAll() {
        entries = [:]
        evicted = []
    }
}
