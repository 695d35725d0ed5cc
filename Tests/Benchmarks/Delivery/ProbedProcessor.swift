import PostgresClient
import Schemas
import ServiceRuntime
import Synchronization

/// A processor whose parts are timed.
struct ProbedProcessor: EventProcessor {
    let inner: any EventProcessor
    let probe: StageProbe

    var consumerName: String { inner.consumerName }
    var topics: [Topic] { inner.topics }

    var batchLimit: Int { inner.batchLimit }

    func reads(_ type: EventType) -> Bool { inner.reads(type) }
    func isBatched(_ type: EventType) -> Bool { inner.isBatched(type) }

    func process(_ event: ReceivedEvent) async throws -> Effects {
        let began = ContinuousClock.now
        var effects = try await inner.process(event)
        let processed = ContinuousClock.now
        let apply = effects.apply
        effects.apply = { [probe] transaction in
            let opened = ContinuousClock.now
            try await apply(transaction)
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
        /// From its end until the transaction takes its effects: a connection, BEGIN, the inbox.
        var opening = Duration.zero
        /// Its effects on the database.
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
