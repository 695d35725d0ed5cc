import FaultPoints
import PostgresClient

/// An effect that shows each time it is brought about: a row of the table `fault_effects` that the tests make.
///
/// All others have ids that follow from their event, so that a second time leaves no trace of its own: that alone would
/// hide a worker that does everything twice. As ``FaultPoint``, it is empty in all builds but that of the tests.
enum AppliedEffects {
    /// Adds a row for each of some events, in the transaction of their effects, where faults are planted.
    static func note(
        _ events: some Collection<EventIdentity>,
        of consumer: String,
        in transaction: PostgresTransaction
    ) async throws {
        #if ERRATA_FAULTS
        guard FaultPoint.arePlanted, !events.isEmpty else { return }
        try await transaction.execute(
            """
            INSERT INTO fault_effects (consumer, topic, event_id)
            SELECT \(consumer)::text, event.topic, event.event_id
            FROM unnest(\(events.map(\.topic)), \(events.map(\.id))) AS event (topic, event_id)
            """
        )
        #endif
    }
}
