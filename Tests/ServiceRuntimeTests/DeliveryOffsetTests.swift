import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Offsets, backoff and slots")
struct DeliveryOffsetTests {
    /// A tracker of one topic, with what it returned as `[partition: offset]`.
    private struct Harness {
        var tracker = OffsetTracker()

        mutating func start(_ offsets: Int64..., partition: Int32 = 0) {
            for offset in offsets { tracker.started(topic: "t", partition: partition, offset: offset) }
        }

        mutating func finish(_ offsets: Int64..., partition: Int32 = 0) {
            for offset in offsets { tracker.finished(topic: "t", partition: partition, offset: offset) }
        }

        mutating func take() -> [Int32: Int64] {
            Dictionary(uniqueKeysWithValues: tracker.takeCommittable().map { ($0.partition, $0.offset) })
        }
    }

    @Test("only the finished prefix is committed, in whatever order messages finish")
    func prefix() {
        var harness = Harness()
        harness.start(0, 1, 2, 3)
        harness.finish(2)
        harness.finish(1)
        #expect(harness.take() == [:])
        harness.finish(0)
        #expect(harness.take() == [0: 3])
        harness.finish(3)
        #expect(harness.take() == [0: 4])
    }

    @Test("nothing is returned twice, and an offset that could not be committed is returned again")
    func once() {
        var harness = Harness()
        harness.start(7)
        harness.finish(7)
        #expect(harness.take() == [0: 8])
        #expect(harness.take() == [:])
        harness.finish(7)
        #expect(harness.take() == [:])
        harness.tracker.notCommitted(topic: "t", partition: 0, offset: 8)
        #expect(harness.take() == [0: 8])
        harness.start(8)
        harness.finish(8)
        #expect(harness.take() == [0: 9])
        harness.tracker.notCommitted(topic: "t", partition: 0, offset: 8)
        #expect(harness.take() == [:])
    }

    @Test("gaps between offsets, as compaction and transactions leave them, hold nothing up")
    func gaps() {
        var harness = Harness()
        harness.start(5, 9, 40)
        harness.finish(40, 5)
        #expect(harness.take() == [0: 6])
        harness.finish(9)
        #expect(harness.take() == [0: 41])
    }

    @Test("partitions do not hold each other up and come sorted")
    func partitions() {
        var harness = Harness()
        harness.start(0, partition: 1)
        harness.start(0, partition: 2)
        harness.start(0, partition: 0)
        harness.finish(0, partition: 2)
        harness.finish(0, partition: 0)
        #expect(harness.tracker.takeCommittable().map(\.partition) == [0, 2])
        harness.finish(9, partition: 9)
        #expect(harness.take() == [:])
    }

    @Test("a revoked partition is not committed until it comes back")
    func revoked() {
        var harness = Harness()
        harness.start(0, 1)
        harness.start(0, partition: 1)
        harness.finish(0)
        harness.tracker.revoked(topic: "t", partition: 0)
        harness.finish(1)
        harness.finish(0, partition: 1)
        #expect(harness.take() == [1: 1])
        harness.tracker.assigned(topic: "t", partition: 0)
        harness.start(2)
        harness.finish(2)
        #expect(harness.take() == [0: 3])
    }

    @Test("a message that starts after its partition was revoked is not committed past unfinished ones before it")
    func staleBatch() {
        var harness = Harness()
        harness.start(3, 4)
        harness.tracker.revoked(topic: "t", partition: 0)
        harness.tracker.assigned(topic: "t", partition: 0)
        harness.start(5)
        harness.finish(5)
        #expect(harness.take() == [:])
        harness.finish(3, 4)
        #expect(harness.take() == [0: 6])
    }

    @Test("messages that are delivered again after a reassignment must finish again from the first")
    func redelivery() {
        var harness = Harness()
        harness.start(0, 1, 2)
        harness.finish(1, 2)
        harness.tracker.revoked(topic: "t", partition: 0)
        harness.tracker.assigned(topic: "t", partition: 0)
        harness.start(0, 1, 2)
        #expect(harness.take() == [:])
        // The first delivery of 0 was still in a lane: its effects are in the database, whichever delivery it was.
        harness.finish(0)
        #expect(harness.take() == [0: 1])
        harness.finish(2, 1)
        #expect(harness.take() == [0: 3])
    }

