import Foundation
public import KafkaClient
public import Logging
import Metrics
public import PostgresClient
import Schemas
public import ServiceLifecycle
import Synchronization

/// Consumes the topics of an ``EventProcessor`` and makes the effects of each message happen exactly once.
///
/// For each message one transaction holds the inbox row, the effects and the outbox rows; the offset is committed after
/// it. Messages of one key are processed in order, different keys concurrently. A transient failure is retried for as
/// long as it lasts while other keys go on, until the messages that wait behind it fill the worker's bounded memory; a
/// permanent one goes to the dead letters. On graceful shutdown the work in progress is finished, its offsets are
/// committed and the group is left; what waits for its turn or its next try is given up and comes again.
public struct EffectsWorker<Processor: EventProcessor>: Service {
    private let processor: Processor
    private let pool: PostgresPool
    private let kafka: KafkaConfiguration
    private let logger: Logger
    private let concurrency: Int
    private let backoff: Backoff

    /// Creates a worker.
    ///
    /// Arguments:
    ///   - concurrency: the number of messages, each of another key, that are worked on at the same time; eight times
    ///     as many are held in memory.
    ///   - backoff: the waits between tries of a message that fails transiently.
    public init(
        processor: Processor,
        pool: PostgresPool,
        kafka: KafkaConfiguration,
        logger: Logger,
        concurrency: Int = 16,
        backoff: Backoff = Backoff()
    ) {
        self.processor = processor
        self.pool = pool
        self.kafka = kafka
        self.logger = logger
        self.concurrency = max(1, concurrency)
        self.backoff = backoff
    }

    /// Consumes until graceful shutdown.
    public func run() async throws {
        let consumer = try KafkaConsumer(
            kafka,
            group: processor.consumerName,
            topics: processor.topics.map(\.rawValue),
            logger: logger
        )
        let progress = Progress()
        let background = Task {
            await withDiscardingTaskGroup { background in
                background.addTask { await commitRegularly(consumer, progress: progress) }
                background.addTask { await follow(consumer.rebalances, progress: progress) }
            }
        }
        let failure: (any Error)?
        do {
            try await consume(consumer, progress: progress)
            failure = nil
        } catch {
            failure = error
        }
        background.cancel()
        // A regular commit may be on its way with the last offsets; it gives them back, for the last one to await.
        await background.value
        await commitLast(consumer, progress: progress)
        await consumer.close()
        if let failure, !(failure is CancellationError) { throw failure }
    }

