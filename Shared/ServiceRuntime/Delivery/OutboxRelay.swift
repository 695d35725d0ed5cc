import FaultPoints
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
/// A crash between sending and marking sends rows again: their event ids are the same, so consumers recognise them. An
/// orderly stop sends none again: the batch in flight is finished and marked first, unless the broker takes longer than
/// the process is given.
///
/// A row that the broker refuses for good, such as one that is too large for the topic, is set aside among the dead
/// letters with the reason, and those behind it go on. `errata dead-letters replay` sends it again. A topic that takes
/// nothing for now (it is missing, say) rests for a while, up to a minute, and the others go on. What was delivered
/// behind a failed row of its key, or before one that went alone at a second try, is sent again behind it: consumers drop
/// what comes twice, and nothing mends an order that was broken.
public struct OutboxRelay: Service {
    private let pool: PostgresPool
    private let producer: KafkaProducer
    private let logger: Logger
    private let batch: Int
    private let batchBytes: Int
    private let pollInterval: Duration

    /// The advisory lock that the publishing relay holds ("errata" in ASCII).
    private static let lock: Int64 = 0x6572_7261_7461

    /// Creates a relay.
    ///
    /// Arguments:
    ///   - producer: renewed when a fatal error ends it.
    ///   - batch: the most rows published at a time.
    ///   - batchBytes: the bytes of events with which a batch is full; 8 MiB by default.
    ///   - pollInterval: how long a relay waits when the outbox is empty or another relay is publishing.
    public init(
        pool: PostgresPool,
        producer: KafkaProducer,
        logger: Logger,
        batch: Int = 500,
        batchBytes: Int = 8 << 20,
        pollInterval: Duration = .milliseconds(100)
    ) {
        self.pool = pool
        self.producer = producer
        self.logger = logger
        self.batch = batch
        self.batchBytes = batchBytes
        self.pollInterval = pollInterval
    }

