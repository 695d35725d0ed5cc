import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Dead letters")
struct DeliveryDeadLetterTests {
    private struct Bad {
        let code: String
        let value: Data?
        let headers: [KafkaHeader]

        init(_ code: String, _ value: Data?, _ headers: [KafkaHeader]) {
            self.code = code
            self.value = value
            self.headers = headers
        }

        init(_ code: String, _ text: String, _ headers: [KafkaHeader]) {
            self.init(code, Data(text.utf8), headers)
        }
    }

    private static func headers(
        id: String,
        type: String = "errata.problem.v1",
        version: String = "1.0"
    )
        -> [KafkaHeader]
    {
        [
            KafkaHeader(key: "ce_specversion", text: version), KafkaHeader(key: "ce_id", text: id),
            KafkaHeader(key: "ce_source", text: "/test"), KafkaHeader(key: "ce_type", text: type),
            KafkaHeader(key: "content-type", text: "application/json"),
            KafkaHeader(key: "binary", value: Data([0xFF, 0x00])), KafkaHeader(key: "null", value: nil),
        ]
    }

    private static func problem(_ id: String) -> String {
        #"{"id":"\#(id)","dataset":"d","split":"train","question":"1+1?","answer":"2"}"#
    }

    private static let bad: [Bad] = [
        Bad("refused", problem("refused"), headers(id: "refused")),
        Bad("failed", problem("wordless"), headers(id: "wordless")),
        Bad("unknown-type", problem("v2"), headers(id: "v2", type: "errata.problem.v2")),
        Bad("unknown-type", problem("run"), headers(id: "run", type: "errata.run.v1")),
        Bad("unknown-specversion", problem("spec"), headers(id: "spec", version: "0.3")),
        Bad("missing-attribute", problem("noid"), headers(id: "noid").filter { $0.key != "ce_id" }),
        Bad("tombstone", nil, headers(id: "tombstone")),
        Bad("malformed-payload", #"{"id":"x""#, headers(id: "malformed")),
        Bad("malformed-payload", Data([0xFF, 0xFE, 0x00]), []),
        // The refusal quotes the NUL, which PostgreSQL's texts cannot hold.
        Bad(
            "malformed-payload",
            problem("nul").replacing("train", with: #"\u0000"#),
            headers(id: "nul")
        ),
        Bad("invalid-payload", problem("blank").replacing("1+1?", with: " "), headers(id: "blank")),
        Bad("empty-message", "", headers(id: "empty")),
        Bad("too-large", Data(repeating: 0x20, count: EventCoding.defaultSizeLimit + 1), headers(id: "large")),
        Bad("rejected-by-database", problem("constraint"), headers(id: "constraint")),
        Bad("rejected-by-database", problem("id-with-nul"), headers(id: "a\0b")),
        Bad("conflicting-event", problem("conflict"), headers(id: "conflict")),
    ]

    @Test("what fails for good goes to the table and the topic with its cause and original bytes; the rest goes on")
    func everyCause() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let worker = bench.worker { event in
                var effects = try DeliveryBench.effects(of: event)
                switch event.id {
                case "refused": throw PermanentFailure(code: "refused", message: "not this one")
                case "wordless": throw PermanentFailure(code: "", message: "")
                case "constraint":
                    effects.change = { transaction in
                        try await transaction.execute("INSERT INTO effects (event_id) VALUES ('half')")
                    }
                case "conflict":
                    // The event id of the first good problem's attempt, with another body.
                    effects.events = [try DeliveryBench.attempt(at: "good-0", cause: "good-0", output: "3")]
                default: break
                }
                return effects
            }
            let topic = Topic.problems.rawValue
            func good(_ id: String) -> KafkaRecord {
                KafkaRecord(
                    topic: topic,
                    key: Data("k".utf8),
                    value: Data(Self.problem(id).utf8),
                    headers: Self.headers(id: id)
                )
            }
            // One key, so that each good message stands behind a bad one.
            var records = [good("good-0")]
            for (index, bad) in Self.bad.enumerated() {
                records.append(
                    KafkaRecord(topic: topic, key: Data("k".utf8), value: bad.value, headers: bad.headers)
                )
                records.append(good("good-\(index + 1)"))
            }
            _ = try await bench.producer.send(records)
            let goodIDs = (0...Self.bad.count).map { "good-\($0)" }
            try await withServices([bench.relay, worker]) {
                try await eventually("the last message") { try await bench.effects().last == goodIDs.last }
                try await eventually("all offsets") { try await bench.lag() == 0 }
                try await eventually("the relay") {
                    try await bench.pool.value("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
                }
            }
            #expect(try await bench.effects() == goodIDs)

            let rows = try await bench.pool.query("SELECT * FROM dead_letters ORDER BY \"offset\"")
            #expect(try rows.map { try $0.get("cause_code", as: String.self) } == Self.bad.map(\.code))
            for (row, bad) in zip(rows, Self.bad) {
                #expect(try row.get("payload", as: Data?.self) == bad.value, "\(bad.code)")
                #expect(try row.get("key", as: Data?.self) == Data("k".utf8))
                #expect(try row.get("consumer", as: String.self) == "tested")
                #expect(try row.get("attempts", as: Int.self) == 1)
                #expect(try !row.get("cause_message", as: String.self).isEmpty)
            }

            let events = try await bench.messages(of: .deadLetters).map { message in
                try EventCoding.decode(DeadLetterEvent.self, from: try #require(message.value))
            }
            #expect(events.map(\.cause.code) == Self.bad.map(\.code))
            for (event, bad) in zip(events, Self.bad) {
                #expect(event.payload == bad.value?.prefix(DeadLetterEvent.payloadLimit))
                #expect(event.payloadSize == bad.value?.count ?? 0)
                let headers = event.headers.map { header in
                    KafkaHeader(key: header.name, value: header.valueBase64.flatMap { Data(base64Encoded: $0) })
                }
                #expect(headers == bad.headers)
                #expect(event.topic == topic)
                #expect(event.recordKey == "k")
            }
            #expect(events.map(\.offset) == Self.bad.indices.map { Int64(2 * $0 + 1) })
        }
    }

    @Test("a message that is delivered again is one dead letter, and its replay with a mended body has its effect")
    func replay() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let seen = Tally()
            let worker = bench.worker { event in
                seen.add(event.id)
                return try DeliveryBench.effects(of: event)
            }
            func record(_ text: String) -> KafkaRecord {
                KafkaRecord(
                    topic: Topic.problems.rawValue,
                    key: Data("k".utf8),
                    value: Data(text.utf8),
                    headers: Self.headers(id: "e-1")
                )
            }
            _ = try await bench.producer.send(record("{"))
            try await withServices([worker]) {
                try await eventually("the dead letter") { try await bench.count("dead_letters") == 1 }
                let entry = try #require(try await DeadLetters.list(limit: 10, from: bench.pool).first)
                #expect(entry.origin == "\(Topic.problems.rawValue)/0/0")
                #expect(entry.cause.code == "malformed-payload")
                #expect(entry.replayedAt == nil)
                #expect(
                    try await DeadLetters.replay(
                        id: entry.id,
                        body: Data(Self.problem("p-1").utf8),
                        from: bench.pool,
                        through: bench.producer
                    )
                )
                try await eventually("the effect") { try await bench.effects() == ["e-1"] }
                let replayed = try #require(try await DeadLetters.list(limit: 10, from: bench.pool).first)
                #expect(replayed.replayedAt != nil)
                #expect(
                    try await !DeadLetters.replay(id: "unknown", from: bench.pool, through: bench.producer)
                )
            }
            #expect(seen["e-1"] == 2)
            #expect(try await bench.count("dead_letters") == 1)
            let messages = try await bench.messages(of: .problems)
            #expect(messages.map(\.headers) == [Self.headers(id: "e-1"), Self.headers(id: "e-1")])
        }
    }
}
