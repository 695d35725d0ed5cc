import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("The outbox and its relay")
struct DeliveryOutboxTests {
    private static func enqueue(_ range: Range<Int>, in bench: DeliveryBench) async throws -> [OutgoingEvent] {
        let events = try range.map { try DeliveryBench.attempt(at: "p-\($0 % 7)", cause: "e-\($0)") }
        try await bench.pool.withTransaction { try await Outbox.enqueue(events, in: $0) }
        return events
    }

    private static func unpublished(_ bench: DeliveryBench) async throws -> Int {
        try await bench.pool.value("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    }

    private static func ids(_ messages: [KafkaMessage]) -> [String] {
        messages.map { String(decoding: $0.header("ce_id") ?? Data(), as: UTF8.self) }
    }

    @Test("rows are published in order as CloudEvents and marked")
    func order() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueue(0..<60, in: bench)
            let relay = OutboxRelay(pool: bench.pool, producer: bench.producer, logger: quiet, batch: 40)
            #expect(try await relay.publishBatch() == 40)
            #expect(try await Self.unpublished(bench) == 20)
            #expect(try await relay.publishBatch() == 20)
            #expect(try await relay.publishBatch() == 0)
            #expect(try await Self.unpublished(bench) == 0)
            let messages = try await bench.messages(of: .attempts)
            #expect(Self.ids(messages) == events.map(\.attributes.id))
            for (message, event) in zip(messages, events) {
                #expect(message.value == Data(event.payload.utf8))
                #expect(message.key == Data(event.key.utf8))
            }
            let first = try #require(messages.first)
            let headers = Dictionary(
                first.headers.map { ($0.key, String(decoding: $0.value ?? Data(), as: UTF8.self)) },
                uniquingKeysWith: { first, _ in first }
            )
            let attempt = try EventCoding.decode(AttemptEvent.self, from: try #require(first.value))
            #expect(
                headers == [
                    "ce_specversion": "1.0", "ce_id": events[0].attributes.id, "ce_source": "/errata/tested",
                    "ce_type": "errata.attempt.v1", "ce_time": "2023-11-14T22:13:20.250Z", "ce_subject": attempt.id,
                    "ce_dataschema": "urn:errata:schema:errata.attempt.v1", "content-type": "application/json",
                ]
            )
            #expect(headers.count == first.headers.count)
        }
    }

