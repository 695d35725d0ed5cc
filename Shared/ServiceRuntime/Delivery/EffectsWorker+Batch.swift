import FaultPoints
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceLifecycle

/// A message of a batch; its lane stays open while it is worked on.
struct Batched: Sendable {
    let lane: KeyedLanes.Lane
    let message: KafkaMessage
}

// Messages of several keys in one transaction.
//
// A batch holds at most one message of a key, so that each is processed after those before it are in the database, as when
// each has a transaction of its own. What cannot go the short way for whatever reason (it cannot be read, it came twice, it
// fails, it ended processes, it waits behind a parked one) is put out of the batch and worked on by itself afterwards: tries,
// waits, dead letters and parking are there and only there. So a batch either brings about the effects of a message or
// leaves no trace of it.
//
// What is stored first is stored in one statement, and the rest of the batch goes on without it.
extension EffectsWorker {
    /// The bytes of messages with which a batch is full.
    private static var batchBytes: Int { 4 << 20 }

    /// How many messages of a batch are processed at the same time, of which each takes a slot of `work`: at most four
    /// batches are in work then, so that the next one fills up meanwhile.
    private var batchSlots: Int { (concurrency + 3) / 4 }

    /// Works on what is ready in batches, until there is nothing more or the worker ends.
    ///
    /// Nothing waits for a batch to fill up: it takes what is there when there is room for it.
    func workInBatches(_ run: Run) async {
        let slots = batchSlots
        await withDiscardingTaskGroup { group in
            for await _ in run.ready.additions {
                while !run.ready.isEmpty {
                    guard (try? await cancelWhenGracefulShutdown { try await run.work.acquire(slots) }) != nil else {
                        break
                    }
                    let batch = Task.isShuttingDownGracefully ? [] : gather(run)
                    guard !batch.isEmpty else {
                        run.work.release(slots)
                        break
                    }
                    group.addTask { await settle(batch, slots: slots, run) }
                }
            }
        }
    }

    private func gather(_ run: Run) -> [Batched] {
        var batch: [Batched] = []
        var bytes = 0
        while batch.count < processor.batchLimit, bytes < Self.batchBytes, let lane = run.ready.next() {
            guard let message = run.lanes.take(from: lane) else {
                leave(lane, run)
                continue
            }
            batch.append(Batched(lane: lane, message: message))
            bytes += message.value?.count ?? 0
        }
        return batch
    }

    /// Closes a lane, or has its next message come into a batch.
    private func leave(_ lane: KeyedLanes.Lane, _ run: Run) {
        if !run.lanes.close(lane) { run.ready.add(lane) }
    }

    /// Brings the messages of a batch to their ends, with slots of `work` that this gives back.
    private func settle(_ batch: [Batched], slots: Int, _ run: Run) async {
        if Sabotage.offsetsFirst.isPlanted {
            for member in batch { run.progress.finished(member.message) }
        }
        let left = await work(on: batch, slots: slots, run)
        run.work.release(slots)
        // The worker ends: nothing behind these may be done before them.
        guard let left else { return }
        let leftLanes = Set(left.map(\.lane))
        for member in batch where !leftLanes.contains(member.lane) { leave(member.lane, run) }
        await withDiscardingTaskGroup { group in
            for member in left {
                group.addTask { await empty(member.lane, first: member.message, run) }
            }
        }
    }

    /// A message of a batch that can be read.
    private struct Candidate: Sendable {
        let member: Batched
        let event: ReceivedEvent
        let entry: InboxEntry
        let isStoredFirst: Bool

        var identity: EventIdentity { entry.identity }
    }

    /// Works on a batch.
    ///
    /// - Returns: the messages that are to be worked on by themselves; nil when the task was cancelled.
    private func work(on batch: [Batched], slots: Int, _ run: Run) async -> [Batched]? {
        var (candidates, left) = read(batch, run)
        var begun: [EventIdentity] = []
        do {
            candidates = try await look(candidates, &left, run)
            let arriving = candidates.filter { $0.isStoredFirst }
            candidates.removeAll { $0.isStoredFirst }
            left += await keep(arriving, run)
            let suspected = try await run.begun.begin(candidates.map { ($0.identity, $0.member.message) })
            left += candidates.filter { suspected.contains($0.identity) }.map(\.member)
            candidates.removeAll { suspected.contains($0.identity) }
            begun = candidates.map(\.identity)

            var worked: [(candidate: Candidate, work: MessageWork)] = []
            let processor = try await processor.prepared(for: candidates.map(\.event))
            for (candidate, work) in zip(candidates, await work(on: candidates, by: processor, slots: slots)) {
                if let work { worked.append((candidate, work)) }
            }
            try Task.checkCancellation()
            let new = try await commit(worked, run)
            for _ in worked { try FaultPoint.commitDone.reach() }

            let done = Set(worked.map(\.candidate.identity))
            let failed = candidates.filter { !done.contains($0.identity) }
            await run.begun.ended(failed.map(\.identity))
            left += failed.map(\.member)
            for (candidate, _) in worked {
                let message = candidate.member.message
                let isNew = new.contains(candidate.identity)
                run.begun.settled(candidate.identity, of: message, isNew: isNew)
                if isNew {
                    finish(message, as: .processed, run)
                } else {
                    // Another delivery was faster, perhaps with another body.
                    left.append(candidate.member)
                }
            }
            return left
        } catch {
            await run.begun.ended(begun)
            guard !Task.isCancelled else { return nil }
            logger.debug(
                "messages of a batch are worked on one by one",
                metadata: ["messages": "\(candidates.count)", "error": "\(error)"]
            )
            return left + candidates.map(\.member)
        }
    }

