import Foundation
public import PostgresClient
public import Schemas

/// The tables `evaluations`, `evaluation_results`, `attempts` and `rollouts`, written by Evaluator.
public enum EvaluationStore {
    /// Writes an evaluation, whose results are there already, with its event's row.
    ///
    /// - Returns: whether it was not there before.
    public static func insert(_ evaluation: EvaluationEvent, in transaction: PostgresTransaction) async throws -> Bool {
        try await !transaction.query(
            """
            INSERT INTO evaluations (id, run_id, checkpoint_id, round, stage, suite, problems, correct, body)
            VALUES (\(evaluation.id), \(evaluation.runId), \(evaluation.checkpointId), \(evaluation.round ?? 1),
                    \(evaluation.stage), \(evaluation.suite), \(evaluation.problems), \(evaluation.correct),
                    \(try EventBody.text(of: evaluation))::jsonb)
            ON CONFLICT DO NOTHING RETURNING id
            """
        ).isEmpty
    }

    /// The evaluations of a run, oldest first.
    public static func evaluations(run: String, from pool: PostgresPool) async throws -> [EvaluationEvent] {
        try await pool.query(
            "SELECT body::text AS body FROM evaluations WHERE run_id = \(run) ORDER BY created_at, id"
        ).map { try EventBody.event(EvaluationEvent.self, of: $0) }
    }

    /// Which problems a checkpoint got right on a suite, by problem id.
    public static func outcomes(
        checkpoint: String,
        suite: String,
        from pool: PostgresPool
    ) async throws -> [String: Bool] {
        let rows = try await pool.query(
            """
            SELECT result.problem_id, result.correct FROM evaluation_results AS result
            JOIN evaluations ON evaluations.id = result.evaluation_id
            WHERE evaluations.checkpoint_id = \(checkpoint) AND evaluations.suite = \(suite)
            """
        )
        var outcomes: [String: Bool] = [:]
        for row in rows {
            outcomes[try row.get("problem_id", as: String.self)] = try row.get("correct", as: Bool.self)
        }
        return outcomes
    }

    /// Writes attempts; those that are there stay as they are.
    public static func insert(_ attempts: [AttemptEvent], in transaction: PostgresTransaction) async throws {
        guard !attempts.isEmpty else { return }
        let bodies = try attempts.map { try EventBody.text(of: $0) }
        try await transaction.execute(
            """
            INSERT INTO attempts (id, run_id, checkpoint_id, problem_id, sample, correct, grader, body)
            SELECT id, run_id, checkpoint_id, problem_id, sample, correct, grader, body::jsonb
            FROM unnest(\(attempts.map(\.id)), \(attempts.map(\.runId)), \(attempts.map(\.checkpointId)),
                        \(attempts.map(\.problemId)), \(attempts.map(\.sample)), \(attempts.map(\.correct)),
                        \(attempts.map(\.grader)), \(bodies))
                 AS made (id, run_id, checkpoint_id, problem_id, sample, correct, grader, body)
            ON CONFLICT (id) DO NOTHING
            """
        )
    }

