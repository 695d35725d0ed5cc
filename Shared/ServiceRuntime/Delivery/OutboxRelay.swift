import Foundation
public import KafkaClient
public import Logging
import Metrics
public import PostgresClient
import Schemas
public import ServiceLifecycle

/// Publishes the rows of the outbox in order, with an idempotent producer, and marks them.
///
/// Every service runs one; an advisory lock lets one at a time publish, and the next takes over when that process dies.
/// A crash between sending and marking sends rows again: their event ids are the same, so consumers recognise them.
///
/// A row that the broker refuses for good, such as one that is too large for the topic, is set aside among the dead
/// letters with the reason, and those behind it go on. `errata dead-letters replay` sends it again.
public struct OutboxRelay: Service {
    private let pool: PostgresPool
    private let producer: KafkaProducer
    private let logger: Logger
    private let batch: Int
    private let pollInterval: Duration

    /// The advisory lock that the publishing relay holds ("errata" in ASCII).
    private static let lock: Int64 = 0x6572_7261_7461

    /// Creates a relay.
    ///
    /// Arguments:
    ///   - batch: the most rows published at a time.
    ///   - pollInterval: how long a relay waits when the outbox is empty or another relay is publishing.
    public init(
        pool: PostgresPool,
        producer: KafkaProducer,
        logger: Logger,
        batch: Int = 500,
        pollInterval: Duration = .milliseconds(100)
    ) {
        self.pool = pool
        self.producer = producer
        self.logger = logger
        self.batch = batch
        self.pollInterval = pollInterval
    }

    /// Publishes until graceful shutdown.
    ///
    /// What is then unpublished stays in the outbox for the next relay.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    let published = try await publishBatch()
                    failures = 0
                    if published < batch { try await Task.sleep(for: pollInterval) }
                } catch is CancellationError {
                    return
                } catch {
                    failures += 1
                    logger.warning(
                        "outbox relay will retry",
                        metadata: ["error": "\(error)", "failures": "\(failures)"]
                    )
                    try? await Backoff().wait(afterFailure: failures)
                }
            }
        }
    }

    /// Publishes at most one batch.
    ///
    /// The rows are marked in the transaction that holds the lock, so that no other relay sends them meanwhile.
    ///
    /// - Returns: the number of rows that were published or set aside.
    public func publishBatch() async throws -> Int {
        try await pool.withTransaction { transaction in
            let locked = try await transaction.query("SELECT pg_try_advisory_xact_lock(\(Self.lock)) AS locked")
            guard try locked.first?.get("locked", as: Bool.self) == true else { return 0 }
            let rows = try await transaction.query(
                """
                SELECT sequence, event_id, topic, key, type, source, subject, time, payload FROM outbox
                WHERE published_at IS NULL AND refused_at IS NULL ORDER BY sequence LIMIT \(batch)
                """
            )
            guard !rows.isEmpty else { return 0 }
            var sequences: [Int64] = []
            var records: [KafkaRecord] = []
            for row in rows {
                sequences.append(try row.get("sequence", as: Int64.self))
                records.append(try record(of: row))
            }
            let refused = try await publish(records)
            for (index, error) in refused.sorted(by: { $0.key < $1.key }) {
                try await setAside(records[index], sequence: sequences[index], error: error, in: transaction)
            }
            let published = sequences.indices.filter { refused[$0] == nil }.map { sequences[$0] }
            try await transaction.execute("UPDATE outbox SET published_at = now() WHERE sequence = ANY(\(published))")
            return rows.count
        }
    }

    /// Sends records.
    ///
    /// - Returns: those that are refused for good, by index.
    /// - Throws: the first error that another try may not meet; then nothing counts as sent.
    private func publish(_ records: [KafkaRecord]) async throws -> [Int: KafkaError] {
        var suspects: [Int] = []
        for (index, result) in try await producer.deliver(records).enumerated() {
            guard case .failure(let error) = result else { continue }
            guard error.refusesRecord else { throw error }
            suspects.append(index)
        }
        // A broker refuses a whole batch for one record in it: sent alone, each shows whether it was that one.
        var refused: [Int: KafkaError] = [:]
        for index in suspects {
            do {
                _ = try await producer.send(records[index])
            } catch let error as KafkaError where error.refusesRecord {
                refused[index] = error
            }
        }
        return refused
    }

    private func setAside(
        _ record: KafkaRecord,
        sequence: Int64,
        error: KafkaError,
        in transaction: PostgresTransaction
    ) async throws {
        let id = try await DeadLetters.add(
            record,
            sequence: sequence,
            failure: PermanentFailure(
                code: "refused-by-broker",
                message: "\(error) (record of \(record.largestSize) bytes)"
            ),
            in: transaction
        )
        try await transaction.execute("UPDATE outbox SET refused_at = now() WHERE sequence = \(sequence)")
        Counter(label: "errata_outbox_refused_total", dimensions: [("topic", record.topic)]).increment()
        logger.error(
            "event refused by the broker and set aside",
            metadata: [
                "topic": "\(record.topic)", "sequence": "\(sequence)", "error": "\(error)",
                "cure": "errata dead-letters replay \(id)",
            ]
        )
    }

    private func record(of row: Row) throws -> KafkaRecord {
        let type = try row.get("type", as: String.self)
        let attributes = CloudEvent(
            id: try row.get("event_id", as: String.self),
            source: try row.get("source", as: String.self),
            type: type,
            time: try row.get("time", as: Date.self),
            subject: try row.get("subject", as: String?.self),
            dataschema: EventType(rawValue: type)?.schemaIdentifier
        )
        return KafkaRecord(
            topic: try row.get("topic", as: String.self),
            key: Data(try row.get("key", as: String.self).utf8),
            value: Data(try row.get("payload", as: String.self).utf8),
            headers: try attributes.headers().map { KafkaHeader(key: $0.0, value: $0.1) }
        )
    }
}