    /// Stores the messages that are to be stored first, which are at their end so; returns them where that fails.
    private func keep(_ arriving: [Candidate], _ run: Run) async -> [Batched] {
        let members = arriving.map(\.member)
        let messages = members.map(\.message)
        guard !messages.isEmpty else { return [] }
        do {
            try await store(messages, run)
        } catch {
            logger.debug(
                "messages are stored one by one",
                metadata: ["messages": "\(messages.count)", "error": "\(error)"]
            )
            return members
        }
        for message in messages { finish(message, run) }
        return []
    }

    private func finish(_ message: KafkaMessage, as outcome: Outcome, _ run: Run) {
        count(outcome, message)
        finish(message, run)
    }

    private func finish(_ message: KafkaMessage, _ run: Run) {
        run.progress.finished(message)
        run.room.leave(message)
    }

    /// Reads messages; what is not for the processor is at its end, and of messages with one identity the first is read.
    private func read(_ batch: [Batched], _ run: Run) -> (candidates: [Candidate], left: [Batched]) {
        var candidates: [Candidate] = []
        var left: [Batched] = []
        var identities: Set<EventIdentity> = []
        for member in batch {
            let message = member.message
            // Its partition went, and whoever holds it now gets the message.
            guard run.consumer.holds(message) else {
                run.room.leave(message)
                continue
            }
            guard let event = try? Self.read(message), let type = EventType(rawValue: event.attributes.type) else {
                left.append(member)
                continue
            }
            guard processor.reads(type) else {
                finish(message, as: .passedOver, run)
                continue
            }
            let entry = InboxEntry(of: event)
            let isStored = isStoredFirst(event)
            if isStored || processor.isBatched(type), identities.insert(entry.identity).inserted {
                candidates.append(Candidate(member: member, event: event, entry: entry, isStoredFirst: isStored))
            } else {
                left.append(member)
            }
        }
        return (candidates, left)
    }

    /// Looks where the events stand, and gives those that are open; what the consumer has finished with is at its end.
    private func look(_ candidates: [Candidate], _ left: inout [Batched], _ run: Run) async throws -> [Candidate] {
        let standings = try await Inbox.standings(
            of: candidates.map { ($0.entry, ParkedMessages.lane(of: $0.member.message)) },
            with: processor.consumerName,
            in: pool
        )
        var open: [Candidate] = []
        for (candidate, standing) in zip(candidates, standings) {
            switch standing {
            case .finished where !Sabotage.inboxOff.isPlanted:
                finish(candidate.member.message, as: .duplicate, run)
            case .open, .finished: open.append(candidate)
            // It is stored behind the others of its key.
            case .behindParked where candidate.isStoredFirst: open.append(candidate)
            case .taken, .behindParked: left.append(candidate.member)
            }
        }
        return open
    }

    /// Has a processor work on events, as many at a time as there are slots; nil for one that failed.
    private func work(on candidates: [Candidate], by processor: Processor, slots: Int) async -> [MessageWork?] {
        await withTaskGroup(of: [(place: Int, work: MessageWork?)].self) { group in
            for first in 0..<min(slots, candidates.count) {
                group.addTask {
                    var done: [(place: Int, work: MessageWork?)] = []
                    for place in stride(from: first, to: candidates.count, by: slots) {
                        guard !Task.isCancelled else { break }
                        // Tried by itself it says why it fails.
                        done.append((place, try? await work(on: candidates[place].event, by: processor)))
                    }
                    return done
                }
            }
            var works = [MessageWork?](repeating: nil, count: candidates.count)
            for await done in group {
                for (place, work) in done { works[place] = work }
            }
            return works
        }
    }

    /// Brings about the effects of messages, all or none; returns the events whose effects were not there before.
    private func commit(
        _ worked: [(candidate: Candidate, work: MessageWork)],
        _ run: Run
    ) async throws -> Set<EventIdentity> {
        guard !worked.isEmpty else { return [] }
        let consumer = processor.consumerName
        let counted = worked.map(\.candidate.identity).filter { run.begun.isCounted($0) }
        return try await pool.withTransaction { transaction in
            try await run.begun.delete(counted, in: transaction)
            var new = try await Inbox.add(
                worked.map { ($0.candidate.entry, $0.candidate.member.message) },
                of: consumer,
                in: transaction
            )
            if Sabotage.inboxOff.isPlanted { new = Set(worked.map(\.candidate.identity)) }
            let works = worked.filter { new.contains($0.candidate.identity) }.map(\.work)
            try await Effects.make(works.flatMap(\.effects.changes), in: transaction)
            for work in works { try await work.effects.change(transaction) }
            try await Outbox.insert(works.flatMap(\.rows), in: transaction)
            try await AppliedEffects.note(new, of: consumer, in: transaction)
            for _ in new { try FaultPoint.commitAhead.reach() }
            return new
        }
    }
}