    @Test("what was given up under an earlier assignment holds nothing up, also where it does not come again")
    func givenUp() {
        var harness = Harness()
        harness.start(0, 1)
        harness.tracker.revoked(topic: "t", partition: 0)
        harness.tracker.assigned(topic: "t", partition: 0)
        // Retention has taken 0 and 1 meanwhile.
        harness.tracker.started(topic: "t", partition: 0, offset: 5, assignment: 2)
        harness.finish(1)
        #expect(harness.take() == [:])
        harness.finish(5)
        #expect(harness.take() == [0: 6])
    }

    @Test("long histories are forgotten without losing the place", arguments: [1, 7, 5_000])
    func longHistory(window: Int) {
        var harness = Harness()
        var last: Int64 = -1
        for start in stride(from: 0, to: 20_000, by: window) {
            let offsets = (start..<min(start + window, 20_000)).map(Int64.init)
            for offset in offsets { harness.start(offset) }
            for offset in offsets.reversed() { harness.finish(offset) }
            if let taken = harness.take()[0] {
                #expect(taken > last)
                last = taken
            }
        }
        #expect(last == 20_000)
    }

    /// One partition as a naive model sees it.
    private struct Model {
        var log: [Int64] = []
        var done: Set<Int64> = []
        var handedOut: [Int64] = []
        var finishedHere: Set<Int64> = []
        var inFlight: [Int64] = []
        var position = 0
        var committed: Int64 = 0
        var taken: Int64?

        var committable: Int64? {
            handedOut.prefix { finishedHere.contains($0) }.last.map { $0 + 1 }
        }
    }

