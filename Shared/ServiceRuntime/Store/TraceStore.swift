import Foundation
public import PostgresClient
public import Schemas

/// The table `traces`, written by TeacherIngestion, and `key_steps`, written by KeyStepLocator.
public enum TraceStore {
    /// Writes a trace; see ``insert(_:in:)-([TraceEvent],_)``.
    public static func insert(_ trace: TraceEvent, in transaction: PostgresTransaction) async throws {
        try await insert([trace], in: transaction)
    }

    /// Writes traces; those that are there already are left as they are.
    public static func insert(_ traces: [TraceEvent], in transaction: PostgresTransaction) async throws {
        guard !traces.isEmpty else { return }
        let bodies = try traces.map { try EventBody.text(of: $0) }
        try await transaction.execute(
            """
            INSERT INTO traces (id, problem_id, kind, verified, failure, attempt_id, run_id, body)
            SELECT id, problem_id, kind, verified, failure, attempt_id, run_id, body::jsonb
            FROM unnest(\(traces.map(\.id)), \(traces.map(\.problemId)), \(traces.map(\.kind.rawValue)),
                        \(traces.map(\.verified)), \(traces.map(\.failure)), \(traces.map(\.attemptId)),
                        \(traces.map(\.runId)), \(bodies))
                 AS made (id, problem_id, kind, verified, failure, attempt_id, run_id, body)
            ON CONFLICT (id) DO NOTHING
            """
        )
    }

    /// Whether a teacher's answer to a student's attempt is there, verified or not.
    public static func isAnswered(_ attempt: String, in database: some PostgresQueryable) async throws -> Bool {
        try await database.first("SELECT FROM traces WHERE attempt_id = \(attempt) LIMIT 1") != nil
    }

