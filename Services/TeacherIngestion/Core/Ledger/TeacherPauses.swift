import Foundation
import Logging
import PostgresClient
import Schemas
import ServiceRuntime
import Synchronization

/// What the service says about teachers that are not asked for now: in its log once, in the table `teacher_pauses` for
/// `errata status`, as an event for other tools, and to its readiness check.
final class TeacherPauses: Sendable {
    private let pool: PostgresPool
    private let logger: Logger
    /// What was said last of each scope; nil for "is asked".
    private let said = Mutex<[String: String?]>([:])

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// The scope of a run's budget.
    static func scope(ofRun id: String) -> String { "run:\(id)" }

    /// A teacher is not asked from now on, or, without a reason, is asked again.
    ///
    /// Where the pause cannot be written down, the log has it, and it is written at the next change.
    func changed(_ scope: String, reason: String?) async {
        // The first word on a scope is written whatever it is: a process that died in a pause left its row.
        let isNew = said.withLock { said in
            let isNew = said[scope].map { ($0 == nil) != (reason == nil) } ?? true
            said[scope] = .some(reason)
            return isNew
        }
        guard isNew else { return }
        do {
            if let reason {
                logger.error(
                    "the teacher is not asked until it answers again; messages wait",
                    metadata: ["teacher": "\(scope)", "reason": "\(reason)"]
                )
                try await pause(scope, reason: reason)
            } else if try await resume(scope) {
                logger.notice("the teacher is asked again", metadata: ["teacher": "\(scope)"])
            }
        } catch {
            said.withLock { $0[scope] = nil }
            logger.warning("the pause is not written down", metadata: ["error": "\(error)"])
        }
    }

    private func pause(_ scope: String, reason: String) async throws {
        try await pool.withTransaction { transaction in
            let row = try await transaction.first(
                """
                INSERT INTO teacher_pauses AS paused (server, reason) VALUES (\(scope), \(reason.withoutNUL))
                ON CONFLICT (server) DO UPDATE SET reason = excluded.reason
                RETURNING since, xmax = 0 AS is_new
                """
            )
            // Of several processes that notice it, one says so.
            guard let row, try row.get("is_new", as: Bool.self) else { return }
            try await send(scope, .paused, reason: reason, since: try row.get("since", as: Date.self), in: transaction)
        }
    }

    /// - Returns: whether it was paused.
    private func resume(_ scope: String) async throws -> Bool {
        try await pool.withTransaction { transaction in
            let row = try await transaction.first("DELETE FROM teacher_pauses WHERE server = \(scope) RETURNING since")
            guard let row else { return false }
            try await send(scope, .resumed, reason: nil, since: try row.get("since", as: Date.self), in: transaction)
            return true
        }
    }

    private func send(
        _ scope: String,
        _ state: PauseEvent.State,
        reason: String?,
        since: Date,
        in transaction: PostgresTransaction
    ) async throws {
        let id = DeterministicID.make(cause: scope, parts: state.rawValue, "\(since.timeIntervalSince1970)")
        let event = PauseEvent(id: id, scope: scope, state: state, reason: reason?.withoutNUL)
        try await transaction.send([OutgoingEvent(event, source: TeacherIngestionProcessor.source, time: Date())])
    }

    /// Fails while a teacher is paused; a run that has spent its budget keeps nobody else waiting.
    func check() throws {
        let reasons = said.withLock { said in said.compactMapValues { $0 } }.filter { !$0.key.hasPrefix("run:") }
        guard let (scope, reason) = reasons.min(by: { $0.key < $1.key }) else { return }
        throw TeacherPaused(description: "\(scope): \(reason)")
    }
}

/// A teacher is not asked for now.
struct TeacherPaused: Error, CustomStringConvertible {
    let description: String
}
