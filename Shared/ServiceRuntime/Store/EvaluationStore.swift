import Foundation
public import PostgresClient
public import Schemas

/// The tables `evaluations`, `evaluation_results`, `attempts` and `rollouts`, written by Evaluator.
public enum EvaluationStore {
    /// How a checkpoint did on one problem.
    public struct Result: Sendable, Hashable {
        /// The problem.
        public let problemID: String
        /// Whether the answer is the gold one.
        public let correct: Bool
        /// The answer that was found in the output.
        public let answer: String?
        /// The whole output.
        public let output: String

        /// Creates a result.
        public init(problemID: String, correct: Bool, answer: String?, output: String) {
            self.problemID = problemID
            self.correct = correct
            self.answer = answer
            self.output = output
        }
    }

    /// Writes an evaluation with the result of every problem.
    public static func insert(
        _ evaluation: EvaluationEvent,
        results: [Result],
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO evaluations (id, run_id, checkpoint_id, stage, suite, problems, correct, body)
            VALUES (\(evaluation.id), \(evaluation.runId), \(evaluation.checkpointId), \(evaluation.stage.rawValue),
                    \(evaluation.suite), \(evaluation.problems), \(evaluation.correct),
                    \(try EventBody.text(of: evaluation))::jsonb)
            """
        )
        for result in results {
            try await transaction.execute(
                """
                INSERT INTO evaluation_results (evaluation_id, problem_id, correct, answer, output)
                VALUES (\(evaluation.id), \(result.problemID), \(result.correct), \(result.answer), \(result.output))
                """
            )
        }
    }

    /// The evaluations of a run, oldest first.
    public static func evaluations(run: String, from pool: PostgresPool) async throws -> [EvaluationEvent] {
        try await pool.query(
            "SELECT body::text AS body FROM evaluations WHERE run_id = \(run) ORDER BY created_at, id"
        ).map { try EventBody.event(EvaluationEvent.self, of: $0) }
    }

    /// Which problems a stage of a run got right on a suite, by problem id.
    public static func outcomes(
        run: String,
        stage: TrainingStage,
        suite: String,
        from pool: PostgresPool
    ) async throws -> [String: Bool] {
        let rows = try await pool.query(
            """
            SELECT result.problem_id, result.correct FROM evaluation_results AS result
            JOIN evaluations ON evaluations.id = result.evaluation_id
            WHERE evaluations.run_id = \(run) AND evaluations.stage = \(stage.rawValue) AND evaluations.suite = \(suite)
            """
        )
        var outcomes: [String: Bool] = [:]
        for row in rows {
            outcomes[try row.get("problem_id", as: String.self)] = try row.get("correct", as: Bool.self)
        }
        return outcomes
    }

    /// Writes a whole roll-out: its attempts, and the row that says that they are all there.
    public static func insertRollout(
        checkpoint: String,
        run: String,
        attempts: [AttemptEvent],
        in transaction: PostgresTransaction
    ) async throws {
        for attempt in attempts {
            try await transaction.execute(
                """
                INSERT INTO attempts (id, run_id, checkpoint_id, problem_id, sample, correct, body)
                VALUES (\(attempt.id), \(attempt.runId), \(attempt.checkpointId), \(attempt.problemId),
                        \(attempt.sample), \(attempt.correct), \(try EventBody.text(of: attempt))::jsonb)
                ON CONFLICT (id) DO NOTHING
                """
            )
        }
        let wrong = attempts.count { !$0.correct }
        try await transaction.execute(
            """
            INSERT INTO rollouts (checkpoint_id, run_id, attempted, wrong)
            VALUES (\(checkpoint), \(run), \(attempts.count), \(wrong)) ON CONFLICT DO NOTHING
            """
        )
    }

    /// How many attempts a run's roll-out has, once it is whole, and how many of the wrong ones the teacher answered.
    public struct RolloutProgress: Sendable {
        /// Attempts made.
        public let attempted: Int
        /// Attempts with a wrong answer: each is sent to the teacher.
        public let wrong: Int
        /// Wrong attempts with a correction trace, verified or not.
        public let answered: Int
        /// Of these, the verified ones.
        public let verified: Int
        /// Seconds since the roll-out or the last answer came.
        public let waitedSeconds: Double
    }

    /// The progress of a run's roll-out; `nil` before it is whole.
    public static func rolloutProgress(run: String, from pool: PostgresPool) async throws -> RolloutProgress? {
        try await pool.query(
            """
            SELECT sum(attempted)::bigint AS attempted, sum(wrong)::bigint AS wrong,
                   (SELECT count(*) FROM traces WHERE run_id = \(run) AND kind = 'correction') AS answered,
                   (SELECT count(*) FROM traces WHERE run_id = \(run) AND kind = 'correction' AND verified) AS verified,
                   extract(epoch FROM now() - greatest(
                       max(created_at),
                       (SELECT max(created_at) FROM traces WHERE run_id = \(run) AND kind = 'correction')
                   ))::float8 AS waited
            FROM rollouts WHERE run_id = \(run) HAVING count(*) > 0
            """
        ).first.map { row in
            RolloutProgress(
                attempted: try row.get("attempted", as: Int.self),
                wrong: try row.get("wrong", as: Int.self),
                answered: try row.get("answered", as: Int.self),
                verified: try row.get("verified", as: Int.self),
                waitedSeconds: try row.get("waited", as: Double.self)
            )
        }
    }

    /// The wrong attempts of a run, in order of id.
    public static func wrongAttempts(run: String, from pool: PostgresPool) async throws -> [AttemptEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM attempts WHERE run_id = \(run) AND NOT correct ORDER BY id COLLATE "C"
            """
        ).map { try EventBody.event(AttemptEvent.self, of: $0) }
    }
}
