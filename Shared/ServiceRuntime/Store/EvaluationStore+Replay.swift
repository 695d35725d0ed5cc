public import PostgresClient
public import Schemas

/// What students wrote, page by page, for grading it again.
extension EvaluationStore {
    /// An output of an evaluation with its verdict.
    public struct StoredResult: Sendable, Hashable {
        /// The evaluation's id.
        public let evaluation: String
        /// The suite's name.
        public let suite: String
        /// The run.
        public let run: String
        /// The output, its answer and its verdict.
        public let result: EvaluationJobStore.Result

        /// Where the next page begins.
        public var place: Place { Place(evaluation: evaluation, problem: result.problemID) }
    }

    /// A place among the results, in order of evaluation and problem.
    public struct Place: Sendable, Hashable {
        let evaluation: String
        let problem: String

        /// Before the first result.
        public static let start = Place(evaluation: "", problem: "")
    }

    /// Results in order of evaluation and problem, those of evaluations that are not done included.
    ///
    /// Arguments:
    ///   - run, suite: only those of a run, of a suite.
    ///   - place: behind which result the page begins.
    ///   - limit: the most results of the page.
    public static func results(
        run: String? = nil,
        suite: String? = nil,
        after place: Place = .start,
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [StoredResult] {
        try await pool.query(
            """
            SELECT result.evaluation_id, result.problem_id, result.correct, result.answer, result.output, result.truncated,
                   result.tokens, result.second_output, result.second_correct, result.second_readable, result.second_named,
                   result.second_truncated, result.grader, job.run_id, job.suite
            FROM evaluation_results AS result JOIN evaluation_jobs AS job ON job.id = result.evaluation_id
            WHERE (result.evaluation_id, result.problem_id) > (\(place.evaluation), \(place.problem))
              AND job.suite IS NOT NULL
              AND (\(run)::text IS NULL OR job.run_id = \(run)) AND (\(suite)::text IS NULL OR job.suite = \(suite))
            ORDER BY result.evaluation_id, result.problem_id LIMIT \(limit)
            """
        ).map { row in
            StoredResult(
                evaluation: try row.get("evaluation_id", as: String.self),
                suite: try row.get("suite", as: String.self),
                run: try row.get("run_id", as: String.self),
                result: try EvaluationJobStore.result(of: row)
            )
        }
    }

    /// Attempts in order of id.
    ///
    /// Arguments:
    ///   - run: only those of a run.
    ///   - last: the id behind which the page begins; empty for the first page.
    ///   - limit: the most attempts of the page.
    public static func attempts(
        run: String? = nil,
        after last: String = "",
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [AttemptEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM attempts
            WHERE id > \(last) AND (\(run)::text IS NULL OR run_id = \(run)) ORDER BY id LIMIT \(limit)
            """
        ).map { try EventBody.event(AttemptEvent.self, of: $0) }
    }
}