    /// Publishes until graceful shutdown, at which it finishes the batch in flight.
    ///
    /// What is then unpublished stays in the outbox for the next relay.
    ///
    /// - Throws: ``ConfigurationError`` when the database ends transactions that wait before the producer gives up.
    public func run() async throws {
        var rests = TopicRests()
        var failures = 0
        var isChecked = false
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let wait: Duration
            do {
                if !isChecked {
                    try await checkTimes()
                    isChecked = true
                }
                let published = try await publish(except: rests.topics(at: .now))
                failures = 0
                note(published, in: &rests)
                wait = published.isFull && published.failures.isEmpty ? .zero : pollInterval
            } catch is CancellationError {
                return
            } catch let error as ConfigurationError {
                throw error
            } catch {
                failures += 1
                logger.warning(
                    "outbox relay will retry",
                    metadata: ["error": "\(error)", "failures": "\(failures)"]
                )
                wait = Backoff().delay(afterFailure: failures)
            }
            guard wait > .zero else { continue }
            // Only the waiting ends at shutdown.
            guard (try? await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }) != nil else { return }
        }
    }

    /// The settings of a relay's producer: it waits for a broker for a minute at most unless they say otherwise, because it
    /// does so in a transaction, and an old transaction keeps the database from clearing up.
    static func configuration(_ kafka: KafkaConfiguration) -> KafkaConfiguration {
        guard kafka.settings["delivery.timeout.ms"] == nil, kafka.settings["message.timeout.ms"] == nil else {
            return kafka
        }
        var kafka = kafka
        kafka.settings["delivery.timeout.ms"] = "60000"
        return kafka
    }

    /// Checks that the database lets a transaction wait for as long as a batch may take.
    private func checkTimes() async throws {
        let milliseconds = try await pool.value(
            "SELECT setting::bigint FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'",
            as: Int.self
        )
        guard milliseconds > 0 else { return }
        // A batch, and what was refused in it alone.
        let longest = producer.deliveryTimeout.map { $0 * 2 }
        if let longest, longest < .milliseconds(milliseconds) { return }
        let wait = longest.map { "for \($0 / .milliseconds(1)) ms, twice that time" } ?? "for ever, as it is 0"
        throw ConfigurationError(
            "delivery.timeout.ms in ERRATA_KAFKA_SETTINGS: events are sent in a transaction, which may wait \(wait), and "
                + "the database ends one that waits for \(milliseconds) ms (idle_in_transaction_session_timeout); lower the "
                + "one or raise the other"
        )
    }

    /// Rests the topics that took nothing, or renews the producer where that is the cause.
    private func note(_ published: Published, in rests: inout TopicRests) {
        if let error = producer.fatalError {
            do {
                try producer.renew()
                logger.warning("producer renewed after a fatal error", metadata: ["error": "\(error)"])
            } catch {
                logger.error("producer not renewed yet", metadata: ["error": "\(error)"])
            }
            return
        }
        for topic in published.topics where published.failures[topic] == nil { rests.succeeded(topic) }
        for (topic, error) in published.failures.sorted(by: { $0.key < $1.key }) {
            let failures = rests.failed(topic, at: .now)
            logger.warning(
                "events not published yet",
                metadata: ["topic": "\(topic)", "error": "\(error)", "failures": "\(failures)"]
            )
        }
    }

    /// Publishes at most one batch.
    ///
    /// The rows are marked in the transaction that holds the lock, so that no other relay sends them meanwhile.
    ///
    /// - Returns: the number of rows that were published or set aside.
    /// - Throws: an error of a row that was not sent, after those that were are marked.
    public func publishBatch() async throws -> Int {
        let published = try await publish(except: [])
        if let failure = published.failures.min(by: { $0.key < $1.key }) { throw failure.value }
        return published.rows
    }

    /// What became of a batch.
    private struct Published: Sendable {
        /// The rows that were looked at.
        var rows = 0
        /// Whether more may stand behind them.
        var isFull = false
        /// Their topics.
        var topics: Set<String> = []
        /// The topics of which a row was not taken and may be later, each with its first error.
        var failures: [String: KafkaError] = [:]
    }

    private func publish(except resting: [String]) async throws -> Published {
        try await pool.withTransaction { transaction in
            let locked = try await transaction.query("SELECT pg_try_advisory_xact_lock(\(Self.lock)) AS locked")
            guard try locked.first?.get("locked", as: Bool.self) == true else { return Published() }
            let rows = try await transaction.query(
                """
                SELECT * FROM (
                    SELECT waiting.*, sum(octet_length(payload)) OVER (ORDER BY sequence) AS bytes FROM (
                        SELECT sequence, event_id, topic, key, type, source, subject, time, payload, trace_context
                        FROM outbox
                        WHERE published_at IS NULL AND refused_at IS NULL AND topic <> ALL(\(resting))
                        ORDER BY sequence LIMIT \(batch)
                    ) AS waiting
                ) AS measured
                WHERE bytes - octet_length(payload) < \(batchBytes) ORDER BY sequence
                """
            )
            guard let last = rows.last else { return Published() }
            let bytes = try last.get("bytes", as: Int.self)
            var sequences: [Int64] = []
            var records: [KafkaRecord] = []
            var spans = PublishSpans()
            for row in rows {
                sequences.append(try row.get("sequence", as: Int64.self))
                let (record, attributes) = try record(of: row)
                records.append(record)
                spans.add(attributes, topic: record.topic)
            }
            try FaultPoint.relayRead.reach()
            let sent = try await send(records)
            spans.end(delivered: sent.delivered)
            try FaultPoint.relaySent.reach()
            for (index, error) in sent.refused.sorted(by: { $0.key < $1.key }) {
                try await setAside(records[index], sequence: sequences[index], error: error, in: transaction)
            }
            let published = sent.delivered.map { sequences[$0] }
            try await transaction.execute("UPDATE outbox SET published_at = now() WHERE sequence = ANY(\(published))")
            return Published(
                rows: rows.count,
                isFull: rows.count >= batch || bytes >= batchBytes,
                topics: Set(records.map(\.topic)),
                failures: sent.failures
            )
        }
    }

    // MARK: Sending

    /// What became of records, by index.
    private struct Sent {
        /// Those that were delivered, with all before them of their topic and key.
        var delivered: [Int] = []
        /// Those that are refused for good.
        var refused: [Int: KafkaError] = [:]
        /// The topics of which another try may be taken, each with its first error.
        var failures: [String: KafkaError] = [:]
    }

    /// What keeps records in order.
    private struct Line: Hashable {
        let topic: String
        let key: Data?
    }

    private func send(_ records: [KafkaRecord]) async throws -> Sent {
        var sent = Sent()
        var suspects: [Int] = []
        // The first record of a line that is still to be sent.
        var broken: [Line: Int] = [:]
        func line(_ index: Int) -> Line { Line(topic: records[index].topic, key: records[index].key) }
        func hold(_ index: Int) { broken[line(index)] = min(broken[line(index)] ?? index, index) }
        func note(_ index: Int, _ result: Result<DeliveryReport, KafkaError>, isAlone: Bool) {
            switch result {
            case .success: sent.delivered.append(index)
            case .failure(let error) where error.refusesRecord && !isAlone:
                suspects.append(index)
            case .failure(let error) where error.refusesRecord:
                sent.refused[index] = error
            case .failure(let error):
                hold(index)
                let topic = records[index].topic
                if sent.failures[topic] == nil { sent.failures[topic] = error }
            }
        }
        for (index, result) in try await producer.deliver(records).enumerated() {
            note(index, result, isAlone: false)
        }
        // A broker refuses a whole batch for one record in it: sent alone, each shows whether it was that one.
        var isAway = false
        let early = Set(sent.delivered)
        for index in suspects {
            // Where the broker is away, it is not waited for once more with each of them.
            guard !isAway, broken[line(index)] == nil else {
                hold(index)
                continue
            }
            for result in try await producer.deliver([records[index]]) {
                note(index, result, isAlone: true)
                if case .failure(let error) = result, !error.refusesRecord { isAway = true }
                // Those of its line that were faster, and what is behind them, go again with the next batch.
                let again = early.filter { $0 > index && line($0) == line(index) }
                guard case .success = result, let next = again.min() else { continue }
                hold(next)
                sent.delivered.removeAll { again.contains($0) }
            }
        }
        sent.delivered.removeAll { index in broken[line(index)].map { $0 < index } ?? false }
        return sent
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
        Counter(label: MetricName.outboxRefused.rawValue, dimensions: [("topic", record.topic)]).increment()
        logger.error(
            "event refused by the broker and set aside",
            metadata: [
                "topic": "\(record.topic)", "sequence": "\(sequence)", "error": "\(error)",
                "cure": "errata dead-letters replay \(id)",
            ]
        )
    }

    private func record(of row: Row) throws -> (KafkaRecord, CloudEvent) {
        let type = try row.get("type", as: String.self)
        let attributes = CloudEvent(
            id: try row.get("event_id", as: String.self),
            source: try row.get("source", as: String.self),
            type: type,
            time: try row.get("time", as: Date.self),
            subject: try row.get("subject", as: String?.self),
            dataschema: EventType(rawValue: type)?.schemaIdentifier,
            trace: try row.traceContext()
        )
        let record = KafkaRecord(
            topic: try row.get("topic", as: String.self),
            key: Data(try row.get("key", as: String.self).utf8),
            value: Data(try row.get("payload", as: String.self).utf8),
            headers: try attributes.headers().map { KafkaHeader(key: $0.0, value: $0.1) }
        )
        return (record, attributes)
    }
}
