import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// Waits until the services have taken up a run that was sent, or have refused it.
enum RunArrival {
    /// How long a run that was sent may take to be stored before people are told that nothing has taken it up.
    static let patience: Duration = .seconds(15)

    /// Waits for a run that was sent.
    ///
    /// A run is taken up once its initial checkpoint is stored, by the service that trains its stages; others that only
    /// read it may have stored the run itself before that.
    ///
    /// - Returns: whether it was taken up within ``patience``.
    /// - Throws: ``CLIError`` with the service's words where it was refused.
    static func wait(for run: RunEvent, in pool: PostgresPool) async throws -> Bool {
        let end = ContinuousClock.now + patience
        while true {
            do {
                if let refusal = try await RunStore.refusal(of: run.id, from: pool) { throw refusal }
                if try await RunStore.isWritten(run, in: pool),
                    try await !RunStore.checkpoints(run: run.id, from: pool).isEmpty
                {
                    return true
                }
            } catch let refusal as PermanentFailure {
                throw CLIError("the run \(run.id) was refused: \(refusal.message)")
            }
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