    /// Writes a trace in place of what stands under its id, which the database keeps for the stages that began with it.
    public static func update(_ trace: TraceEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            "UPDATE traces SET body = \(try EventBody.text(of: trace))::jsonb WHERE id = \(trace.id)"
        )
    }

    /// The verified traces of a kind on datasets' training problems, in order of problem id.
    public static func verified(
        _ kind: TraceKind,
        datasets: [String],
        from pool: PostgresPool
    ) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT traces.body::text AS body FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.kind = \(kind.rawValue) AND traces.verified AND problems.dataset = ANY(\(datasets))
              AND problems.split = 'train'
            ORDER BY traces.problem_id COLLATE "C", traces.id
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The first of those verified traces of a kind on datasets' training problems whose ids come after one, in order of id.
    public static func verified(
        _ kind: TraceKind,
        datasets: [String],
        after id: String,
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT traces.body::text AS body FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.id > \(id) AND traces.kind = \(kind.rawValue) AND traces.verified
              AND problems.dataset = ANY(\(datasets)) AND problems.split = 'train'
            ORDER BY traces.id LIMIT \(limit)
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The verified traces of training problems, in order of problem id; corrections are those that belong to no run.
    public static func verified(ofProblems ids: [String], from pool: PostgresPool) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM traces
            WHERE problem_id = ANY(\(ids)) AND verified AND (kind <> 'correction' OR run_id IS NULL)
            ORDER BY problem_id COLLATE "C", id
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The number of verified traces of a kind on the training problems of a selection.
    ///
    /// Arguments:
    ///   - method, mistakes: of dual pairs, those that are counted; nil for all.
    ///   - repeated: whether only those beyond a problem's first are counted.
    public static func count(
        _ kind: TraceKind,
        _ selection: TrainingSelection,
        method: DualBody.Method? = nil,
        mistakes: [String]? = nil,
        repeated: Bool = false,
        from pool: PostgresPool
    ) async throws -> Int {
        try await pool.query(
            """
            SELECT count(*) - CASE WHEN \(repeated) THEN count(DISTINCT traces.problem_id) ELSE 0 END AS count
            FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.kind = \(kind.rawValue) AND traces.verified AND traces.run_id IS NULL
              AND \(selection.limitedCondition)
              AND \(isChosen(method, mistakes))
            """
        ).first?.get("count", as: Int.self) ?? 0
    }

    /// The number of verified traces of a kind on a dataset's training problems.
    public static func countVerified(_ kind: TraceKind, dataset: String, from pool: PostgresPool) async throws -> Int {
        try await count(kind, TrainingSelection(datasets: [dataset]), from: pool)
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

    /// The condition on a trace and its problem that a stage of a run learns from it: a correction of its students' attempts,
    /// or of a kind that the stage needs and a problem that it does not leave out.
    private static func isLearned(by run: RunEvent) -> SQL {
        run.stages.reduce("traces.run_id = \(run.id)") { condition, stage in
            let selection = TrainingSelection(stage, of: run, round: 1, onlyNew: false)
            let method = stage.data?.pairs.flatMap(DualBody.Method.init(rawValue:))
            let kinds = stage.teaching.subtracting([.mistakes]).traces.union([.correction])
            return """
                \(condition) OR (
                    traces.run_id IS NULL AND traces.kind = ANY(\(kinds.map(\.rawValue)))
                    AND (traces.kind <> 'dual' OR \(isChosen(method, stage.data?.mistakes)))
                    AND \(selection.limitedCondition)
                )
                """
        }
    }

    /// Traces with their problems, `page` at a time in order of problem and trace, each handed to `body` once.
    ///
    /// Arguments:
    ///   - kinds: the kinds.
    ///   - dataset, split: of the problems; all where nil.
    ///   - run: the run whose stages learn from them; all traces where nil.
    ///   - refused: whether traces that are not verified are among them.
    public static func forEachWithProblem(
        kinds: [TraceKind],
        dataset: String?,
        split: ProblemSplit?,
        run: RunEvent?,
        refused: Bool,
        page: Int = 500,
        from pool: PostgresPool,
        _ body: (TraceEvent, ProblemEvent) throws -> Void
    ) async throws {
        let learned = run.map(isLearned(by:)) ?? "true"
        var last = (problem: "", trace: "")
        while true {
            let rows = try await pool.query(
                """
                SELECT traces.id AS trace_id, traces.body::text AS body, problems.id, problems.dataset, problems.split,
                       problems.question, problems.solution, problems.answer, problems.answer_source,
                       problems.family, problems.steps, problems.difficulty
                FROM traces JOIN problems ON problems.id = traces.problem_id
                WHERE (traces.problem_id COLLATE "C", traces.id COLLATE "C") > (\(last.problem), \(last.trace))
                  AND traces.kind = ANY(\(kinds.map(\.rawValue))) AND (traces.verified OR \(refused))
                  AND (\(dataset)::text IS NULL OR problems.dataset = \(dataset))
                  AND (\(split?.rawValue)::text IS NULL OR problems.split = \(split?.rawValue))
                  AND (\(learned))
                ORDER BY traces.problem_id COLLATE "C", traces.id COLLATE "C" LIMIT \(page)
                """
            )
            for row in rows {
                let problem = try ProblemStore.problem(of: row)
                try body(try EventBody.event(TraceEvent.self, of: row), problem)
                last = (problem.id, try row.get("trace_id", as: String.self))
            }
            if rows.count < page { return }
        }
    }

    /// The ids of the correction traces of a checkpoint's attempts, verified or not.
    ///
    /// Arguments:
    ///   - attempts: those that are meant; nil for all.
    public static func correctionIDs(
        checkpoint: String,
        attempts: [String]? = nil,
        from pool: PostgresPool
    ) async throws -> [String] {
        try await pool.query(
            """
            SELECT traces.id FROM traces JOIN attempts ON attempts.id = traces.attempt_id
            WHERE attempts.checkpoint_id = \(checkpoint) AND traces.kind = 'correction'
              AND (\(attempts)::text[] IS NULL OR attempts.id = ANY(\(attempts)))
            ORDER BY traces.id COLLATE "C"
            """
        ).map { try $0.get("id", as: String.self) }
    }

    /// Traces by their ids.
    public static func traces(ids: [String], from pool: PostgresPool) async throws -> [TraceEvent] {
        try await pool.query(
            "SELECT body::text AS body FROM traces WHERE id = ANY(\(ids)) ORDER BY id COLLATE \"C\""
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// The key steps of traces of problems in a form, in order of problem id.
    public static func keySteps(
        _ form: KeyStepForm,
        ofProblems ids: [String],
        from pool: PostgresPool
    ) async throws -> [KeyStepsEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM key_steps
            WHERE problem_id = ANY(\(ids)) AND tokenizer = \(form.tokenizer) AND tie_rule = \(form.tieRule)
              AND format = \(form.format)
            ORDER BY problem_id COLLATE "C", id
            """
        ).map { try EventBody.event(KeyStepsEvent.self, of: $0) }
    }

    /// The number of dual traces of a selection whose key steps are located in a form.
    ///
    /// Arguments:
    ///   - method, mistakes: the dual pairs that are counted; nil for all.
    public static func countKeySteps(
        _ form: KeyStepForm,
        _ selection: TrainingSelection,
        method: DualBody.Method? = nil,
        mistakes: [String]? = nil,
        from pool: PostgresPool
    ) async throws -> Int {
        try await pool.query(
            """
            SELECT count(*) AS count FROM key_steps JOIN problems ON problems.id = key_steps.problem_id
            JOIN traces ON traces.id = key_steps.trace_id
            WHERE key_steps.tokenizer = \(form.tokenizer) AND key_steps.tie_rule = \(form.tieRule)
              AND key_steps.format = \(form.format) AND \(selection.limitedCondition)
              AND \(isChosen(method, mistakes))
            """
        ).first?.get("count", as: Int.self) ?? 0
    }

    /// The condition on a dual trace that it came to be in a way and by one of some mistakes.
    private static func isChosen(_ method: DualBody.Method?, _ mistakes: [String]?) -> SQL {
        """
        (\(method == nil) OR traces.body->'body'->>'method' = \(method?.rawValue ?? ""))
        AND (\(mistakes == nil) OR coalesce(traces.body->'body'->>'mistake', 'other') = ANY(\(mistakes ?? [])))
        """
    }
}
