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
/// left `limit` times is not worked on any more. All its tries are taken back when it has been worked on for a while, or
/// alone, and its process lives: it is then no more suspect than others, and long work would otherwise be there at every
/// end. So a message that ends its process only after longer than that is not given up.
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

    // MARK: Begin and end

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
        let entry = Try(event: event, partition: isParked ? nil : message.topicPartition, offset: message.offset)
        guard try await begin([entry], below: alone ? limit : min(limit, Self.suspicion)).isEmpty else {
            return alone ? .giveUp(tries: limit) : .workAlone
        }
        return .work
    }

    /// Counts a try of each of several events, which are worked on beside each other; no two of them are the same.
    ///
    /// Except for those that are returned, ``settled(_:of:isNew:)`` or ``ended(_:)`` must follow for each.
    ///
    /// - Returns: those of which the verdict is ``Verdict/workAlone``; of all others it is ``Verdict/work``.
    func begin(_ events: [(event: EventIdentity, message: KafkaMessage)]) async throws -> Set<EventIdentity> {
        try await begin(
            events.map { Try(event: $0.event, partition: $0.message.topicPartition, offset: $0.message.offset) },
            below: min(limit, Self.suspicion)
        )
    }

    private struct Try {
        let event: EventIdentity
        /// Nil for a parked message.
        let partition: TopicPartition?
        let offset: Int64
    }

    /// Returns the events that were left `bound` times or more.
    private func begin(_ tries: [Try], below bound: Int) async throws -> Set<EventIdentity> {
        let mustCount = state.withLock { state in
            tries.filter { Self.enter($0, &state) }.map(\.event)
        }
        guard !mustCount.isEmpty else { return [] }
        let counted: Set<EventIdentity>
        do {
            // In a task of its own: a statement that is cancelled may have been run all the same.
            counted = try await Task(operation: { try await count(mustCount, below: bound) }).value
        } catch {
            for entry in tries { leave(entry.event) }
            throw error
        }
        let refused = Set(mustCount).subtracting(counted)
        for event in refused { leave(event) }
        let isTooLate = state.withLock { state in
            for event in counted { state.entries[event]?.isCounted = true }
            return state.isEnding
        }
        if isTooLate { await takeBack(Array(counted)) }
        return refused
    }

    /// Notes a delivery; says whether its try must be counted.
    private static func enter(_ entry: Try, _ state: inout State) -> Bool {
        var known = state.entries[entry.event] ?? Entry(partition: entry.partition)
        let isWatched = entry.partition.map { state.first.includes($0, offset: entry.offset) } ?? true
        // Another delivery that is in work here counts for both.
        let mustCount = isWatched && !known.isCounted && known.deliveries == 0 && !state.isEnding
        known.deliveries += 1
        state.entries[entry.event] = known
        return mustCount
    }

    /// Whether the table has a row of the event, which the transaction of its effects must delete.
    func isCounted(_ event: EventIdentity) -> Bool {
        state.withLock { $0.entries[event]?.isCounted ?? false }
    }

    /// Deletes the rows of events that are brought to their end; where there are none the database is not asked.
    func delete(_ events: [EventIdentity], in database: some PostgresQueryable) async throws {
        guard !events.isEmpty else { return }
        let (ids, topics, sources) = (events.map(\.id), events.map(\.topic), events.map(\.source))
        try await database.execute(
            """
            DELETE FROM work_begun AS begun
            USING unnest(\(ids), \(topics), \(sources)) AS done (event_id, topic, source)
            WHERE begun.consumer = \(consumer) AND begun.event_id = done.event_id AND begun.topic = done.topic
              AND begun.source = done.source
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

    /// Takes all tries of an event back after a while, in which the task is not cancelled: it is not suspected any more.
    ///
    /// Where the database cannot be reached they stay counted.
    func acquit(_ event: EventIdentity, after time: Duration = .zero) async {
        do {
            try await Task.sleepInSteps(for: time)
            guard isCounted(event) else { return }
            try await delete([event], in: pool)
        } catch is CancellationError {
            return
        } catch {
            logger.debug("begun work not taken back yet", metadata: ["error": "\(error)"])
            return
        }
        forget([event])
    }

    /// Notes that a try has ended and its process has not.
    func ended(_ event: EventIdentity) async { await ended([event]) }

    /// Notes that tries have ended and their process has not.
    func ended(_ events: [EventIdentity]) async {
        for event in events { leave(event) }
        let counted = state.withLock { state in
            events.filter { event in state.entries[event].map { $0.isCounted && $0.deliveries == 0 } ?? false }
        }
        guard !counted.isEmpty else { return }
        // In a task of its own: this one may be cancelled, and then the pool would refuse it.
        await Task { await takeBack(counted) }.value
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

    /// Counts a try of each event of which fewer than `bound` are there; returns those that it counted.
    private func count(_ events: [EventIdentity], below bound: Int) async throws -> Set<EventIdentity> {
        let (ids, topics, sources) = (events.map(\.id), events.map(\.topic), events.map(\.source))
        let rows = try await pool.query(
            """
            INSERT INTO work_begun AS begun (consumer, event_id, topic, source)
            SELECT \(consumer)::text, tried.event_id, tried.topic, tried.source
            FROM unnest(\(ids), \(topics), \(sources)) AS tried (event_id, topic, source)
            ORDER BY tried.event_id, tried.topic, tried.source
            ON CONFLICT (consumer, event_id, topic, source) DO UPDATE
                SET tries = begun.tries + 1, last_try = now() WHERE begun.tries < \(bound)
            RETURNING event_id, topic, source
            """
        )
        return Set(try rows.map { try EventIdentity($0) })
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
        forget(events)
    }

    /// Notes that the table has no try of this process for these events.
    private func forget(_ events: [EventIdentity]) {
        state.withLock { state in
            for event in events {
                guard var entry = state.entries[event] else { continue }
                entry.isCounted = false
                state.entries[event] = entry.deliveries > 0 ? entry : nil
            }
        }
    }
}
