import Foundation
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceLifecycle
import Synchronization
import TestSupport

@testable import ServiceRuntime

let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

/// Runs services while the body runs, then shuts them down gracefully; at once when the body throws.
func withServices<Value: Sendable>(
    _ services: [any Service],
    _ body: () async throws -> Value
) async throws -> Value {
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(services: services.map { .init(service: $0) }, logger: quiet)
    )
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        do {
            let value = try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return value
        } catch {
            tasks.cancelAll()
            throw error
        }
    }
}

/// A processor that runs a closure.
struct ClosureProcessor: EventProcessor {
    var consumerName = "tested"
    var topics: [Topic] = [.problems]
    var batchLimit = 1
    /// Which events are stored first; nil: none is.
    var stores: (@Sendable (ReceivedEvent) -> Bool)?
    /// What is done with the events of a batch before each is worked on.
    var prepares: (@Sendable ([ReceivedEvent]) async throws -> Void)?
    /// The ids of the events that it was prepared for.
    var prepared: Set<String> = []
    let body: @Sendable (ReceivedEvent) async throws -> Effects

    var storesFirst: Bool { stores != nil }
    func isStoredFirst(_ event: ReceivedEvent) -> Bool { stores?(event) ?? false }

    func prepared(for events: [ReceivedEvent]) async throws -> ClosureProcessor {
        guard let prepares else { return self }
        try await prepares(events)
        var copy = self
        copy.prepared = Set(events.map(\.id))
        return copy
    }

    func process(_ event: ReceivedEvent) async throws -> Effects {
        var effects = try await body(event)
        if prepared.contains(event.id) { effects.changes.append(PreparedRow(event: event.id)) }
        return effects
    }
}

/// Rows of the table `prepared`: each an event, with the number of those that were written with it.
struct PreparedRow: BatchedChange {
    let event: String

    static func make(_ rows: [PreparedRow], in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            "INSERT INTO prepared (event_id, beside) SELECT id, \(rows.count) FROM unnest(\(rows.map(\.event))) AS id"
        )
    }
}

/// A counter by name that tasks share.
final class Tally: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    @discardableResult
    func add(_ name: String) -> Int {
        counts.withLock { counts in
            counts[name, default: 0] += 1
            return counts[name, default: 0]
        }
    }

    subscript(name: String) -> Int { counts.withLock { $0[name, default: 0] } }
    var names: Set<String> { counts.withLock { Set($0.keys) } }
}

/// A broker, a database with a table that shows every effect, and a producer.
struct DeliveryBench: Sendable {
    let pool: PostgresPool
    let broker: EmbeddedBroker
    let producer: KafkaProducer

    static func with<Value>(partitions: Int, _ body: (DeliveryBench) async throws -> Value) async throws -> Value {
        try await TestDatabase.withPool { pool in
            // No constraint: an effect that happens twice is two rows.
            try await pool.execute(
                """
                CREATE TABLE effects (
                    sequence bigint GENERATED ALWAYS AS IDENTITY, event_id text, key text NOT NULL, worker text
                )
                """
            )
            let broker = try EmbeddedBroker(topics: [
                Topic.problems.rawValue: partitions, Topic.attempts.rawValue: 1, Topic.deadLetters.rawValue: 1,
            ])
            defer { broker.stop() }
            var configuration = broker.configuration
            configuration.settings["message.max.bytes"] = "3000000"
            let producer = try KafkaProducer(configuration)
            do {
                let value = try await body(DeliveryBench(pool: pool, broker: broker, producer: producer))
                await producer.close()
                return value
            } catch {
                await producer.close(timeout: .zero)
                throw error
            }
        }
    }

    func worker(
        concurrency: Int = 16,
        batch: Int = 1,
        _ body: @escaping @Sendable (ReceivedEvent) async throws -> Effects
    ) -> EffectsWorker<ClosureProcessor> {
        EffectsWorker(
            processor: ClosureProcessor(batchLimit: batch, body: body),
            pool: pool,
            kafka: broker.configuration,
            logger: quiet,
            concurrency: concurrency,
            backoff: Backoff(base: .milliseconds(2), cap: .milliseconds(20)),
            // What waits stays in memory, however slow the machine is.
            parking: ParkingPolicy(patience: .seconds(3600))
        )
    }

