import Foundation
public import PostgresClient
public import Schemas

/// The table `traces`, written by TeacherIngestion, and `key_steps`, written by KeyStepLocator.
public enum TraceStore {
    /// Writes a trace.
    ///
    /// One that is there already is left as it is.
    public static func insert(_ trace: TraceEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO traces (id, problem_id, kind, verified, failure, attempt_id, run_id, body)
            VALUES (\(trace.id), \(trace.problemId), \(trace.kind.rawValue), \(trace.verified), \(trace.failure),
                    \(trace.attemptId), \(trace.runId), \(try EventBody.text(of: trace))::jsonb)
            ON CONFLICT (id) DO NOTHING
            """
        )
    }

    /// The verified traces of a kind on a dataset's training problems, in order of problem id.
    public static func verified(
        _ kind: TraceKind,
        dataset: String,
        from pool: PostgresPool
    ) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT traces.body::text AS body FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.kind = \(kind.rawValue) AND traces.verified AND problems.dataset = \(dataset)
              AND problems.split = 'train'
            ORDER BY traces.problem_id COLLATE "C", traces.id
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The number of verified traces of a kind on a dataset's training problems.
    public static func countVerified(_ kind: TraceKind, dataset: String, from pool: PostgresPool) async throws -> Int {
        try await pool.query(
            """
            SELECT count(*) AS count FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.kind = \(kind.rawValue) AND traces.verified AND problems.dataset = \(dataset)
              AND problems.split = 'train'
            """
        ).first?.get("count", as: Int.self) ?? 0
    }

    /// All traces, `page` at a time in order of id, each handed to `body` once.
    ///
    /// Traces that come in between may or may not be among them.
    public static func forEach(page: Int = 1_000, from pool: PostgresPool, _ body: (TraceEvent) -> Void) async throws {
        var last = ""
        while true {
            let rows = try await pool.query(
                "SELECT id, body::text AS body FROM traces WHERE id > \(last) ORDER BY id LIMIT \(page)"
            )
            for row in rows {
                body(try EventBody.event(TraceEvent.self, of: row))
                last = try row.get("id", as: String.self)
            }
            if rows.count < page { return }
        }
    }

    /// The verified template of a problem.
    public static func template(of problemID: String, from pool: PostgresPool) async throws -> TraceEvent? {
        try await pool.query(
            """
            SELECT body::text AS body FROM traces
            WHERE problem_id = \(problemID) AND kind = 'template' AND verified ORDER BY id LIMIT 1
            """
        ).first.map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The correction traces of a run's attempts, verified or not.
    public static func corrections(run: String, from pool: PostgresPool) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM traces WHERE run_id = \(run) AND kind = 'correction'
            ORDER BY attempt_id COLLATE "C", id
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// Writes the key steps of a dual trace.
    public static func insert(_ keySteps: KeyStepsEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO key_steps
                   (id, trace_id, problem_id, tokenizer, tie_rule, distance, right_keys, wrong_keys, body)
            VALUES (\(keySteps.id), \(keySteps.traceId), \(keySteps.problemId), \(keySteps.tokenizer),
                    \(keySteps.tieRule), \(keySteps.distance), \(keySteps.right.keyTokens),
                    \(keySteps.wrong.keyTokens), \(try EventBody.text(of: keySteps))::jsonb)
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// The key steps that a query asks for, in order of problem id.
    public static func keySteps(_ query: KeyStepQuery, from pool: PostgresPool) async throws -> [KeyStepsEvent] {
        try await pool.query(
            "SELECT key_steps.body::text AS body \(selection(query)) ORDER BY key_steps.problem_id COLLATE \"C\", key_steps.id"
        ).map { try EventBody.event(KeyStepsEvent.self, of: $0) }
    }

    /// The number of dual traces whose key steps a query asks for.
    public static func countKeySteps(_ query: KeyStepQuery, from pool: PostgresPool) async throws -> Int {
        try await pool.query("SELECT count(*) AS count \(selection(query))").first?.get("count", as: Int.self) ?? 0
    }

    private static func selection(_ query: KeyStepQuery) -> SQL {
        """
        FROM key_steps JOIN problems ON problems.id = key_steps.problem_id
        JOIN traces ON traces.id = key_steps.trace_id
        WHERE key_steps.tokenizer = \(query.tokenizer) AND key_steps.tie_rule = \(query.tieRule)
          AND problems.dataset = \(query.dataset) AND problems.split = 'train'
          AND (\(query.method == nil) OR traces.body->'body'->>'method' = \(query.method?.rawValue ?? ""))
          AND (\(query.mistakes.isEmpty) OR traces.body->'body'->>'mistake' = ANY(\(query.mistakes)))
        """
    }
}

extension KeyStepSide {
    /// The number of tokens that lie in a span.
    fileprivate var keyTokens: Int { spans.reduce(0) { $0 + $1.tokenEnd - $1.tokenStart } }
}
