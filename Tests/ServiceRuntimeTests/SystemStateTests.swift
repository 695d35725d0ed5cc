import KafkaClient
import PostgresClient
import Synchronization
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("What /ready and /metrics say of broker and database")
struct SystemStateTests {
    @Test("a database without tables, with older or with newer ones is not ready, and the cure is named")
    func schema() async throws {
        try await TestServer.withPool { pool in
            let missing = await #expect(throws: NotReady.self) { try await DatabaseSchema.check(pool) }
            #expect(missing?.description.contains("errata migrate") == true)
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < DatabaseSchema.version })
            let older = await #expect(throws: NotReady.self) { try await DatabaseSchema.check(pool) }
            #expect(older?.description.contains("this program's of \(DatabaseSchema.version)") == true)
            try await DatabaseSchema.migrate(pool)
            try await DatabaseSchema.check(pool)
            try await pool.execute(
                """
                INSERT INTO errata_migrations (version, name, checksum)
                VALUES (\(DatabaseSchema.version + 1), 'planted', '')
                """
            )
            let newer = await #expect(throws: NotReady.self) { try await DatabaseSchema.check(pool) }
            #expect(newer?.description.contains("the program is older") == true)
        }
    }

    @Test("the outbox, the dead letters and the parked messages are counted as they fill and empty")
    func delivery() async throws {
        try await TestDatabase.withPool { pool in
            func samples() async throws -> [MetricSample] {
                try await pool.withTransaction(readOnly: true) { try await DatabaseFigures.delivery(in: $0) }
            }
            let idle = try await samples()
            #expect(idle == [MetricSample(.outboxUnpublished, 0), MetricSample(.outboxOldestAge, 0)])
            for (id, state) in [("a", "unpublished"), ("b", "unpublished"), ("c", "published"), ("d", "refused")] {
                try await pool.execute(
                    """
                    INSERT INTO outbox (event_id, topic, key, type, source, time, payload, created_at, published_at,
                                        refused_at)
                    VALUES (\(id), 't', 'k', 'y', 's', now(), '{}', now() - interval '100 s',
                            CASE WHEN \(state) = 'published' THEN now() END,
                            CASE WHEN \(state) = 'refused' THEN now() END)
                    """
                )
            }
            for (id, isReplayed) in [("x", false), ("y", true)] {
                try await pool.execute(
                    """
                    INSERT INTO dead_letters (id, consumer, topic, partition, "offset", headers, cause_code,
                                              cause_message, attempts, replayed_at)
                    VALUES (\(id), 'tested', 't', 0, 1, '[]', 'planted', '', 1, CASE WHEN \(isReplayed) THEN now() END)
                    """
                )
            }
            try await pool.execute(
                """
                INSERT INTO parked_messages (consumer, topic, partition, "offset", headers, first_seen, parked_at, tries,
                                             next_try, reason)
                VALUES ('tested', 't', 0, 1, '[]', now(), now() - interval '300 s', 1, now(), 'planted')
                """
            )
            for _ in 0..<2 {
                try await pool.execute(
                    """
                    INSERT INTO parked_messages (consumer, topic, partition, "offset", headers, parked_at, tries, next_try,
                                                 reason, on_arrival)
                    VALUES ('tested', 't', 0, 2, '[]', now() - interval '100 s', 0, now(), 'planted', true)
                    """
                )
            }
            let full = try await samples()
            let stored = full.filter { [.storedMessages, .storedOldestAge].contains($0.name) }
            #expect(stored.first == MetricSample(.storedMessages, 2, ["consumer": "tested"]))
            #expect((100..<200).contains(stored.last?.value ?? 0))
            #expect(
                full.filter { $0.name == .parkedMessages } == [MetricSample(.parkedMessages, 1, ["consumer": "tested"])]
            )
            #expect((300..<400).contains(full.first { $0.name == .parkedOldestAge }?.value ?? 0))
            #expect(full.contains(MetricSample(.outboxUnpublished, 2)))
            let age = full.first { $0.name == .outboxOldestAge }?.value ?? 0
            #expect((100..<200).contains(age))
            let letters = full.filter { $0.name == .deadLetters }
            #expect(letters == [MetricSample(.deadLetters, 1, ["consumer": "tested", "cause": "planted"])])
        }
    }

    @Test("what the teacher cost is the sum of the days, and each kind of pause is counted")
    func teacher() async throws {
        try await TestDatabase.withPool { pool in
            try await pool.execute(
                """
                INSERT INTO teacher_spending (scope, calls, tokens, cost)
                VALUES ('day:2026-01-01', 2, 30, 0.5), ('day:2026-01-02', 3, 40, 0.25), ('run:r', 3, 40, 0.25)
                """
            )
            try await pool.execute(
                """
                INSERT INTO teacher_pauses (server, reason, since)
                VALUES ('http://a:1', 'away', now() - interval '60 s'), ('run:a', 'spent', now()), ('run:b', 'spent', now())
                """
            )
            let samples = try await pool.withTransaction { try await DatabaseFigures.teacher(in: $0) }
            let expected: [MetricSample] = [
                MetricSample(.teacherLedgerCalls, 5), MetricSample(.teacherLedgerTokens, 70),
                MetricSample(.teacherLedgerCost, 0.75), MetricSample(.teacherPauses, 1, ["kind": "server"]),
                MetricSample(.teacherPauses, 0, ["kind": "budget"]), MetricSample(.teacherPauses, 2, ["kind": "run"]),
                MetricSample(.teacherOldestPauseAge, 0, ["kind": "budget"]),
            ]
            for sample in expected { #expect(samples.contains(sample), "\(sample)") }
            let age = samples.first { $0.name == .teacherOldestPauseAge && $0.labels["kind"] == "server" }?.value ?? 0
            #expect(age >= 60)
        }
    }

    @Test("stages and evaluations count while their run is active, and a score is told with its student")
    func runs() async throws {
        try await TestDatabase.withPool { pool in
            for (run, state) in [("r1", "active"), ("r2", "cancelled")] {
                try await pool.execute(
                    """
                    INSERT INTO runs (id, name, dataset, body, state, ended_at)
                    VALUES (\(run), 'n', 'd', '{"student": {"modelHash": "0123456789abcdef"}}', \(state),
                            CASE WHEN \(state) = 'cancelled' THEN now() - interval '2 days' END)
                    """
                )
                for (stage, state) in [("a", "waiting"), ("b", "waiting"), ("c", "running"), ("e", "done")] {
                    try await pool.execute(
                        "INSERT INTO training_jobs (run_id, stage, state) VALUES (\(run), \(stage), \(state))"
                    )
                }
                try await pool.execute(
                    "INSERT INTO evaluation_jobs (id, run_id, checkpoint_id, state) VALUES (\(run), \(run), 'c', 'open')"
                )
                try await pool.execute(
                    """
                    INSERT INTO evaluations (id, run_id, checkpoint_id, stage, suite, problems, correct, body)
                    VALUES (\(run), \(run), \(run), 'a', 's', 8, 6, '{}')
                    """
                )
            }
            let samples = try await pool.withTransaction {
                try await DatabaseFigures.training(in: $0) + DatabaseFigures.evaluation(in: $0)
            }
            let expected: [MetricSample] = [
                MetricSample(.trainingJobs, 2, ["state": "waiting"]),
                MetricSample(.trainingJobs, 1, ["state": "running"]),
                MetricSample(.trainingJobs, 0, ["state": "failed"]),
                MetricSample(.evaluationJobs, 0, ["state": "waiting"]),
                MetricSample(.evaluationJobs, 1, ["state": "open"]),
            ]
            for sample in expected { #expect(samples.contains(sample), "\(sample)") }
            let labels = ["run": "r1", "round": "1", "stage": "a", "suite": "s", "student": "0123456789ab"]
            #expect(samples.filter { $0.name == .evaluationScore } == [MetricSample(.evaluationScore, 0.75, labels)])
        }
    }

    @Test("a broker that does not answer and topics that are missing are told apart, and asked for once")
    func broker() async throws {
        let asked = Mutex(0)
        let away = BrokerContact(servers: "nowhere:9092", freshFor: .seconds(3600)) {
            asked.withLock { $0 += 1 }
            throw PlantedError()
        }
        let broker = await #expect(throws: NotReady.self) { try await away.checkBroker() }
        #expect(broker?.description == "no broker at nowhere:9092 answers: PlantedError()")
        let topics = await #expect(throws: NotReady.self) { try await away.checkTopics(["t"]) }
        #expect(topics?.description == "not known, as no broker answers")
        #expect(asked.withLock { $0 } == 1)

        let embedded = try EmbeddedBroker(topics: ["there": 1])
        defer { embedded.stop() }
        let producer = try KafkaProducer(embedded.configuration)
        let contact = BrokerContact(servers: embedded.bootstrapServers, freshFor: .zero) {
            try await producer.metadata()
        }
        try await contact.checkBroker()
        try await contact.checkTopics(["there"])
        let missing = await #expect(throws: NotReady.self) { try await contact.checkTopics(["there", "gone"]) }
        #expect(missing?.description == "the broker lacks gone; `errata migrate` makes the topics")
        await producer.close()
    }
}
