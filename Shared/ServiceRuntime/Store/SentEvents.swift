public import Foundation
public import PostgresClient
public import Schemas

/// What is stored of an event that somebody has sent.
public struct SentEvent<Payload: EventPayload>: Sendable {
    /// What it said.
    public let payload: Payload
    /// The trace that it came in.
    public let trace: TraceContext?
}

extension ProblemStore {
    /// Problems as they were sent, a page in order of id: an answer that a teacher's samples agreed on is none.
    ///
    /// Arguments:
    ///   - id: only this one.
    ///   - since, until: only those that were stored at that time or later, and before.
    ///   - last: the id behind which the page begins; empty for the first page.
    public static func sent(
        id: String? = nil,
        since: Date? = nil,
        until: Date? = nil,
        after last: String = "",
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [SentEvent<ProblemEvent>] {
        try await pool.query(
            """
            SELECT \(ProblemStore.columns), trace_context FROM problems
            WHERE id COLLATE "C" > \(last)
              AND (\(id)::text IS NULL OR id = \(id))
              AND (\(since)::timestamptz IS NULL OR created_at >= \(since))
              AND (\(until)::timestamptz IS NULL OR created_at < \(until))
            ORDER BY id COLLATE "C" LIMIT \(limit)
            """
        ).map { row in
            var sent = try ProblemStore.problem(of: row)
            if sent.answerSource == .agreed { sent.answer = "" }
            sent.answerSource = nil
            return SentEvent(payload: sent, trace: try row.traceContext())
        }
    }
}

extension RunStore {
    /// Runs as they are stored, oldest first.
    ///
    /// Arguments:
    ///   - id: only this one.
    ///   - since, until: only those that were stored at that time or later, and before.
    public static func sent(
        id: String? = nil,
        since: Date? = nil,
        until: Date? = nil,
        from pool: PostgresPool
    ) async throws -> [SentEvent<RunEvent>] {
        try await pool.query(
            """
            SELECT body::text AS body, trace_context FROM runs
            WHERE (\(id)::text IS NULL OR id = \(id))
              AND (\(since)::timestamptz IS NULL OR created_at >= \(since))
              AND (\(until)::timestamptz IS NULL OR created_at < \(until))
            ORDER BY created_at, id
            """
        ).map { SentEvent(payload: try EventBody.event(RunEvent.self, of: $0), trace: try $0.traceContext()) }
    }
}
