import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("What an event is recognised by")
struct DeliveryInboxTests {
    private static func record(
        _ id: String,
        source: String = "/test",
        answer: String = "2",
        key: String = "k"
    ) -> KafkaRecord {
        KafkaRecord(
            topic: Topic.problems.rawValue,
            key: Data(key.utf8),
            value: Data(#"{"id":"\#(id)","dataset":"d","split":"train","question":"1+1?","answer":"\#(answer)"}"#.utf8),
            headers: [
                KafkaHeader(key: "ce_specversion", text: "1.0"), KafkaHeader(key: "ce_id", text: id),
                KafkaHeader(key: "ce_source", text: source), KafkaHeader(key: "ce_type", text: "errata.problem.v1"),
                KafkaHeader(key: "content-type", text: "application/json"),
            ]
        )
    }

    private static func entry(_ id: String, source: String = "/test", body: String = "{}") -> InboxEntry {
        InboxEntry(
            of: ReceivedEvent(
                topic: .problems,
                partition: 0,
                offset: 0,
                attributes: CloudEvent(id: id, source: source, type: "errata.problem.v1"),
                data: Data(body.utf8)
            )
        )
    }

    private static let place = KafkaMessage(
        topic: Topic.problems.rawValue,
        partition: 0,
        offset: 7,
        key: nil,
        value: nil
    )

    @Test(
        "two senders may use one id; a sender that uses it twice for different bodies is told, the same body again is not"
    )
    func identity() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let worker = bench.worker { event in
                try DeliveryBench.effects(of: event, key: event.attributes.source + event.id)
            }
            let taken = Self.record("e-1", answer: "3")
            _ = try await bench.producer.send([
                Self.record("e-1"), Self.record("e-1"), Self.record("e-1", source: "/other"), taken,
                Self.record("last"),
            ])
            try await withServices([worker]) {
                try await eventually("the last message") { try await bench.effects().last == "last" }
                let letters = try await DeadLetters.list(limit: 10, from: bench.pool)
                #expect(letters.map(\.cause.code) == ["event-id-taken"])
                let letter = try #require(letters.first)
                #expect(letter.origin == "\(Topic.problems.rawValue)/0/3")
                #expect(letter.cause.message.contains("under an id of its own"))
                // As it is it ends there again; with the body that came first it is a repeat.
                #expect(try await DeadLetters.replay(id: letter.id, from: bench.pool, through: bench.producer))
                try await eventually("the second refusal") { try await bench.count("dead_letters") == 2 }
                _ = try await bench.producer.send([Self.record("e-1"), Self.record("end")])
                try await eventually("the end") { try await bench.effects().last == "end" }
            }
            #expect(try await bench.effects(column: "key") == ["/teste-1", "/othere-1", "/testlast", "/testend"])
            #expect(try await bench.count("dead_letters") == 2)
        }
    }

    @Test("of two bodies under one id that are worked on at the same time one is refused, not taken for a repeat")
    func concurrent() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let calls = Tally()
            let worker = bench.worker { event in
                if calls.add(event.id) <= 2 {
                    // Both have passed the look into the inbox before either goes on.
                    try await eventually("two concurrent deliveries") { calls[event.id] >= 2 }
                }
                return try DeliveryBench.effects(of: event)
            }
            _ = try await bench.producer.send([
                Self.record("e-1", key: "a"), Self.record("e-1", answer: "3", key: "b"),
            ])
            try await withServices([worker]) {
                try await eventually("both ends") { try await bench.lag() == 0 }
            }
            #expect(try await bench.effects() == ["e-1"])
            #expect(try await DeadLetters.list(limit: 10, from: bench.pool).map(\.cause.code) == ["event-id-taken"])
        }
    }

    /// Where an event stands that is behind nothing.
    private static func standing(
        _ entry: InboxEntry,
        with consumer: String = "tested",
        in pool: PostgresPool
    ) async throws -> Inbox.Standing {
        try await Inbox.standing(of: entry, lane: nil, with: consumer, in: pool)
    }

    @Test("what was finished before sources were kept is known by topic and id, whatever its source and body")
    func earlierRows() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 13 })
            for id in ["e-1", "dead-letter:d-1"] {
                try await pool.execute(
                    """
                    INSERT INTO inbox (consumer, event_id, topic, partition, "offset")
                    VALUES ('tested', \(id), \(Topic.problems.rawValue), 0, 3)
                    """
                )
            }
            try await DatabaseSchema.migrate(pool)
            #expect(try await Self.standing(Self.entry("e-1"), in: pool) == .finished)
            #expect(try await Self.standing(Self.entry("e-1", source: "/other", body: "[]"), in: pool) == .finished)
            #expect(try await Self.standing(Self.entry("e-1"), with: "another", in: pool) == .open)
            #expect(try await Self.standing(Self.entry("e-2"), in: pool) == .open)
            let known = InboxEntry(deadLetter: "d-1", topic: Topic.problems.rawValue)
            let added = try await pool.withTransaction { transaction in
                try await Inbox.add(known, of: "tested", from: Self.place, in: transaction)
            }
            #expect(!added)
        }
    }

    @Test("the longest id and source fit, and two long sources differ by their ends")
    func longest() async throws {
        try await TestDatabase.withPool { pool in
            func random(_ count: Int) -> String {
                // Without a pattern, so that no compression makes it fit.
                String((0..<count).compactMap { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() })
            }
            let source = random(CloudEvent.longestAttribute - 1)
            let entry = Self.entry(random(CloudEvent.longestAttribute), source: source + "1")
            let other = Self.entry(entry.identity.id, source: source + "2")
            for entry in [entry, other] {
                #expect(try await Self.standing(entry, in: pool) == .open)
                let added = try await pool.withTransaction { transaction in
                    try await Inbox.add(entry, of: "tested", from: Self.place, in: transaction)
                }
                #expect(added)
                #expect(try await Self.standing(entry, in: pool) == .finished)
            }
        }
    }
}
