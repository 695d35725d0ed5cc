public import PostgresClient
import Tracing

/// What processing a message leads to.
///
/// All parts take effect in one database transaction, with the inbox row.
public struct Effects: Sendable {
    /// Changes of the database that are made with those of their kind from the other messages of the transaction, before
    /// what is this message's alone.
    public var changes: [any BatchedChange]
    /// Changes the database for this message alone.
    public var change: @Sendable (PostgresTransaction) async throws -> Void
    /// Events to send.
    public var events: [OutgoingEvent]

    /// Creates effects; `change` is made within the trace in which it was worked out, whichever task makes it.
    public init(
        events: [OutgoingEvent] = [],
        changes: [any BatchedChange] = [],
        change: @escaping @Sendable (PostgresTransaction) async throws -> Void = { _ in }
    ) {
        self.events = events
        self.changes = changes
        guard let context = InstrumentationContext.current else {
            self.change = change
            return
        }
        self.change = { transaction in
            try await InstrumentationContext.$current.withValue(context) { try await change(transaction) }
        }
    }

    /// The message needs no action.
    public static var none: Effects { Effects() }

    /// Changes the database, for a message that is in a transaction of its own.
    public func apply(_ transaction: PostgresTransaction) async throws {
        try await Self.make(changes, in: transaction)
        try await change(transaction)
    }

    /// Makes changes of several kinds, those of one kind together: the kinds in the order of their first ones, and each
    /// kind's in their own.
    static func make(_ changes: [any BatchedChange], in transaction: PostgresTransaction) async throws {
        var kinds: [ObjectIdentifier: [any BatchedChange]] = [:]
        var order: [ObjectIdentifier] = []
        for change in changes {
            let kind = ObjectIdentifier(type(of: change))
            if kinds[kind] == nil { order.append(kind) }
            kinds[kind, default: []].append(change)
        }
        for kind in order {
            guard let all = kinds[kind], let first = all.first else { continue }
            try await make(all, like: first, in: transaction)
        }
    }

    private static func make<Change: BatchedChange>(
        _ changes: [any BatchedChange],
        like _: Change,
        in transaction: PostgresTransaction
    ) async throws {
        try await Change.make(changes.compactMap { $0 as? Change }, in: transaction)
    }
}

/// A change of the database that messages bring by the many, such as a row: made for all messages of a transaction at once.
///
/// It is not made within the trace of any one message.
public protocol BatchedChange: Sendable {
    /// Makes the changes of one or several messages, in their order, all or none.
    ///
    /// Messages may bring the same change twice.
    static func make(_ changes: [Self], in transaction: PostgresTransaction) async throws
}