    @Test(
        "random histories agree with a naive model and never commit an offset past a message without effect",
        arguments: 0..<40
    )
    func random(seed: Int) {
        var generator = SeededGenerator(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1)
        var tracker = OffsetTracker()
        var models = [Int32: Model]()
        for partition in Int32(0)..<3 {
            var model = Model()
            var offset: Int64 = 0
            for _ in 0..<150 {
                offset += Int64.random(in: 0...9, using: &generator) == 0 ? 5 : 1
                model.log.append(offset)
            }
            models[partition] = model
        }
        func start(_ model: inout Model, partition: Int32) {
            guard model.position < model.log.count else { return }
            let offset = model.log[model.position]
            model.position += 1
            if let last = model.handedOut.last, offset <= last {
                model.handedOut = []
                model.finishedHere = []
                model.taken = nil
            }
            model.handedOut.append(offset)
            model.inFlight.append(offset)
            tracker.started(topic: "t", partition: partition, offset: offset)
        }
        for _ in 0..<3_000 {
            let partition = Int32.random(in: 0..<3, using: &generator)
            guard var model = models[partition] else { return }
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<45:
                start(&model, partition: partition)
            case 45..<88:
                guard !model.inFlight.isEmpty else { break }
                let offset = model.inFlight.remove(at: Int.random(in: 0..<model.inFlight.count, using: &generator))
                model.done.insert(offset)
                if model.handedOut.contains(offset) { model.finishedHere.insert(offset) }
                tracker.finished(topic: "t", partition: partition, offset: offset)
            case 88..<98:
                let returned = tracker.takeCommittable()
                models[partition] = model
                for (partition, var other) in models {
                    let offset = returned.first { $0.partition == partition }?.offset
                    #expect(offset == (other.committable == other.taken ? nil : other.committable))
                    if let offset {
                        #expect(other.log.allSatisfy { $0 >= offset || other.done.contains($0) })
                        other.taken = offset
                        other.committed = offset
                    }
                    models[partition] = other
                }
                continue
            default:
                // Away and back: a batch that was taken before may still be started, then reading goes on from the
                // committed offset.
                tracker.revoked(topic: "t", partition: partition)
                for _ in 0..<Int.random(in: 0...2, using: &generator) { start(&model, partition: partition) }
                tracker.assigned(topic: "t", partition: partition)
                model.position = model.log.firstIndex { $0 >= model.committed } ?? model.log.count
            }
            models[partition] = model
        }
        #expect(models.values.contains { $0.committed > 0 })
    }

    private struct SeededGenerator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    @Test(
        "a wait lies between half the base and the doubled base, and never above the cap",
        arguments: [1, 2, 3, 8, 1_000_000]
    )
    func backoff(failures: Int) {
        let backoff = Backoff(base: .milliseconds(200), cap: .seconds(3))
        var generator = SeededGenerator(state: 42)
        let ceiling = min(.seconds(3), Duration.milliseconds(200) * (1 << min(failures - 1, 20)))
        let waits = (0..<500).map { _ in backoff.delay(afterFailure: failures, using: &generator) }
        #expect(waits.allSatisfy { $0 >= .milliseconds(100) && $0 <= ceiling })
        // Spread over the whole range, so that many clients do not come back together.
        #expect(waits.contains { $0 < .milliseconds(100) + (ceiling - .milliseconds(100)) / 4 })
        #expect(waits.contains { $0 > ceiling - (ceiling - .milliseconds(100)) / 4 })
    }

    @Test("a base above the cap waits for the cap")
    func smallCap() {
        var generator = SystemRandomNumberGenerator()
        let delay = Backoff(base: .seconds(10), cap: .seconds(1)).delay(afterFailure: 1, using: &generator)
        #expect(delay == .seconds(1))
    }

    @Test("a wait ends at once when its task is cancelled")
    func cancelledWait() async {
        let waiting = Task { try await Backoff(base: .seconds(600), cap: .seconds(600)).wait(afterFailure: 1) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test("slots are limited and given in order of arrival")
    func slots() async throws {
        let slots = SlotLimiter(limit: 2)
        try await slots.acquire()
        try await slots.acquire()
        let (order, continuation) = AsyncStream.makeStream(of: Int.self)
        for index in 0..<5 {
            Task {
                try await slots.acquire()
                continuation.yield(index)
            }
            try await eventually("task \(index) to wait") { slots.waitingCount == index + 1 }
        }
        var iterator = order.makeAsyncIterator()
        for index in 0..<5 {
            #expect(slots.waitingCount == 5 - index)
            slots.release()
            #expect(await iterator.next() == index)
        }
        #expect(slots.waitingCount == 0)
    }

    @Test("who waits for many slots is not overtaken, and gets no more than there are; its cancellation lets others by")
    func manySlots() async throws {
        let slots = SlotLimiter(limit: 3)
        try await slots.acquire()
        let all = Task { try await slots.acquire(9) }
        try await eventually("all to be wanted") { slots.waitingCount == 1 }
        // Two are free, but not for those behind.
        let behind = Task { try await slots.acquire() }
        try await eventually("one behind") { slots.waitingCount == 2 }
        slots.release()
        try await all.value
        #expect(slots.waitingCount == 1)
        slots.release(9)
        try await behind.value
        let again = Task { try await slots.acquire(3) }
        try await eventually("all to be wanted again") { slots.waitingCount == 1 }
        let next = Task { try await slots.acquire() }
        try await eventually("the next") { slots.waitingCount == 2 }
        again.cancel()
        await #expect(throws: CancellationError.self) { try await again.value }
        try await next.value
    }

    @Test("a cancelled task leaves the queue for a slot without taking one")
    func cancelledSlot() async throws {
        let slots = SlotLimiter(limit: 1)
        try await slots.acquire()
        let first = Task { try await slots.acquire() }
        try await eventually("the first to wait") { slots.waitingCount == 1 }
        let second = Task { try await slots.acquire() }
        try await eventually("the second to wait") { slots.waitingCount == 2 }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        slots.release()
        try await second.value
        slots.release()
        try await slots.acquire()
    }
}
