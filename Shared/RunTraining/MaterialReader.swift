import Distillation
import PostgresClient
import ServiceRuntime

/// Reads what a stage learns from out of the database.
struct MaterialReader: Sendable {
    let pool: PostgresPool

    /// The rows that a snapshot names.
    ///
    /// - Throws: `SnapshotGone` where one is not there any more.
    func material(of snapshot: JobSnapshot) async throws -> StageMaterial {
        StageMaterial(
            problems: try await JobSnapshotStore.problems(.problems, of: snapshot, from: pool),
            traces: try await JobSnapshotStore.events(.traces, of: snapshot, from: pool),
            keySteps: try await JobSnapshotStore.events(.keySteps, of: snapshot, from: pool),
            attempts: try await JobSnapshotStore.events(.attempts, of: snapshot, from: pool),
            attempted: try await JobSnapshotStore.problems(.attempted, of: snapshot, from: pool),
            corrections: try await JobSnapshotStore.events(.corrections, of: snapshot, from: pool)
        )
    }
}
