import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
public import ServiceRuntime

/// Takes away what has outlived its purpose; `compose/RETENTION.md` states each rule.
public struct Retention: Sendable {
    /// The lease that who collects holds, so that one process at a time does.
    public static let leaseName = "retention"

    /// What was taken away, or would be.
    public struct Removed: Sendable, Hashable, Encodable {
        /// Rows of the inbox.
        public var inboxRows = 0
        /// Bodies of published events.
        public var outboxBodies = 0
        /// Versions of rows that were replaced, kept for stages that began with them.
        public var rowVersions = 0
        /// Models, by their hashes.
        public var models: [String] = []
        /// What killed processes left in the model store, by file names.
        public var leftovers: [String] = []

        /// Whether there is nothing.
        public var isEmpty: Bool { self == Removed() }
    }

    private let pool: PostgresPool
    private let store: ModelStore?
    private let policy: RetentionPolicy
    private let batch: Int

    /// Creates a collection.
    ///
    /// Arguments:
    ///   - store: the models; nil where they are not at hand.
    ///   - batch: the most rows that one transaction changes.
    public init(pool: PostgresPool, store: ModelStore?, policy: RetentionPolicy, batch: Int = 1_000) {
        self.pool = pool
        self.store = store
        self.policy = policy
        self.batch = max(1, batch)
    }

    /// What ``collect(logger:)`` would take away now.
    public func look() async throws -> Removed {
        var removed = Removed()
        if let life = policy.inbox { removed.inboxRows = try await RetentionStore.oldInboxRows(life: life, from: pool) }
        if let life = policy.outbox {
            removed.outboxBodies = try await RetentionStore.oldOutboxBodies(life: life, from: pool)
        }
        removed.rowVersions = try await RowVersions.unneeded(from: pool)
        guard let store else { return removed }
        removed.leftovers = store.leftovers().map(\.lastPathComponent)
        if let life = policy.models {
            removed.models = try await ModelCollection(pool: pool, store: store).unneeded(life: life)
        }
        return removed
    }

    /// Takes away, in small transactions, what is kept no longer, and logs what that was.
    ///
    /// The caller holds the lease of ``leaseName``.
    @discardableResult
    public func collect(logger: Logger) async throws -> Removed {
        var removed = Removed()
        if let life = policy.inbox {
            removed.inboxRows = try await inBatches {
                try await RetentionStore.pruneInbox(life: life, limit: batch, in: pool)
            }
        }
        if let life = policy.outbox {
            removed.outboxBodies = try await inBatches {
                try await RetentionStore.pruneOutbox(life: life, limit: batch, in: pool)
            }
        }
        removed.rowVersions = try await inBatches { try await RowVersions.prune(limit: batch, in: pool) }
        if let store {
            removed.leftovers = store.removeLeftovers().map(\.lastPathComponent)
            if let life = policy.models {
                let collection = ModelCollection(pool: pool, store: store)
                removed.models = try await collection.remove(try await collection.unneeded(life: life), life: life)
            }
        }
        if !removed.isEmpty {
            logger.notice(
                "collected what is kept no longer",
                metadata: [
                    "inbox-rows": "\(removed.inboxRows)", "outbox-bodies": "\(removed.outboxBodies)",
                    "row-versions": "\(removed.rowVersions)",
                    "models": "\(removed.models.joined(separator: ","))",
                    "leftovers": "\(removed.leftovers.joined(separator: ","))",
                ]
            )
        }
        return removed
    }

    private func inBatches(_ prune: () async throws -> Int) async throws -> Int {
        var sum = 0
        while true {
            try Task.checkCancellation()
            let count = try await prune()
            sum += count
            if count < batch { return sum }
        }
    }
}
