import Foundation
public import KafkaClient
public import Logging
public import PostgresClient
import Schemas
public import ServiceLifecycle

/// Publishes the rows of the outbox in order, with an idempotent producer, and marks them.
///
/// Every service runs one; an advisory lock lets one at a time publish, and the next takes over when that process dies.
/// A crash between sending and marking sends rows again: their event ids are the same, so consumers recognise them.
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
    /// - Returns: the number of rows published.
    public func publishBatch() async throws -> Int {
        try await pool.withTransaction { transaction in
            let locked = try await transaction.query("SELECT pg_try_advisory_xact_lock(\(Self.lock)) AS locked")
            guard try locked.first?.get("locked", as: Bool.self) == true else { return 0 }
            let rows = try await transaction.query(
                """
                SELECT sequence, event_id, topic, key, type, source, subject, time, payload FROM outbox
                WHERE published_at IS NULL ORDER BY sequence LIMIT \(batch)
                """
            )
            guard !rows.isEmpty else { return 0 }
            var sequences: [Int64] = []
            var records: [KafkaRecord] = []
            for row in rows {
                sequences.append(try row.get("sequence", as: Int64.self))
                records.append(try record(of: row))
            }
            _ = try await producer.send(records)
            try await transaction.execute("UPDATE outbox SET published_at = now() WHERE sequence = ANY(\(sequences))")
            return rows.count
        }
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
