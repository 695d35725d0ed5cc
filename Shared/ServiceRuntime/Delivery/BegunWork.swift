import KafkaClient
import Logging
import PostgresClient
import Synchronization

/// Counts the tries of events across the ends of processes, so that a message which ends its process (a trap, memory that
/// runs out) is given up at last.
///
/// Before an event is worked on, its try is counted in the table `work_begun`; the transaction of its effects deletes the
/// row. A try that ends in any other way while its process lives (it fails, it is postponed, its partition goes to another
/// member, the worker is told to stop) is taken back at once. So what is left counts the tries whose process ended first.
///
/// An event that was left twice is worked on alone, so that those at whose side it was are not taken for it. One that was
/// left `limit` times is not worked on any more.
///
/// To count costs a statement before the work and one in its transaction. It is done only for messages that a process
/// which ended may have had in its hands, the first of each partition after it came: see ``FirstMessages``.
final class BegunWork: Sendable {
    /// What may be done with an event.
    enum Verdict: Sendable, Equatable {
        /// It may be worked on.
        case work
        /// It may be worked on while nothing else is.
        case workAlone
        /// It has ended so many processes that it is not to be worked on.
        case giveUp(tries: Int)
    }

    private struct Entry {
        /// Nil for a parked message.
        let partition: TopicPartition?
        /// How many deliveries of the event are in work here: it may have come several times.
        var deliveries = 0
        /// Whether the table has a try of this process.
        var isCounted = false
    }

    private struct State {
        var first: FirstMessages
        var entries: [EventIdentity: Entry] = [:]
        var isEnding = false
    }

    /// How often an event is left before it is suspected.
    static let suspicion = 2

    private let consumer: String
    private let pool: PostgresPool
    private let limit: Int
    private let logger: Logger
    private let state: Mutex<State>

    /// `window`: how many unfinished messages a worker holds at most; `limit`: how often an event may end its process.
    init(consumer: String, pool: PostgresPool, window: Int, limit: Int, logger: Logger) {
        self.consumer = consumer
        self.pool = pool
        self.limit = max(1, limit)
        self.logger = logger
        state = Mutex(State(first: FirstMessages(limit: window)))
    }

    // MARK: One event

    /// Counts a try of an event; `alone` says that nothing else is in work, `isParked` that the message is parked and
    /// so no partition's, and always counted.
    ///
    /// Where the answer is ``Verdict/work``, ``settled(_:of:isNew:)`` or ``ended(_:)`` must follow.
    func begin(
        _ event: EventIdentity,
        of message: KafkaMessage,
        alone: Bool,
        isParked: Bool = false
    ) async throws -> Verdict {
        let mustCount = state.withLock { state in
            let partition = isParked ? nil : message.topicPartition
            var entry = state.entries[event] ?? Entry(partition: partition)
            let isWatched = partition.map { state.first.includes($0, offset: message.offset) } ?? true
            // Another delivery that is in work here counts for both.
            let mustCount = isWatched && !entry.isCounted && entry.deliveries == 0 && !state.isEnding
            entry.deliveries += 1
            state.entries[event] = entry
            return mustCount
        }
        guard mustCount else { return .work }
        do {
            let bound = alone ? limit : min(limit, Self.suspicion)
            // In a task of its own: a statement that is cancelled may have been run all the same.
            guard try await Task(operation: { try await count(event, below: bound) }).value else {
                leave(event)
                return alone ? .giveUp(tries: limit) : .workAlone
            }
        } catch {
            leave(event)
            throw error
        }
        let isTooLate = state.withLock { state in
            state.entries[event]?.isCounted = true
            return state.isEnding
        }
        if isTooLate { await takeBack([event]) }
        return .work
    }

    /// Whether the table has a row of the event, which the transaction of its effects must delete.
    func isCounted(_ event: EventIdentity) -> Bool {
        state.withLock { $0.entries[event]?.isCounted ?? false }
    }

