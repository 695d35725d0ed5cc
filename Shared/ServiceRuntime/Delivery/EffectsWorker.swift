import FaultPoints
public import KafkaClient
public import Logging
public import PostgresClient
import Schemas
public import ServiceLifecycle

/// Consumes the topics of an ``EventProcessor`` and makes the effects of each message happen exactly once.
///
/// For each message one transaction holds the inbox row, the effects and the outbox rows; the offset is committed after
/// it. Messages of one topic and key are processed in order, others concurrently; where the processor allows it, several
/// keys' messages share a transaction (``EventProcessor/batchLimit``).
///
/// A transient failure is retried for as long as it lasts while other keys go on; where messages that wait fill more than
/// half of the worker's bounded memory, those that have waited long are parked in the database (see ``ParkedMessages``), so
/// that they hold up their own keys only. What the processor says is stored there as soon as it comes, before it is worked
/// on (``EventProcessor/isStoredFirst(_:)``). A permanent failure goes to the dead letters, and so does a message under
/// whose id another body came before (`event-id-taken`) and one that ended its process again and again
/// (`killed-its-worker`).
///
/// On graceful shutdown the work in progress is finished, its offsets are committed and the group is left; what waits for
/// its turn or its next try is given up and comes again. Of a partition that goes to another member what is in work is
/// finished, and what is not begun is left to that member.
public struct EffectsWorker<Processor: EventProcessor>: Service {
    let processor: Processor
    let pool: PostgresPool
    let kafka: KafkaConfiguration
    let logger: Logger
    let concurrency: Int
    let backoff: Backoff
    private let crashLimit: Int
    let parking: ParkingPolicy
    /// What it has taken and not finished.
    let held = HeldMessages()
    /// How long a message is worked on before it is no longer taken for one that ends its process.
    var acquittal: Duration = .seconds(60)

    /// Creates a worker.
    ///
    /// Arguments:
    ///   - concurrency: the number of messages, each of another key, that are worked on at the same time, and as many of
    ///     those that wait in the database where some are stored first; eight times as many are held in memory, or four
    ///     batches where that is more, and at most 64 MiB of them.
    ///   - backoff: the waits between tries of a message that fails transiently.
    ///   - crashLimit: how many times a process may end (a trap, memory that runs out, a kill) while it works on a
    ///     message before the message goes to the dead letters; the first end may go uncounted. Orderly stops,
    ///     rebalances, failures and postponements do not count, nor does the end of work that lasted a minute.
    ///   - parking: when messages that wait are parked.
    public init(
        processor: Processor,
        pool: PostgresPool,
        kafka: KafkaConfiguration,
        logger: Logger,
        concurrency: Int = 16,
        backoff: Backoff = Backoff(),
        crashLimit: Int = 5,
        parking: ParkingPolicy = ParkingPolicy()
    ) {
        self.processor = processor
        self.pool = pool
        self.kafka = kafka
        self.logger = logger
        self.concurrency = max(1, concurrency)
        self.backoff = backoff
        self.crashLimit = crashLimit
        self.parking = parking
    }

    /// What the tasks of a run share.
    struct Run: Sendable {
        let consumer: KafkaConsumer
        let lanes = KeyedLanes()
        /// The lanes whose next messages may go into a batch.
        let ready = ReadyLanes()
        /// Bounds the messages in memory: the consumer is not asked for more while this many wait or work.
        let room: MessageRoom
        /// Bounds the work; a message that waits for its next try holds none of these.
        let work: SlotLimiter
        /// Bounds the work on messages that wait in the database: by the same slots, except where messages are stored first,
        /// so that long work keeps none from being stored.
        let parkedWork: SlotLimiter
        let parked = ParkedWork()
        let progress = Progress()
        let begun: BegunWork

        /// Whether messages that wait fill more than half of the memory.
        var isCrowded: Bool { room.isCrowded(beside: work.taken) }