    var relay: OutboxRelay {
        OutboxRelay(pool: pool, producer: producer, logger: quiet, pollInterval: .milliseconds(10))
    }

    func count(_ table: String) async throws -> Int {
        try await pool.value("SELECT count(*) FROM \(identifier: table)", as: Int.self)
    }

    func effects(column: String = "event_id") async throws -> [String] {
        try await pool.values("SELECT \(identifier: column) FROM effects ORDER BY sequence", as: String.self)
    }

    /// Sends problems by id, each under its id or a key of its own.
    func send(_ problems: [(id: String, key: String)], partition: Int32? = nil) async throws {
        _ = try await producer.send(
            try problems.map { problem in
                var record = try OutgoingEvent(
                    ProblemEvent(id: problem.id, dataset: "d", split: .train, question: "1+1?", answer: "2"),
                    source: "/test",
                    time: Date(timeIntervalSince1970: 1_700_000_000)
                ).record()
                record.key = Data(problem.key.utf8)
                record.partition = partition
                return record
            }
        )
    }

    /// How far the worker's group is behind, over all partitions of the problems.
    func lag() async throws -> Int64 {
        try await KafkaAdmin(broker.configuration, logger: quiet)
            .lag(group: "tested", topics: [Topic.problems.rawValue]).values.reduce(0, +)
    }

    /// Everything on a topic, by partition and offset.
    func messages(of topic: Topic) async throws -> [KafkaMessage] {
        let reader = try await KafkaReader(
            broker.configuration,
            topics: [topic.rawValue],
            stopAtEnd: true,
            logger: quiet
        )
        var messages: [KafkaMessage] = []
        for try await batch in reader.batches { messages += batch }
        await reader.close()
        return messages.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }

    /// The message of a problem, as it comes from partition 0.
    static func message(
        _ id: String,
        key: String?,
        offset: Int64 = 0,
        sentAt: Date? = nil
    ) throws -> KafkaMessage {
        let record = try OutgoingEvent(
            ProblemEvent(id: id, dataset: "d", split: .train, question: "1+1?", answer: "2"),
            source: "/test",
            time: Date(timeIntervalSince1970: 1_700_000_000)
        ).record()
        return KafkaMessage(
            topic: record.topic,
            partition: 0,
            offset: offset,
            key: key.map { Data($0.utf8) },
            value: record.value,
            headers: record.headers,
            timestamp: sentAt ?? record.timestamp
        )
    }

    /// An effect of one row, and an event that follows from it.
    static func effects(of event: ReceivedEvent, key: String? = nil, worker: String = "one") throws -> Effects {
        let problem: ProblemEvent = try event.decode()
        let key = key ?? problem.id
        return Effects(events: [try attempt(at: problem.id, cause: event.id)]) { transaction in
            try await transaction.execute(
                "INSERT INTO effects (event_id, key, worker) VALUES (\(event.id), \(key), \(worker))"
            )
        }
    }

    static func attempt(at problem: String, cause: String, output: String = "2") throws -> OutgoingEvent {
        try OutgoingEvent(
            AttemptEvent(
                id: DeterministicID.make(cause: cause, parts: "attempt"),
                runId: "r-1",
                checkpointId: "c-1",
                problemId: problem,
                sample: 0,
                output: output,
                correct: true,
                promptFormat: "plain"
            ),
            source: "/errata/tested",
            time: Date(timeIntervalSince1970: 1_700_000_000.25)
        )
    }
}

extension DeadLetters {
    /// Sends one dead letter to its topic again.
    ///
    /// - Returns: `false` when there is no such dead letter.
    /// - Throws: why it was not sent.
    static func replay(
        id: String,
        body: Data? = nil,
        from pool: PostgresPool,
        through producer: KafkaProducer
    ) async throws -> Bool {
        let outcomes = try await replay([id], body: body, from: pool, through: producer)
        guard let outcome = outcomes.first else { return false }
        if let error = outcome.error { throw error }
        return true
    }
}