    @Test("a batch ends at so many bytes, and an event that has more goes by itself")
    func bytes() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try (0..<7).map { number in
                try DeliveryBench.attempt(
                    at: "p",
                    cause: "e-\(number)",
                    output: String(repeating: "x", count: 10_000)
                )
            }
            try await bench.pool.withTransaction { try await Outbox.enqueue(events, in: $0) }
            func publish(bytes: Int) async throws -> Int {
                try await OutboxRelay(pool: bench.pool, producer: bench.producer, logger: quiet, batchBytes: bytes)
                    .publishBatch()
            }
            #expect(try await publish(bytes: 1) == 1)
            #expect(try await publish(bytes: 25_000) == 3)
            #expect(try await publish(bytes: 1_000_000) == 3)
            #expect(try await Self.unpublished(bench) == 0)
            #expect(Self.ids(try await bench.messages(of: .attempts)) == events.map(\.attributes.id))
        }
    }

    @Test("two relays at once publish each row exactly once and in order")
    func twoRelays() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let other = try KafkaProducer(bench.broker.configuration)
            func relay(_ producer: KafkaProducer) -> OutboxRelay {
                OutboxRelay(
                    pool: bench.pool,
                    producer: producer,
                    logger: quiet,
                    batch: 20,
                    pollInterval: .milliseconds(1)
                )
            }
            var events: [OutgoingEvent] = []
            try await withServices([relay(bench.producer), relay(other)]) {
                for start in stride(from: 0, to: 400, by: 10) {
                    events += try await Self.enqueue(start..<(start + 10), in: bench)
                }
                try await eventually("the relays") { try await Self.unpublished(bench) == 0 }
            }
            await other.close()
            #expect(Self.ids(try await bench.messages(of: .attempts)) == events.map(\.attributes.id))
            let marks = try await bench.pool.values(
                "SELECT published_at FROM outbox ORDER BY sequence",
                as: Date?.self
            )
            #expect(marks.count == 400)
            #expect(marks.allSatisfy { $0 != nil })
        }
    }

    @Test("rows that the broker refuses stay unpublished and are sent again")
    func brokerErrors() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueue(0..<30, in: bench)
            try bench.broker.injectErrors([.topicAuthorizationFailed], into: .produce)
            await #expect(throws: KafkaError.self) { try await bench.relay.publishBatch() }
            #expect(try await Self.unpublished(bench) == 30)
            try bench.broker.injectErrors([.topicAuthorizationFailed, .notEnoughReplicas, .transport], into: .produce)
            try await withServices([bench.relay]) {
                try await eventually("the relay") { try await Self.unpublished(bench) == 0 }
            }
            let sent = Self.ids(try await bench.messages(of: .attempts))
            #expect(Set(sent) == Set(events.map(\.attributes.id)))
            #expect(Array(sent.suffix(30)) == events.map(\.attributes.id))
        }
    }

    @Test("a topic that takes nothing does not keep the events of others, and its own follow later, each once")
    func failingTopic() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let attempts = try await Self.enqueue(0..<5, in: bench)
            let problems = try (0..<5).map {
                try OutgoingEvent(
                    ProblemEvent(id: "p-\($0)", dataset: "d", split: .train, question: "1+1?", answer: "2"),
                    source: "/errata/tested",
                    time: Date(timeIntervalSince1970: 1_700_000_000)
                )
            }
            try await bench.pool.withTransaction { try await Outbox.enqueue(problems, in: $0) }
            // The next request, which holds events of one topic.
            try bench.broker.injectErrors([.topicAuthorizationFailed], into: .produce)
            await #expect(throws: KafkaError.self) { try await bench.relay.publishBatch() }
            let left = try await bench.pool.values(
                "SELECT topic FROM outbox WHERE published_at IS NULL",
                as: String.self
            )
            #expect(!left.isEmpty && left.count <= 5)
            #expect(Set(left).count == 1)
            // The producer may hand on the broker's refusal for a moment longer.
            try await eventually("the rest") {
                _ = try? await bench.relay.publishBatch()
                return try await Self.unpublished(bench) == 0
            }
            for (topic, events) in [(Topic.attempts, attempts), (.problems, problems)] {
                let sent = Self.ids(try await bench.messages(of: topic))
                #expect(sent.sorted() == events.map(\.attributes.id).sorted())
            }
        }
    }

    @Test("an orderly stop finishes the batch in flight, so that no event is sent again")
    func orderlyStop() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueue(0..<20, in: bench)
            // Long enough that the stop comes while the batch is under way.
            try bench.broker.setRoundTripTime(.milliseconds(500))
            try await withServices([bench.relay]) {
                try await eventually("the batch in flight") {
                    try await bench.pool.value(
                        """
                        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        """
                    ) == 1
                }
            }
            #expect(try await Self.unpublished(bench) == 0)
            try bench.broker.setRoundTripTime(.zero)
            #expect(try await bench.relay.publishBatch() == 0)
            #expect(Self.ids(try await bench.messages(of: .attempts)) == events.map(\.attributes.id))
        }
    }

    @Test("what was sent and not marked goes out again under its id and with its body: who drops repeats has each once")
    func repeats() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueue(0..<20, in: bench)
            // The end of a process between sending and marking, as the database and the broker see it.
            try await bench.pool.execute(
                """
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'the process ends'; END $$
                """
            )
            try await bench.pool.execute(
                "CREATE TRIGGER fail BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION fail()"
            )
            await #expect(throws: PostgresError.self) { try await bench.relay.publishBatch() }
            #expect(try await Self.unpublished(bench) == 20)
            try await bench.pool.execute("DROP TRIGGER fail ON outbox")
            #expect(try await bench.relay.publishBatch() == 20)

            let messages = try await bench.messages(of: .attempts)
            #expect(messages.count == 40)
            var seen: Set<[Data?]> = []
            let once = messages.filter { seen.insert([$0.header("ce_source"), $0.header("ce_id")]).inserted }
            #expect(Self.ids(once) == events.map(\.attributes.id))
            let bodies = Dictionary(uniqueKeysWithValues: events.map { ($0.attributes.id, Data($0.payload.utf8)) })
            for (id, message) in zip(Self.ids(messages), messages) { #expect(message.value == bodies[id]) }
        }
    }

    @Test("a relay whose producer a fatal error ended goes on with a new one")
    func fatalError() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            bench.producer.endFatally(reason: "planted")
            let events = try await Self.enqueue(0..<3, in: bench)
            try await withServices([bench.relay]) {
                try await eventually("the relay") { try await Self.unpublished(bench) == 0 }
            }
            #expect(Self.ids(try await bench.messages(of: .attempts)) == events.map(\.attributes.id))
        }
    }

    @Test("a topic rests longer with each failure in a row, and not at all after a success")
    func rests() {
        var rests = TopicRests(backoff: Backoff(base: .seconds(8), cap: .seconds(16)))
        let now = ContinuousClock.now
        #expect(rests.failed("a", at: now) == 1)
        #expect(rests.failed("b", at: now) == 1)
        #expect(rests.topics(at: now + .seconds(3)) == ["a", "b"])
        #expect(rests.topics(at: now + .seconds(9)) == [])
        #expect(rests.failed("a", at: now) == 2)
        rests.succeeded("b")
        #expect(rests.topics(at: now + .seconds(3)) == ["a"])
        #expect(rests.topics(at: now + .seconds(17)) == [])
    }

    @Test("an event whose attributes cannot be headers is refused before it is written, where it would hold all up")
    func attributes() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let event = try OutgoingEvent(
                ProblemEvent(id: "p-1", dataset: "d", split: .train, question: "1+1?", answer: "2"),
                id: String(repeating: "x", count: CloudEvent.longestAttribute + 1),
                source: "/errata/tested",
                time: Date(timeIntervalSince1970: 1_700_000_000)
            )
            let failure = await #expect(throws: PermanentFailure.self) {
                try await bench.pool.withTransaction { try await Outbox.enqueue([event], in: $0) }
            }
            #expect(failure?.message.contains("attribute id") == true)
            #expect(try await bench.count("outbox") == 0)
        }
    }

    @Test("the same event again is left alone, and a different one under its id is refused")
    func conflict() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let event = try DeliveryBench.attempt(at: "p-1", cause: "e-1")
            let different = try DeliveryBench.attempt(at: "p-1", cause: "e-1", output: "3")
            #expect(event.attributes.id == different.attributes.id)
            for _ in 0..<2 {
                try await bench.pool.withTransaction { try await Outbox.enqueue([event], in: $0) }
            }
            #expect(try await bench.relay.publishBatch() == 1)
            let failure = await #expect(throws: PermanentFailure.self) {
                try await bench.pool.withTransaction { transaction in
                    try await transaction.execute("INSERT INTO effects (event_id, key) VALUES ('e-2', 'k')")
                    try await Outbox.enqueue([different], in: transaction)
                }
            }
            #expect(failure?.code == "conflicting-event")
            #expect(try await bench.pool.values("SELECT payload FROM outbox", as: String.self) == [event.payload])
            #expect(try await bench.count("effects") == 0)
            #expect(try await bench.relay.publishBatch() == 0)
        }
    }

    /// Rows of which one, in the middle, is larger than a producer with default settings sends.
    private static func enqueueWithLarge(in bench: DeliveryBench) async throws -> [OutgoingEvent] {
        var events = try (0..<9).map { try DeliveryBench.attempt(at: "p-1", cause: "e-\($0)") }
        events[4] = try DeliveryBench.attempt(
            at: "p-1",
            cause: "e-4",
            output: String(repeating: "x", count: 1_020_000)
        )
        try await bench.pool.withTransaction { [events] in try await Outbox.enqueue(events, in: $0) }
        return events
    }

    @Test("a row that the producer refuses is set aside with its reason, those behind it go on, and a replay sends it")
    func tooLargeForProducer() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueueWithLarge(in: bench)
            let small = try KafkaProducer(bench.broker.configuration)
            let relay = OutboxRelay(pool: bench.pool, producer: small, logger: quiet)
            #expect(try await relay.publishBatch() == 9)
            #expect(try await relay.publishBatch() == 0)
            await small.close()
            let others = events.indices.filter { $0 != 4 }.map { events[$0].attributes.id }
            #expect(Self.ids(try await bench.messages(of: .attempts)) == others)
            let refused = try await bench.pool.values(
                "SELECT event_id FROM outbox WHERE refused_at IS NOT NULL AND published_at IS NULL",
                as: String.self
            )
            #expect(refused == [events[4].attributes.id])
            let letter = try #require(try await DeadLetters.list(limit: 10, from: bench.pool).first)
            #expect(letter.consumer == "outbox")
            #expect(letter.origin == "errata.attempts.v1/-1/5")
            #expect(letter.cause.code == "refused-by-broker")
            #expect(letter.cause.message.contains("message.max.bytes (1000000)"))

            // The bench's producer may send more.
            #expect(try await DeadLetters.replay(id: letter.id, from: bench.pool, through: bench.producer))
            let last = try #require(try await bench.messages(of: .attempts).last)
            #expect(last.value == Data(events[4].payload.utf8))
            #expect(last.key == Data(events[4].key.utf8))
            #expect(last.headers == (try events[4].record().headers))
            #expect(try await Self.unpublished(bench) == 0)
            #expect(try await DeadLetters.list(limit: 10, from: bench.pool).map { $0.replayedAt != nil } == [true])
        }
    }

    @Test("of a batch that the broker refuses only the record that is refused alone is set aside; none is lost")
    func refusedByBroker() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let events = try await Self.enqueue(0..<20, in: bench)
            // The batch, and then the first record on its own.
            try bench.broker.injectErrors([.messageTooLarge, .messageTooLarge], into: .produce)
            try await withServices([bench.relay]) {
                try await eventually("the relay") { try await Self.unpublished(bench) == 1 }
            }
            let refused = try await bench.pool.values(
                "SELECT event_id FROM outbox WHERE refused_at IS NOT NULL AND published_at IS NULL",
                as: String.self
            )
            #expect(refused.count == 1)
            let sent = Self.ids(try await bench.messages(of: .attempts))
            #expect(Set(sent + refused) == Set(events.map(\.attributes.id)))
            #expect(sent.count == 19)
            #expect(try await bench.count("dead_letters") == 1)
        }
    }

    @Test("what went before an earlier event of its key that the broker first refused goes again behind it")
    func orderAfterRefusal() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let keys = ["p-1", "p-2", "p-1"]
            let events = try keys.enumerated().map { try DeliveryBench.attempt(at: $1, cause: "e-\($0)") }
            try await bench.pool.withTransaction { try await Outbox.enqueue(events, in: $0) }
            var kafka = bench.broker.configuration
            // The first two share a request, and the third goes in the next.
            kafka.settings["batch.num.messages"] = "2"
            let producer = try KafkaProducer(kafka)
            let relay = OutboxRelay(pool: bench.pool, producer: producer, logger: quiet)
            try bench.broker.injectErrors([.messageTooLarge], into: .produce)
            _ = try await relay.publishBatch()
            #expect(try await Self.unpublished(bench) == 1)
            _ = try await relay.publishBatch()
            #expect(try await Self.unpublished(bench) == 0)
            await producer.close()
            let ids = events.map(\.attributes.id)
            let sent = Self.ids(try await bench.messages(of: .attempts))
            #expect(Set(sent) == Set(ids))
            #expect(sent.last == ids[2])
            #expect(sent.filter { $0 == ids[2] }.count == 2)
            #expect(try await bench.count("dead_letters") == 0)
        }
    }

    @Test("an event larger than the producer's limit is refused before it is written, by size and setting")
    func sizeLimit() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            let event = try DeliveryBench.attempt(at: "p-1", cause: "e-1", output: String(repeating: "x", count: 5_000))
            let size = try event.record().largestSize
            // Key, headers and framing count, too.
            #expect(size > event.payload.utf8.count + event.key.utf8.count + 300)
            let failure = await #expect(throws: PermanentFailure.self) {
                try await bench.pool.withTransaction { try await Outbox.enqueue([event], sizeLimit: size - 1, in: $0) }
            }
            #expect(failure?.code == "too-large")
            #expect(failure?.message.contains("\(size) bytes") == true)
            #expect(failure?.message.contains("message.max.bytes in ERRATA_KAFKA_SETTINGS") == true)
            #expect(try await bench.count("outbox") == 0)
            try await bench.pool.withTransaction { try await Outbox.enqueue([event], sizeLimit: size, in: $0) }
            // What the check lets through, a producer with that limit sends.
            let producer = try KafkaProducer(
                KafkaConfiguration(
                    bootstrapServers: bench.broker.bootstrapServers,
                    settings: ["message.max.bytes": "\(size)"]
                )
            )
            let relay = OutboxRelay(pool: bench.pool, producer: producer, logger: quiet)
            #expect(try await relay.publishBatch() == 1)
            await producer.close()
            #expect(try await bench.messages(of: .attempts).count == 1)
        }
    }

    @Test("a relay does not start where the database would end its transaction while it waits for the broker")
    func times() async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            var configuration = bench.pool.configuration
            configuration.options["options"] = "-c idle_in_transaction_session_timeout=60s"
            let pool = PostgresPool(configuration: configuration, maximumConnections: 2)
            defer { pool.close() }
            func make(_ timeout: String?) throws -> (relay: OutboxRelay, producer: KafkaProducer) {
                var kafka = bench.broker.configuration
                kafka.settings["delivery.timeout.ms"] = timeout
                let producer = try KafkaProducer(OutboxRelay.configuration(kafka))
                let relay = OutboxRelay(pool: pool, producer: producer, logger: quiet, pollInterval: .milliseconds(10))
                return (relay, producer)
            }
            // A minute unless the settings say otherwise.
            for timeout in [nil, "30000", "300000", "0"] {
                let (relay, producer) = try make(timeout)
                let failure = await #expect(throws: ConfigurationError.self) { try await relay.run() }
                #expect(failure?.description.contains("delivery.timeout.ms") == true)
                #expect(failure?.description.contains("60000 ms (idle_in_transaction_session_timeout)") == true)
                await producer.close()
            }
            let events = try await Self.enqueue(0..<3, in: bench)
            let (fit, producer) = try make("29000")
            try await withServices([fit]) {
                try await eventually("the events") { try await Self.unpublished(bench) == 0 }
            }
            await producer.close()
            #expect(Self.ids(try await bench.messages(of: .attempts)) == events.map(\.attributes.id))
        }
    }
}