    private func consume(_ consumer: KafkaConsumer, progress: Progress) async throws {
        let lanes = KeyedLanes()
        // Bounds the messages in memory: the consumer is not asked for more while this many wait or work.
        let room = SlotLimiter(limit: concurrency * 8)
        // Bounds the work; a message that waits for its next try holds none of these.
        let work = SlotLimiter(limit: concurrency)
        let (opened, lane) = AsyncStream.makeStream(of: KeyedLanes.Lane.self)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                defer { lane.finish() }
                // Only the reading stops at shutdown: what is in flight is finished and committed by a member of the
                // group that is still in it.
                try await cancelWhenGracefulShutdown {
                    try await read(consumer, room: room, progress: progress) { message in
                        if let new = lanes.add(message) { lane.yield(new) }
                    }
                }
            }
            for await lane in opened {
                group.addTask { await empty(lane, of: lanes, room: room, work: work, progress: progress) }
            }
        }
    }

    /// Settles the messages of one key, one after the other, until there is none or the worker ends.
    private func empty(
        _ lane: KeyedLanes.Lane,
        of lanes: KeyedLanes,
        room: SlotLimiter,
        work: SlotLimiter,
        progress: Progress
    ) async {
        while let message = lanes.next(of: lane) {
            // Given up at the end: nothing behind it may be done before it, so that the whole lane is left.
            guard await settle(message, work: work) else { return }
            progress.finished(message)
            room.release()
        }
    }

    private func follow(_ rebalances: AsyncStream<KafkaRebalance>, progress: Progress) async {
        for await change in rebalances {
            switch change {
            case .assigned(let partitions): progress.assigned(partitions)
            case .revoked(let partitions), .lost(let partitions): progress.revoked(partitions)
            }
        }
    }

    private func read(
        _ consumer: KafkaConsumer,
        room: SlotLimiter,
        progress: Progress,
        deliver: (KafkaMessage) -> Void
    ) async throws {
        do {
            for try await batch in consumer.batches {
                for message in batch {
                    try await room.acquire()
                    try Task.checkCancellation()
                    progress.started(message)
                    deliver(message)
                }
            }
        } catch is CancellationError {
            return
        }
    }

    // MARK: One message

    /// Brings a message to its end: done, known already, or among the dead letters.
    ///
    /// - Returns: whether it is; not when the worker ends first. Work that has begun is ended only by cancellation,
    ///   waiting by graceful shutdown as well.
    private func settle(_ message: KafkaMessage, work: SlotLimiter) async -> Bool {
        var failures = 0
        let began = ContinuousClock.now
        do {
            while true {
                try await cancelWhenGracefulShutdown { try await work.acquire() }
                let trial: Trial
                do {
                    defer { work.release() }
                    if Task.isShuttingDownGracefully { return false }
                    trial = try await tryOnce(message, failuresBefore: failures, since: began)
                }
                switch trial {
                case .settled: return true
                case .failed:
                    failures += 1
                    let wait = failures
                    try await cancelWhenGracefulShutdown { try await backoff.wait(afterFailure: wait) }
                case .postponed(let wait):
                    try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
                }
            }
        } catch {
            return false
        }
    }

    private enum Trial {
        /// The message is at its end.
        case settled
        /// It is to be tried again, later each time.
        case failed
        /// It is to be tried again after a while.
        case postponed(Duration)
    }

    /// Tries a message once, whose first try was at `began`.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    private func tryOnce(
        _ message: KafkaMessage,
        failuresBefore failures: Int,
        since began: ContinuousClock.Instant
    ) async throws -> Trial {
        do {
            let outcome = try await attempt(message)
            count(outcome.rawValue, message)
            return .settled
        } catch let failure as PermanentFailure {
            return try await bury(message, failure: failure, attempts: failures + 1) ? .settled : .failed
        } catch let error as PostgresError where error.isDataError {
            let failure = PermanentFailure(code: "rejected-by-database", message: error.description)
            return try await bury(message, failure: failure, attempts: failures + 1) ? .settled : .failed
        } catch let postponement as Postponement {
            try Task.checkCancellation()
            if let end = postponement.end, began.duration(to: .now) >= end.patience {
                return try await bury(message, failure: end.failure, attempts: failures + 1) ? .settled : .failed
            }
            count("postponed", message)
            logger.debug(
                "message will be tried later",
                metadata: ["topic": "\(message.topic)", "reason": "\(postponement.reason)"]
            )
            return .postponed(postponement.wait)
        } catch {
            // A processor may end work of its own by cancellation; that is a failure like any other.
            try Task.checkCancellation()
            count("retried", message)
            logger.warning(
                "message will be retried",
                metadata: [
                    "topic": "\(message.topic)", "partition": "\(message.partition)",
                    "offset": "\(message.offset)", "failures": "\(failures + 1)", "error": "\(error)",
                ]
            )
            return .failed
        }
    }

    private enum Outcome: String {
        case processed
        case duplicate
        case passedOver = "passed_over"
    }

    private func attempt(_ message: KafkaMessage) async throws -> Outcome {
        guard let topic = Topic(rawValue: message.topic) else {
            throw PermanentFailure(code: "unknown-topic", message: "\(message.topic) is not one of Errata's topics")
        }
        let event = try EventReader.read(message, topic: topic)
        if let type = EventType(rawValue: event.attributes.type), !processor.reads(type) { return .passedOver }
        if try await isKnown(event) { return .duplicate }
        let effects = try await processor.process(event)
        return try await commit(effects, eventID: event.id, message: message, sizeLimit: kafka.recordSizeLimit)
    }

    private func isKnown(_ event: ReceivedEvent) async throws -> Bool {
        let rows = try await pool.query(
            "SELECT 1 AS known FROM inbox WHERE consumer = \(processor.consumerName) AND event_id = \(event.id)"
        )
        return !rows.isEmpty
    }

    private func commit(
        _ effects: Effects,
        eventID: String,
        message: KafkaMessage,
        sizeLimit: Int?
    ) async throws -> Outcome {
        let consumer = processor.consumerName
        return try await pool.withTransaction { transaction in
            let inserted = try await transaction.query(
                """
                INSERT INTO inbox (consumer, event_id, topic, partition, "offset")
                VALUES (\(consumer), \(eventID), \(message.topic), \(message.partition), \(message.offset))
                ON CONFLICT DO NOTHING RETURNING event_id
                """
            )
            guard !inserted.isEmpty else { return .duplicate }
            try await effects.apply(transaction)
            try await Outbox.enqueue(effects.events, sizeLimit: sizeLimit, in: transaction)
            return .processed
        }
    }

    /// Moves a message to the dead letters.
    ///
    /// Returns whether that is done.
    private func bury(_ message: KafkaMessage, failure: PermanentFailure, attempts: Int) async throws -> Bool {
        do {
            let effects = try DeadLetters.effects(
                of: message,
                consumer: processor.consumerName,
                failure: failure,
                attempts: attempts,
                at: Date()
            )
            // Not the event's own id: a mended message may come again under it.
            let id = "dead-letter:\(effects.events.first?.attributes.id ?? "")"
            // Without a limit: a dead letter that is itself too large must not keep the message from its end. The relay
            // sets aside what the broker refuses.
            _ = try await commit(effects, eventID: id, message: message, sizeLimit: nil)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            logger.error("dead letter not written yet", metadata: ["cause": "\(failure)", "error": "\(error)"])
            return false
        }
        count("dead_lettered", message)
        logger.error(
            "message moved to the dead letters",
            metadata: [
                "topic": "\(message.topic)", "partition": "\(message.partition)", "offset": "\(message.offset)",
                "code": "\(failure.code)", "cause": "\(failure.message)",
            ]
        )
        return true
    }

    private func count(_ outcome: String, _ message: KafkaMessage) {
        Counter(
            label: "errata_messages_total",
            dimensions: [("consumer", processor.consumerName), ("topic", message.topic), ("outcome", outcome)]
        ).increment()
    }

    // MARK: Offsets

    private func commitRegularly(_ consumer: KafkaConsumer, progress: Progress) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(250))
            await commit(consumer, progress: progress)
        }
    }

    /// Commits what is finished, and returns the error if that fails.
    ///
    /// A commit that fails is no loss: the next one covers it, or the messages come again and the inbox recognises
    /// them.
    @discardableResult
    private func commit(_ consumer: KafkaConsumer, progress: Progress) async -> (any Error)? {
        let offsets = progress.takeCommittable()
        guard !offsets.isEmpty else { return nil }
        do {
            try await consumer.commit(offsets)
            return nil
        } catch {
            progress.notCommitted(offsets)
            // Cancelled while the answer was awaited: nothing failed.
            if !(error is CancellationError) {
                logger.warning("offsets not committed", metadata: ["error": "\(error)"])
            }
            return error
        }
    }

    /// Commits before the group is left, again where it fails for a moment (a rebalance, a coordinator that moves).
    ///
    /// Bounded in tries and in time, so that a broker that is away does not hold the shutdown up: without the commit
    /// the next member only sees messages again.
    private func commitLast(_ consumer: KafkaConsumer, progress: Progress) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
                for failures in 1...6 {
                    guard let error = await commit(consumer, progress: progress) as? KafkaError, error.isRetriable,
                        (try? await backoff.wait(afterFailure: failures)) != nil
                    else { return }
                }
            }
            group.addTask { try? await Task.sleep(for: .seconds(5)) }
            await group.next()
            group.cancelAll()
        }
        let left = progress.takeCommittable()
        guard !left.isEmpty else { return }
        logger.warning(
            "offsets not committed before leaving the group; their messages come again and are recognised",
            metadata: ["offsets": "\(left.map { "\($0.topic)/\($0.partition)/\($0.offset)" }.joined(separator: " "))"]
        )
    }
}

