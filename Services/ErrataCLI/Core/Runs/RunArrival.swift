import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceRuntime

/// Waits until the services have taken up a run that was sent, or have refused it.
enum RunArrival {
    /// How long a run that was sent may take to be stored before people are told that nothing has taken it up.
    static let patience: Duration = .seconds(15)

    /// Waits for a run that was sent.
    ///
    /// Arguments:
    ///   - delivery: what the broker said of the message; only its own refusal counts, and none where its offset is not known.
    /// - Returns: whether it was taken up within ``patience``.
    /// - Throws: ``CLIError`` with the service's words where it was refused.
    static func wait(for run: RunEvent, delivery: DeliveryReport, in pool: PostgresPool) async throws -> Bool {
        let end = ContinuousClock.now + patience
        while true {
            do {
                let isAccepted = try await RunStore.isAccepted(
                    run,
                    partition: delivery.partition,
                    offset: delivery.offset,
                    from: pool
                )
                if isAccepted { return true }
            } catch let refusal as PermanentFailure {
                throw CLIError("the run \(run.id) was refused: \(refusal.message)")
            }
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
