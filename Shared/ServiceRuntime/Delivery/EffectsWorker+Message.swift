import FaultPoints
import Foundation
import KafkaClient
import Logging
import Metrics
import PostgresClient
import Schemas

/// What is to come of a message.
struct MessageWork: Sendable {
    /// Its changes of the database; its events stand in the rows.
    let effects: Effects
    /// Its events.
    let rows: [OutboxRow]
}

// One try of one message.
extension EffectsWorker {
    /// What came of a try.
    enum Trial {
        /// The message is at its end, or stored to be worked on from there.
        case settled
        /// It is to be tried at once, while nothing else is in work: processes have ended over it.
        case suspected
        /// It is to be parked, behind an earlier message of its key that is.
        case behind
        /// It is to be tried again, later each time; how it failed.
        case failed(String)
        /// It is to be tried again after a while; what it waits for.
        case postponed(Duration, String)
    }

    enum Outcome: String {
        case processed
        case duplicate
        case passedOver = "passed_over"
        case stored
    }

    /// So many processes ended while they worked on the message.
    private struct KilledItsWorker: Error {
        let tries: Int

        var failure: PermanentFailure {
            PermanentFailure(
                code: "killed-its-worker",
                message: "the process ended \(tries) times while it worked on this message (a crash, memory that ran "
                    + "out, or a kill), so that it is not tried any more; find out why in the service's log and the "
                    + "system's, then replay it"
            )
        }
    }

