import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Dead letters that people settle")
struct DeadLetterSettlingTests {
    /// Letters of two causes, the messages in reverse order of their failures, with headers that a note must not be taken for.
    private static func insert(_ count: Int, code: String, consumer: String = "c", in pool: PostgresPool) async throws {
        let headers = [
            DeadLetterHeader(name: "ce_id", valueBase64: Data("e".utf8).base64EncodedString()),
            DeadLetterHeader(name: "note", valueBase64: nil),
        ]
        for offset in 0..<count {
            try await pool.execute(
                """
                INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, payload, headers, cause_code,
                                          cause_message, attempts, failed_at)
                VALUES (\("\(code)-\(offset)"), \(consumer), \(Topic.problems.rawValue), 0, \(Int64(offset)),
                        \(Data("k".utf8)), \(Data("body \(offset)".utf8)), \(json: headers), \(code), 'why', 1,
                        now() - make_interval(hours => \(Int32(offset))))
                """
            )
        }
    }

    private static func states(_ pool: PostgresPool) async throws -> [String: DeadLetters.State] {
        let entries = try await DeadLetters.list(limit: 1_000, from: pool)
        return Dictionary(entries.map { ($0.id, $0.state) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("a choice is by cause, consumer, topic, time and state; its ids are in the order of the messages")
    func chosen() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await Self.insert(4, code: "a", in: bench.pool)
            try await Self.insert(2, code: "b", consumer: "d", in: bench.pool)
            func ids(_ filter: DeadLetterFilter) async throws -> [String] {
                try await DeadLetters.ids(filter, from: bench.pool)
            }
            #expect(try await ids(DeadLetterFilter(cause: "a")) == ["a-0", "a-1", "a-2", "a-3"])
            #expect(try await ids(DeadLetterFilter(consumer: "d")) == ["b-0", "b-1"])
            #expect(try await ids(DeadLetterFilter(topic: "other")).isEmpty)
            let now = Date()
            #expect(try await ids(DeadLetterFilter(cause: "a", since: now - 5_400)) == ["a-0", "a-1"])
            #expect(try await ids(DeadLetterFilter(cause: "a", until: now - 5_400)) == ["a-2", "a-3"])
            #expect(try await ids(DeadLetterFilter(states: [.replayed, .dropped])).isEmpty)
            let causes = try await DeadLetters.causes(from: bench.pool)
            #expect(causes.map(\.code) == ["a", "b"] && causes.map(\.count) == [4, 2])
        }
    }

    @Test("all of a choice are sent again with their own bytes, in order, and it is written down who wanted it")
    func replayed() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await Self.insert(60, code: "a", in: bench.pool)
            let ids = try await DeadLetters.ids(DeadLetterFilter(states: [.open]), from: bench.pool)
            let outcomes = try await DeadLetters.replay(
                ids + ["unknown"],
                by: "ana",
                from: bench.pool,
                through: bench.producer
            )
            #expect(outcomes.map(\.id) == ids && outcomes.allSatisfy { $0.error == nil })
            let messages = try await bench.messages(of: .problems)
            #expect(messages.map(\.value) == (0..<60).map { Data("body \($0)".utf8) })
            let headers = [KafkaHeader(key: "ce_id", text: "e"), KafkaHeader(key: "note", value: nil)]
            #expect(messages.allSatisfy { $0.headers == headers })
            #expect(try await Set(Self.states(bench.pool).values) == [.replayed])
            let letter = try #require(try await DeadLetters.letter("a-7", from: bench.pool))
            #expect(letter.entry.notes.map(\.action) == ["replayed"] && letter.entry.notes.map(\.by) == ["ana"])
            #expect(letter.headers.map(\.name) == ["ce_id", "note"], "a header with that name is no note")
        }
    }

    @Test("what is dropped stays with reason, size and digest, is dropped once, and can be sent again")
    func dropped() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await Self.insert(2, code: "a", in: bench.pool)
            func drop(_ ids: [String], erasing: Bool = false) async throws -> Int {
                try await DeadLetters.drop(ids, reason: "old", by: "ana", erasing: erasing, in: bench.pool)
            }
            #expect(try await drop(["a-0", "unknown"]) == 1)
            #expect(try await drop(["a-0"]) == 0)
            #expect(try await Self.states(bench.pool) == ["a-0": .dropped, "a-1": .open])
            let letter = try #require(try await DeadLetters.letter("a-0", from: bench.pool))
            #expect(letter.payload == Data("body 0".utf8))
            let note = try #require(letter.entry.notes.first)
            #expect(note.by == "ana" && note.reason == "old" && note.bytes == 6 && note.erased == false)
            // printf 'body 0' | sha256sum
            #expect(note.sha256 == "03d9cc741a0dc36e8752b9e5c09baaed7431a9bce401dc710199a23a2f01aad3")
            #expect(abs(note.at.timeIntervalSinceNow) < 600)

            let outcomes = try await DeadLetters.replay(["a-0"], from: bench.pool, through: bench.producer)
            #expect(outcomes.map { $0.error == nil } == [true])
            #expect(try await Self.states(bench.pool)["a-0"] == .replayed)
        }
    }

    @Test("what is erased has no bytes and is not sent without a body, but its notes stay")
    func erased() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            try await Self.insert(1, code: "a", in: bench.pool)
            func drop(erasing: Bool) async throws -> Int {
                try await DeadLetters.drop(["a-0"], reason: "old", by: "ana", erasing: erasing, in: bench.pool)
            }
            #expect(try await drop(erasing: false) == 1)
            #expect(try await drop(erasing: true) == 1)
            #expect(try await drop(erasing: true) == 0)
            let letter = try #require(try await DeadLetters.letter("a-0", from: bench.pool))
            #expect(letter.payload == nil && letter.headers.isEmpty && letter.entry.isErased)
            #expect(letter.entry.notes.map(\.bytes) == [6, 6] && letter.entry.notes.map(\.erased) == [false, true])

            let refused = try await DeadLetters.replay(["a-0"], from: bench.pool, through: bench.producer)
            #expect(refused.map { $0.error != nil } == [true])
            #expect(try await Self.states(bench.pool) == ["a-0": .dropped])
            let body = Data("mended".utf8)
            let sent = try await DeadLetters.replay(["a-0"], body: body, from: bench.pool, through: bench.producer)
            #expect(sent.map { $0.error == nil } == [true])
            #expect(try await bench.messages(of: .problems).map(\.value) == [body])
        }
    }
}

@Suite("Whether a database has this version's tables")
struct DatabaseSchemaFaultTests {
    @Test("a database without tables, with older ones, with newer ones and with the right ones are told apart")
    func faults() async throws {
        let latest = try #require(DatabaseSchema.migrations.map(\.version).max())
        try await TestServer.withPool { pool in
            #expect(try await DatabaseSchema.fault(of: pool) == .missing)
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < latest })
            let older = try await DatabaseSchema.fault(of: pool)
            let before = try #require(DatabaseSchema.migrations.map(\.version).filter { $0 < latest }.max())
            #expect(older == .older(found: before, wanted: latest))
            #expect(older?.description.contains("errata migrate") == true)
            try await DatabaseSchema.migrate(pool)
            #expect(try await DatabaseSchema.fault(of: pool) == nil)
            try await pool.migrate(
                DatabaseSchema.migrations + [Migration(version: latest + 1, name: "next", sql: "SELECT 1")]
            )
            #expect(try await DatabaseSchema.fault(of: pool) == .newer(found: latest + 1, wanted: latest))
        }
    }
}
