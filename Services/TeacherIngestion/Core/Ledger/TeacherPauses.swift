import Foundation
import Logging
import PostgresClient
import ServiceRuntime
import Synchronization

/// What the service says about teachers that are not asked for now: in its log once, in the table `teacher_pauses` for
/// `errata status`, and to its readiness check.
final class TeacherPauses: Sendable {
    private let pool: PostgresPool
    private let logger: Logger
    private let reasons = Mutex<[String: String]>([:])

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// A teacher is not asked from now on, or, without a reason, is asked again.
    ///
    /// The table is for eyes only: where it cannot be written, the log has it.
    func changed(_ server: String, reason: String?) async {
        let before = reasons.withLock { reasons in
            let before = reasons[server]
            reasons[server] = reason
            return before
        }
        guard (before == nil) != (reason == nil) else { return }
        do {
            if let reason {
                logger.error(
                    "the teacher is not asked until it answers again; messages wait",
                    metadata: ["teacher": "\(server)", "reason": "\(reason)"]
                )
                try await pool.execute(
                    """
                    INSERT INTO teacher_pauses (server, reason) VALUES (\(server), \(reason))
                    ON CONFLICT (server) DO UPDATE SET reason = excluded.reason
                    """
                )
            } else {
                logger.notice("the teacher is asked again", metadata: ["teacher": "\(server)"])
                try await pool.execute("DELETE FROM teacher_pauses WHERE server = \(server)")
            }
        } catch {
            logger.warning("the pause is not written down", metadata: ["error": "\(error)"])
        }
    }

    /// Fails while a teacher is paused.
    func check() throws {
        let reasons = reasons.withLock { $0 }
        guard let (server, reason) = reasons.min(by: { $0.key < $1.key }) else { return }
        throw TeacherPaused(description: "\(server): \(reason)")
    }
}

/// A teacher is not asked for now.
struct TeacherPaused: Error, CustomStringConvertible {
    let description: String
}