    /// Tries a message once, whose first try was at `began`; `alone` says that nothing else is in work, `isParked` that
    /// it is worked on from the table of parked messages.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func tryOnce(
        _ message: KafkaMessage,
        failuresBefore failures: Int,
        since began: ContinuousClock.Instant,
        alone: Bool,
        isParked: Bool = false,
        _ run: Run
    ) async throws -> Trial {
        var entry: InboxEntry?
        func bury(_ failure: PermanentFailure, attempts: Int) async throws -> Trial {
            try await self.bury(message, event: entry?.identity, failure: failure, attempts: attempts, run)
                ? .settled : .failed("its dead letter cannot be written (\(failure))")
        }
        do {
            let event = try Self.read(message)
            if let type = EventType(rawValue: event.attributes.type), !processor.reads(type) {
                count(.passedOver, message)
                return .settled
            }
            let read = InboxEntry(of: event)
            let lane = isParked ? nil : ParkedMessages.lane(of: message)
            let isArriving = !isParked && isStoredFirst(event)
            switch try await Inbox.standing(of: read, lane: lane, with: processor.consumerName, in: pool) {
            case .finished where !Sabotage.inboxOff.isPlanted:
                count(.duplicate, message)
                return .settled
            // What is behind stored messages is stored as they are: there is no limit to those, and there is to what is
            // parked.
            case .open where isArriving, .behindParked where processor.storesFirst:
                try await store([message], run)
                return .settled
            case .behindParked: return .behind
            case .open, .finished, .taken: break
            }
            // Only now it is sure that the database can hold its id.
            entry = read
            let outcome = try await attempt(event, as: read, of: message, alone: alone, isParked: isParked, run)
            guard let outcome else { return .suspected }
            count(outcome, message)
            return .settled
        } catch let failure as PermanentFailure {
            return try await bury(failure, attempts: failures + 1)
        } catch let killed as KilledItsWorker {
            return try await bury(killed.failure, attempts: killed.tries)
        } catch let error as PostgresError where error.isDataError {
            let failure = PermanentFailure(code: "rejected-by-database", message: error.description)
            return try await bury(failure, attempts: failures + 1)
        } catch let postponement as Postponement {
            try Task.checkCancellation()
            if let end = postponement.end, began.duration(to: .now) >= end.patience {
                return try await bury(end.failure, attempts: failures + 1)
            }
            count("postponed", message)
            logger.debug(
                "message will be tried later",
                metadata: ["topic": "\(message.topic)", "reason": "\(postponement.reason)"]
            )
            return .postponed(postponement.wait, postponement.reason)
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
            return .failed("\(error)")
        }
    }

    /// Whether the message of an event is stored before it is worked on.
    func isStoredFirst(_ event: ReceivedEvent) -> Bool { processor.storesFirst && processor.isStoredFirst(event) }

    static func read(_ message: KafkaMessage) throws -> ReceivedEvent {
        guard let topic = Topic(rawValue: message.topic) else {
            throw PermanentFailure(code: "unknown-topic", message: "\(message.topic) is not one of Errata's topics")
        }
        return try EventReader.read(message, topic: topic)
    }

    /// Has a processor work on the event of a message, whose events are made into rows here, for whichever transaction
    /// then holds them.
    func work(on event: ReceivedEvent, by processor: Processor, isParked: Bool = false) async throws -> MessageWork {
        try FaultPoint.messageBegins.reach()
        let effects = try await MessageSpans.process(event, by: processor.consumerName, isParked: isParked) {
            try await processor.process(event)
        }
        try FaultPoint.messageWorked.reach()
        let rows = try Outbox.rows(of: effects.events, sizeLimit: kafka.recordSizeLimit)
        return MessageWork(effects: effects, rows: rows)
    }

    /// Works on an event; nil when that must wait until nothing else is in work.
    private func attempt(
        _ event: ReceivedEvent,
        as entry: InboxEntry,
        of message: KafkaMessage,
        alone: Bool,
        isParked: Bool,
        _ run: Run
    ) async throws -> Outcome? {
        switch try await run.begun.begin(entry.identity, of: message, alone: alone, isParked: isParked) {
        case .work: break
        case .workAlone: return nil
        case .giveUp(let tries): throw KilledItsWorker(tries: tries)
        }
        // Only where it is counted: the clock of a sleep that is cancelled may run on, and most messages are short.
        var trust: Task<Void, Never>?
        if run.begun.isCounted(entry.identity) {
            trust = Task { await run.begun.acquit(entry.identity, after: acquittal) }
        }
        defer { trust?.cancel() }
        do {
            let work = try await work(on: event, by: processor, isParked: isParked)
            let outcome = try await commit(work, of: entry, message: message, run)
            try FaultPoint.commitDone.reach()
            run.begun.settled(entry.identity, of: message, isNew: outcome == .processed && !isParked)
            return outcome
        } catch {
            // It was alone, and its process lives; where it was cut off, it may not have come to what ends it.
            if alone, !Task.isCancelled { await run.begun.acquit(entry.identity) }
            await run.begun.ended(entry.identity)
            throw error
        }
    }

    private func commit(
        _ work: MessageWork,
        of entry: InboxEntry,
        message: KafkaMessage,
        _ run: Run
    ) async throws -> Outcome {
        let consumer = processor.consumerName
        let isCounted = run.begun.isCounted(entry.identity)
        return try await pool.withTransaction { transaction in
            if isCounted { try await run.begun.delete([entry.identity], in: transaction) }
            let isNew = try await Inbox.add(entry, of: consumer, from: message, in: transaction)
            guard isNew || Sabotage.inboxOff.isPlanted else {
                // Another delivery was faster. It may have had another body, which this throws for.
                _ = try await Inbox.standing(of: entry, lane: nil, with: consumer, in: transaction)
                return .duplicate
            }
            try await work.effects.apply(transaction)
            try await Outbox.insert(work.rows, in: transaction)
            try await AppliedEffects.note([entry.identity], of: consumer, in: transaction)
            try FaultPoint.commitAhead.reach()
            return .processed
        }
    }

    /// Moves a message to the dead letters; `event`: what may be counted as begun.
    ///
    /// Returns whether that is done.
    private func bury(
        _ message: KafkaMessage,
        event: EventIdentity?,
        failure: PermanentFailure,
        attempts: Int,
        _ run: Run
    ) async throws -> Bool {
        do {
            let consumer = processor.consumerName
            let effects = try DeadLetters.effects(
                of: message,
                consumer: consumer,
                failure: failure,
                attempts: attempts,
                at: Date()
            )
            let entry = InboxEntry(deadLetter: effects.events.first?.attributes.id ?? "", topic: message.topic)
            try await pool.withTransaction { transaction in
                // Its replay begins anew.
                if let event { try await run.begun.delete([event], in: transaction) }
                guard try await Inbox.add(entry, of: consumer, from: message, in: transaction) else { return }
                try await effects.apply(transaction)
                // Without a limit: a dead letter that is itself too large must not keep the message from its end. The
                // relay sets aside what the broker refuses.
                try await Outbox.enqueue(effects.events, in: transaction)
            }
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

    func count(_ outcome: Outcome, _ message: KafkaMessage) { count(outcome.rawValue, message) }

    func count(_ outcome: String, _ message: KafkaMessage) {
        Counter(
            label: MetricName.messages.rawValue,
            dimensions: [("consumer", processor.consumerName), ("topic", message.topic), ("outcome", outcome)]
        ).increment()
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