    /// Says that all attempts of a checkpoint's roll-out for a round are there.
    public static func finishRollout(
        checkpoint: String,
        run: String,
        round: Int,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO rollouts (checkpoint_id, round, run_id, attempted, wrong)
            SELECT \(checkpoint), \(round), \(run), count(*), count(*) FILTER (WHERE NOT correct)
            FROM attempts WHERE checkpoint_id = \(checkpoint)
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// How many attempts a checkpoint's roll-out has, once it is whole, and how many of the wrong ones the teacher answered.
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

    /// The progress of a checkpoint's roll-out for a round; `nil` before it is whole.
    ///
    /// Arguments:
    ///   - onlyOwn: whether only the wrong attempts are counted that were made for the round, and not those of before.
    public static func rolloutProgress(
        checkpoint: String,
        round: Int = 1,
        onlyOwn: Bool = false,
        from pool: PostgresPool
    ) async throws -> RolloutProgress? {
        try await pool.query(
            """
            SELECT rollouts.attempted::bigint AS attempted,
                   CASE WHEN \(onlyOwn) THEN count(DISTINCT attempts.id) ELSE rollouts.wrong::bigint END AS wrong,
                   count(traces.id) AS answered, count(traces.id) FILTER (WHERE traces.verified) AS verified,
                   extract(epoch FROM now() - greatest(rollouts.created_at, max(traces.created_at)))::float8 AS waited
            FROM rollouts
            LEFT JOIN attempts ON attempts.checkpoint_id = rollouts.checkpoint_id AND NOT attempts.correct
                AND (NOT \(onlyOwn) OR \(roundOfAttempt) = rollouts.round)
            LEFT JOIN traces ON traces.attempt_id = attempts.id AND traces.kind = 'correction'
            WHERE rollouts.checkpoint_id = \(checkpoint) AND rollouts.round = \(round)
            GROUP BY rollouts.checkpoint_id, rollouts.attempted, rollouts.wrong, rollouts.created_at
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

    /// The round that an attempt was made for; attempts of before it was told are of the first.
    private static let roundOfAttempt: SQL = "coalesce((attempts.body->>'round')::integer, 1)"

    /// What a checkpoint's attempts were made at and for, in order of id.
    static func attemptPlaces(
        checkpoint: String,
        from pool: PostgresPool
    ) async throws -> [(id: String, problem: String, round: Int)] {
        try await pool.query(
            """
            SELECT id, problem_id, \(roundOfAttempt) AS round FROM attempts WHERE checkpoint_id = \(checkpoint)
            ORDER BY id COLLATE "C"
            """
        ).map {
            (
                try $0.get("id", as: String.self), try $0.get("problem_id", as: String.self),
                try $0.get("round", as: Int.self)
            )
        }
    }

    /// Whether a checkpoint has attempted a problem.
    public static func hasAttempts(checkpoint: String, from pool: PostgresPool) async throws -> Bool {
        try await pool.first("SELECT FROM attempts WHERE checkpoint_id = \(checkpoint) LIMIT 1") != nil
    }

    /// The roll-outs that the open rounds of active runs learn from.
    private static let openRollouts: SQL = """
        evaluation_jobs AS rollout
        JOIN runs ON runs.id = rollout.run_id AND runs.state = 'active'
        JOIN rounds ON rounds.run_id = rollout.run_id AND rounds.number = rollout.round AND rounds.ended_at IS NULL
        """

    /// Whether no open round of its run learns from an attempt's checkpoint any more: another one's mistakes are the
    /// student's present ones.
    public static func isStale(_ attempt: AttemptEvent, from pool: PostgresPool) async throws -> Bool {
        try await pool.first(
            """
            SELECT FROM \(openRollouts)
            WHERE rollout.checkpoint_id = \(attempt.checkpointId) AND rollout.run_id = \(attempt.runId)
              AND rollout.suite IS NULL
            LIMIT 1
            """
        ) == nil
    }

    /// Whether the teacher has not answered some wrong attempt that an open round of a run learns from.
    public static func waitsForCorrections(run: String, from pool: PostgresPool) async throws -> Bool {
        try await pool.first(
            """
            SELECT FROM \(openRollouts)
            JOIN attempts ON attempts.checkpoint_id = rollout.checkpoint_id AND NOT attempts.correct
            WHERE rollout.run_id = \(run) AND rollout.suite IS NULL
              AND NOT EXISTS (SELECT FROM traces WHERE traces.attempt_id = attempts.id)
            LIMIT 1
            """
        ) != nil
    }

    /// An attempt by its id.
    public static func attempt(_ id: String, from pool: PostgresPool) async throws -> AttemptEvent? {
        try await pool.first("SELECT body::text AS body FROM attempts WHERE id = \(id)")
            .map { try EventBody.event(AttemptEvent.self, of: $0) }
    }

    /// The attempts of a checkpoint, in order of id.
    public static func attempts(checkpoint: String, from pool: PostgresPool) async throws -> [AttemptEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM attempts WHERE checkpoint_id = \(checkpoint) ORDER BY id COLLATE "C"
            """
        ).map { try EventBody.event(AttemptEvent.self, of: $0) }
    }
}
