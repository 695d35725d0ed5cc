import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("What is kept for a time")
struct RetentionStoreTests {
    private static let life = Duration.seconds(10 * 86_400)

    /// Writes inbox rows that are so many days old.
    private static func insertInbox(_ ages: [Int], in pool: PostgresPool) async throws {
        for age in ages {
            try await pool.execute(
                """
                INSERT INTO inbox (consumer, event_id, topic, source, partition, "offset", received_at)
                VALUES ('c', \("e-\(age)"), 't', '/s', 0, 1, now() - make_interval(days => \(age)::int))
                """
            )
        }
    }

    /// Writes an event that was published so many days ago; not yet where nil.
    private static func insertEvent(
        _ id: String,
        published age: Int?,
        refused: Bool = false,
        in pool: PostgresPool
    ) async throws {
        try await pool.execute(
            """
            INSERT INTO outbox (event_id, topic, key, type, source, time, payload, created_at, published_at, refused_at)
            VALUES (\(id), 't', 'k', 'type', '/s', now(), '{"a":1}', now() - interval '90 days',
                    now() - make_interval(days => \(age)::int), CASE WHEN \(refused) THEN now() END)
            """
        )
    }

    @Test("inbox rows go in small batches when they are older than their life, the oldest first, and no others")
    func inbox() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertInbox([1, 9, 11, 20, 30], in: pool)
            #expect(try await RetentionStore.oldInboxRows(life: Self.life, from: pool) == 3)
            func left() async throws -> [String] {
                try await pool.values("SELECT event_id FROM inbox ORDER BY received_at DESC", as: String.self)
            }
            #expect(try await RetentionStore.pruneInbox(life: Self.life, limit: 2, in: pool) == 2)
            #expect(try await left() == ["e-1", "e-9", "e-11"])
            #expect(try await RetentionStore.pruneInbox(life: Self.life, limit: 2, in: pool) == 1)
            #expect(try await RetentionStore.pruneInbox(life: Self.life, limit: 2, in: pool) == 0)
            #expect(try await left() == ["e-1", "e-9"])
        }
    }

    @Test("the bodies of events go that were published long ago; what waits, was refused or is young keeps its own")
    func outbox() async throws {
        try await TestDatabase.withPool { pool in
            try await Self.insertEvent("old", published: 11, in: pool)
            try await Self.insertEvent("older", published: 40, in: pool)
            try await Self.insertEvent("young", published: 9, in: pool)
            try await Self.insertEvent("waits", published: nil, in: pool)
            try await Self.insertEvent("refused", published: nil, refused: true, in: pool)
            try await Self.insertEvent("refused-once", published: 40, refused: true, in: pool)
            #expect(try await RetentionStore.oldOutboxBodies(life: Self.life, from: pool) == 2)
            #expect(try await RetentionStore.pruneOutbox(life: Self.life, limit: 1, in: pool) == 1)
            func empty() async throws -> [String] {
                try await pool.values("SELECT event_id FROM outbox WHERE payload = '' ORDER BY 1", as: String.self)
            }
            #expect(try await empty() == ["older"])
            #expect(try await RetentionStore.pruneOutbox(life: Self.life, limit: 9, in: pool) == 1)
            #expect(try await RetentionStore.pruneOutbox(life: Self.life, limit: 9, in: pool) == 0)
            #expect(try await empty() == ["old", "older"])
            // What has no body is not published again.
            try await Republishing.start(in: pool)
            #expect(
                try await pool.values(
                    "SELECT event_id FROM outbox WHERE published_at IS NULL ORDER BY 1",
                    as: String.self
                )
                    == ["refused", "refused-once", "waits", "young"]
            )
        }
    }

    @Test("an event whose body was pruned is still known by its id: the same work done again sends it no second time")
    func identity() async throws {
        try await TestDatabase.withPool { pool in
            let event = try DeliveryBench.attempt(at: "p-1", cause: "e-1")
            try await pool.withTransaction { try await Outbox.enqueue([event], in: $0) }
            try await pool.execute("UPDATE outbox SET published_at = now() - interval '11 days'")
            #expect(try await RetentionStore.pruneOutbox(life: Self.life, limit: 9, in: pool) == 1)
            try await pool.withTransaction { try await Outbox.enqueue([event], in: $0) }
            #expect(try await pool.value("SELECT count(*) FROM outbox", as: Int.self) == 1)
            #expect(try await pool.value("SELECT count(*) FROM outbox WHERE published_at IS NULL", as: Int.self) == 0)
        }
    }

    @Test("a life of 0 days is for ever, and fractions of a day count")
    func policy() {
        let policy = RetentionPolicy(inboxDays: 0, outboxDays: 0.5, modelDays: 90)
        #expect(policy.inbox == nil && policy.outbox == .seconds(43_200) && policy.models == .seconds(90 * 86_400))
    }

    @Test("what consumers remember outlives every topic's messages")
    func longerThanTopics() throws {
        let days = try #require(RetentionKeys.inbox.defaultValue)
        for topic in Topic.allCases {
            #expect(days * 86_400_000 > Double(topic.retentionMilliseconds), "\(topic.rawValue)")
        }
    }
}