        /// Takes all slots there are, so that nothing else is in work.
        ///
        /// Always in this order, so that no two tasks have one half each; those of the parked work first, which may take
        /// long, so that messages are stored meanwhile.
        func acquireAll() async throws {
            try await parkedWork.acquire(parkedWork.limit)
            guard work !== parkedWork else { return }
            do {
                try await work.acquire(work.limit)
            } catch {
                parkedWork.release(parkedWork.limit)
                throw error
            }
        }

        /// Gives all slots back.
        func releaseAll() {
            if work !== parkedWork { work.release(work.limit) }
            parkedWork.release(parkedWork.limit)
        }
    }

    /// Whether messages share transactions.
    private var isBatching: Bool { processor.batchLimit > 1 }

    /// Consumes until graceful shutdown.
    public func run() async throws {
        let consumer = try KafkaConsumer(
            kafka,
            group: processor.consumerName,
            topics: processor.topics.map(\.rawValue),
            logger: logger
        )
        let mostHeld = isBatching ? max(concurrency * 8, processor.batchLimit * 4) : concurrency * 8
        let work = SlotLimiter(limit: concurrency)
        let run = Run(
            consumer: consumer,
            room: MessageRoom(messages: mostHeld, held: held),
            work: work,
            parkedWork: processor.storesFirst ? SlotLimiter(limit: concurrency) : work,
            begun: BegunWork(
                consumer: processor.consumerName,
                pool: pool,
                window: mostHeld,
                limit: crashLimit,
                logger: logger
            )
        )
        let background = Task {
            await withDiscardingTaskGroup { background in
                background.addTask { await commitRegularly(run) }
                background.addTask { await follow(run) }
                background.addTask {
                    guard (try? await gracefulShutdown()) != nil else { return }
                    await run.begun.end()
                }
            }
        }
        let failure: (any Error)?
        do {
            try await consume(run)
            failure = nil
        } catch {
            failure = error
        }
        background.cancel()
        // A regular commit may be on its way with the last offsets; it gives them back, for the last one to await.
        await background.value
        await commitLast(run)
        await consumer.close()
        if let failure, !(failure is CancellationError) { throw explained(failure) }
    }

    /// Says what to do where another process took this one's place in the group: to start again would take it back, and
    /// then the other would.
    private func explained(_ failure: any Error) -> any Error {
        guard let error = failure as? KafkaError, error.code == .fencedInstance else { return failure }
        return ConfigurationError(
            "ERRATA_MEMBER: another process has joined the consumer group \(processor.consumerName) under the name "
                + "\(kafka.settings["group.instance.id"] ?? ""), which this process had; give each process a name of its "
                + "own (the value hostname takes its machine's), or leave the key out"
        )
    }