    /// Deletes the row of an event that is brought to its end.
    func delete(_ event: EventIdentity, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            DELETE FROM work_begun
            WHERE consumer = \(consumer) AND event_id = \(event.id) AND topic = \(event.topic)
              AND source = \(event.source)
            """
        )
    }

    /// Notes that an event is at its end, its row deleted; `isNew` says that it came from its topic and that its effects were
    /// not there before.
    func settled(_ event: EventIdentity, of message: KafkaMessage, isNew: Bool) {
        state.withLock { state in
            if isNew { state.first.worked(message.topicPartition, offset: message.offset) }
            state.entries[event]?.isCounted = false
        }
        leave(event)
    }

    /// Notes that a try has ended and its process has not.
    func ended(_ event: EventIdentity) async {
        leave(event)
        guard state.withLock({ $0.entries[event].map { $0.isCounted && $0.deliveries == 0 } ?? false }) else { return }
        // In a task of its own: this one may be cancelled, and then the pool would refuse it.
        await Task { await takeBack([event]) }.value
    }

    private func leave(_ event: EventIdentity) {
        state.withLock { state in
            guard var entry = state.entries[event] else { return }
            entry.deliveries = max(0, entry.deliveries - 1)
            state.entries[event] = entry.deliveries > 0 || entry.isCounted ? entry : nil
        }
    }

    // MARK: Partitions, and the end

    /// Notes that partitions came.
    func assigned(_ partitions: [TopicPartition]) {
        state.withLock { state in
            for partition in partitions { state.first.forget(partition) }
        }
    }

    /// Notes that partitions went: their messages are another member's, who counts for itself.
    func revoked(_ partitions: [TopicPartition]) async {
        let gone = Set(partitions)
        let events = state.withLock { state in
            for partition in partitions { state.first.forget(partition) }
            return state.entries.filter { _, entry in
                entry.isCounted && entry.partition.map { gone.contains($0) } ?? false
            }.map(\.key)
        }
        await takeBack(events)
    }

    /// Notes that the worker was told to stop: what is cut off from now on was no crash.
    func end() async {
        let events = state.withLock { state in
            state.isEnding = true
            return state.entries.filter { $0.value.isCounted }.map(\.key)
        }
        await takeBack(events)
    }

    // MARK: The table

    /// Counts a try, unless so many are there.
    private func count(_ event: EventIdentity, below bound: Int) async throws -> Bool {
        let rows = try await pool.query(
            """
            INSERT INTO work_begun AS begun (consumer, event_id, topic, source)
            VALUES (\(consumer), \(event.id), \(event.topic), \(event.source))
            ON CONFLICT (consumer, event_id, topic, source) DO UPDATE
                SET tries = begun.tries + 1, last_try = now() WHERE begun.tries < \(bound)
            RETURNING tries
            """
        )
        return !rows.isEmpty
    }

    /// Takes one try of each event back.
    ///
    /// Where the database cannot be reached they stay counted, as this process's: the next try does not count again.
    private func takeBack(_ events: [EventIdentity]) async {
        guard !events.isEmpty else { return }
        let (ids, topics, sources) = (events.map(\.id), events.map(\.topic), events.map(\.source))
        do {
            try await pool.execute(
                """
                WITH ended AS (
                    SELECT * FROM unnest(\(ids), \(topics), \(sources)) AS ended (event_id, topic, source)
                ), lowered AS (
                    UPDATE work_begun AS begun SET tries = begun.tries - 1 FROM ended
                    WHERE begun.consumer = \(consumer) AND begun.event_id = ended.event_id
                      AND begun.topic = ended.topic AND begun.source = ended.source AND begun.tries > 1
                )
                DELETE FROM work_begun AS begun USING ended
                WHERE begun.consumer = \(consumer) AND begun.event_id = ended.event_id
                  AND begun.topic = ended.topic AND begun.source = ended.source AND begun.tries = 1
                """
            )
        } catch {
            logger.debug("begun work not taken back yet", metadata: ["error": "\(error)"])
            return
        }
        state.withLock { state in
            for event in events {
                guard var entry = state.entries[event] else { continue }
                entry.isCounted = false
                state.entries[event] = entry.deliveries > 0 ? entry : nil
            }
        }
    }
}
