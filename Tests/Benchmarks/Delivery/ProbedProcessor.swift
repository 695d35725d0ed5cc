import PostgresClient
import Schemas
import ServiceRuntime
import Synchronization

/// A processor whose parts are timed.
struct ProbedProcessor: EventProcessor {
    var inner: any EventProcessor
    let probe: StageProbe

    var consumerName: String { inner.consumerName }
    var topics: [Topic] { inner.topics }

    var batchLimit: Int { inner.batchLimit }

    func reads(_ type: EventType) -> Bool { inner.reads(type) }
    func isBatched(_ type: EventType) -> Bool { inner.isBatched(type) }

    func prepared(for events: [ReceivedEvent]) async throws -> ProbedProcessor {
        var prepared = self
        prepared.inner = try await inner.prepared(for: events)
        return prepared
    }

    func process(_ event: ReceivedEvent) async throws -> Effects {
        let began = ContinuousClock.now
        var effects = try await inner.process(event)
        let processed = ContinuousClock.now
        let change = effects.change
        effects.change = { [probe] transaction in
            let opened = ContinuousClock.now
            try await change(transaction)
            probe.add(began: began, processed: processed, opened: opened, applied: .now)
        }
        return effects
    }
}

/// Adds up where messages spend their time.
final class StageProbe: Sendable {
    /// Sums over all messages.
    struct Sums: Sendable {
        /// When the first message was begun.
        var start: ContinuousClock.Instant?
        /// Messages whose effects were applied.
        var messages = 0
        /// The processor's work.
        var processing = Duration.zero
        /// From its end until the transaction comes to what is its alone: a connection, BEGIN, the inbox, what is made for
        /// all messages together.
        var opening = Duration.zero
        /// Its effects on the database that are its alone.
        var applying = Duration.zero
    }

    private let sums = Mutex(Sums())

    var now: Sums { sums.withLock { $0 } }

    func add(
        began: ContinuousClock.Instant,
        processed: ContinuousClock.Instant,
        opened: ContinuousClock.Instant,
        applied: ContinuousClock.Instant
    ) {
        sums.withLock { sums in
            sums.start = min(sums.start ?? began, began)
            sums.messages += 1
            sums.processing += began.duration(to: processed)
            sums.opening += processed.duration(to: opened)
            sums.applying += opened.duration(to: applied)
        }
    }
}