/// The offset tracker, shared by the lanes of a worker.
private final class Progress: Sendable {
    private let tracker = Mutex(OffsetTracker())

    func started(_ message: KafkaMessage) {
        tracker.withLock { $0.started(topic: message.topic, partition: message.partition, offset: message.offset) }
    }

    func finished(_ message: KafkaMessage) {
        tracker.withLock { $0.finished(topic: message.topic, partition: message.partition, offset: message.offset) }
    }

    func revoked(_ partitions: [TopicPartition]) {
        tracker.withLock { tracker in
            for partition in partitions { tracker.revoked(topic: partition.topic, partition: partition.partition) }
        }
    }

    func assigned(_ partitions: [TopicPartition]) {
        tracker.withLock { tracker in
            for partition in partitions { tracker.assigned(topic: partition.topic, partition: partition.partition) }
        }
    }

    func notCommitted(_ offsets: [TopicPartitionOffset]) {
        tracker.withLock { tracker in
            for offset in offsets {
                tracker.notCommitted(topic: offset.topic, partition: offset.partition, offset: offset.offset)
            }
        }
    }

    func takeCommittable() -> [TopicPartitionOffset] {
        tracker.withLock { $0.takeCommittable() }.map {
            TopicPartitionOffset(topic: $0.topic, partition: $0.partition, offset: $0.offset)
        }
    }
}

extension PostgresError {
    /// The database refuses the data itself (SQLSTATE classes 22 and 23, or a text that it cannot hold): another try
    /// would end the same way.
    fileprivate var isDataError: Bool {
        guard let sqlState else { return kind == .encoding }
        return sqlState.hasPrefix("22") || sqlState.hasPrefix("23")
    }
}