    private func consume(_ run: Run) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                defer { run.ready.finish() }
                // Only the reading stops at shutdown: what is in flight is finished and committed by a member of the
                // group that is still in it.
                try await cancelWhenGracefulShutdown {
                    try await read(run) { message in
                        if let new = run.lanes.add(message) { run.ready.add(new) }
                    }
                }
            }
            group.addTask { await workOnParked(run) }
            if isBatching {
                // Not in the body of the group, which is not cancelled where the reading fails.
                group.addTask { await workInBatches(run) }
            } else {
                for await _ in run.ready.additions {
                    while let lane = run.ready.next() {
                        group.addTask { await empty(lane, run) }
                    }
                }
            }
        }
    }

    private func read(_ run: Run, deliver: (KafkaMessage) -> Void) async throws {
        do {
            for try await batch in run.consumer.batches {
                for message in batch {
                    try await run.room.enter(message)
                    try Task.checkCancellation()
                    guard run.consumer.holds(message) else {
                        run.room.leave(message)
                        continue
                    }
                    run.progress.started(message)
                    deliver(message)
                }
            }
        } catch is CancellationError {
            return
        }
    }

    /// Follows the partitions as they come and go.
    private func follow(_ run: Run) async {
        await withDiscardingTaskGroup { group in
            for await change in run.consumer.rebalances {
                switch change {
                case .assigned(let partitions):
                    run.progress.assigned(partitions)
                    run.begun.assigned(partitions)
                case .revoked(let partitions), .lost(let partitions):
                    run.progress.revoked(partitions)
                    // The next change does not wait for the database.
                    group.addTask { await run.begun.revoked(partitions) }
                }
            }
        }
    }

    // MARK: The tries of a message

    /// Settles the messages of one key, one after the other, until there is none or the worker ends; `first`: one that
    /// is no longer in the lane.
    func empty(_ lane: KeyedLanes.Lane, first: KafkaMessage? = nil, _ run: Run) async {
        var taken = first
        while let message = taken ?? run.lanes.next(of: lane) {
            taken = nil
            if Sabotage.offsetsFirst.isPlanted { run.progress.finished(message) }
            switch await settle(message, run) {
            case .settled where Sabotage.offsetsFirst.isPlanted: break
            case .settled: run.progress.finished(message)
            case .elsewhere: break
            // Nothing behind it may be done before it, so that the whole lane is left.
            case .givenUp: return
            }
            run.room.leave(message)
        }
    }

    private enum Ending {
        /// Done, known already, among the dead letters, or in the database to be worked on from there.
        case settled
        /// Its partition went, and whoever holds it now gets the message.
        case elsewhere
        /// The worker ends first.
        case givenUp
    }

    /// What a message waits for after a try, and how long: here, and where it is parked.
    struct Waiting: Sendable {
        let failures: Int
        let wait: Duration
        let parkedWait: Duration
        let reason: String
    }

    /// Brings a message to its end.
    ///
    /// Work that has begun is ended only by cancellation, waiting by graceful shutdown as well.
    private func settle(_ message: KafkaMessage, _ run: Run) async -> Ending {
        var failures = 0
        var isAlone = false
        let began = ContinuousClock.now
        do {
            while true {
                guard run.consumer.holds(message) else { return .elsewhere }
                let alone = isAlone
                try await cancelWhenGracefulShutdown {
                    if alone { try await run.acquireAll() } else { try await run.work.acquire() }
                }
                let trial: Trial
                do {
                    defer { if alone { run.releaseAll() } else { run.work.release() } }
                    if Task.isShuttingDownGracefully { return .givenUp }
                    // The wait for a slot may have been long.
                    guard run.consumer.holds(message) else { return .elsewhere }
                    trial = try await tryOnce(
                        message,
                        failuresBefore: failures,
                        since: began,
                        alone: alone || hasOneSlot,
                        run
                    )
                }
                // One that was alone is acquitted.
                isAlone = false
                let waiting: Waiting
                switch trial {
                case .settled: return .settled
                case .suspected:
                    isAlone = true
                    continue
                case .behind:
                    waiting = Waiting(
                        failures: failures,
                        wait: .seconds(1),
                        parkedWait: .zero,
                        reason: "behind an earlier message of its key"
                    )
                case .failed(let reason):
                    failures += 1
                    waiting = Waiting(
                        failures: failures,
                        wait: backoff.delay(afterFailure: failures),
                        parkedWait: parking.backoff.delay(afterFailure: failures),
                        reason: reason
                    )
                case .postponed(let wait, let reason):
                    waiting = Waiting(failures: failures, wait: wait, parkedWait: wait, reason: reason)
                }
                if isToBeParked(trial, since: began, run), await park(message, waiting, since: began, run) {
                    return .settled
                }
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: waiting.wait) }
            }
        } catch {
            return .givenUp
        }
    }

    /// Whether whatever is in work is alone.
    var hasOneSlot: Bool { concurrency == 1 && !processor.storesFirst }

    private func isToBeParked(_ trial: Trial, since began: ContinuousClock.Instant, _ run: Run) -> Bool {
        if case .behind = trial { return true }
        return run.isCrowded && began.duration(to: .now) >= parking.patience
    }
}
