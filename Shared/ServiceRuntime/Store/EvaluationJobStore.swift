public import PostgresClient
public import Schemas

/// The tables `evaluation_jobs`, `evaluation_pieces` and `evaluation_results`: what evaluators do, piece by piece.
public enum EvaluationJobStore {
    /// How far an evaluation is.
    public enum State: String, Sendable {
        /// For its problems.
        case waiting
        /// Its pieces are being done.
        case open
        /// There are scores.
        case done
        /// Nothing comes of it.
        case leftOut = "left-out"
    }

    /// The scoring of a checkpoint on a suite, or its roll-out for a round.
    public struct Job: Sendable, Hashable {
        /// The id of the evaluation that comes of it; of a roll-out an id of its own.
        public let id: String
        /// The run.
        public let run: String
        /// The checkpoint.
        public let checkpoint: String
        /// The suite's name; nil for a roll-out.
        public let suite: String?
        /// The round that a roll-out is for.
        public let round: Int
        /// How far it is.
        public let state: State
        /// Why it was left out.
        public let reason: String?
        /// Seconds since it was asked for.
        public let waitedSeconds: Double
        /// The solved problems that a few-shot suite shows before each question, in order.
        public let shots: [String]
        /// The trace in which it was asked for.
        public let trace: TraceContext?
    }

    /// Some of a job's problems.
    public struct Piece: Sendable, Hashable {
        /// The piece's place among the job's, from 0.
        public let number: Int
        /// The problems, in order.
        public let problems: [String]
        /// Seconds that it took; nil before it is done.
        public let seconds: Double?
        /// The number of problems in the pieces before it.
        public let offset: Int
    }

    /// The id of an evaluation.
    public static func evaluationID(checkpoint: String, suite: String) -> String {
        DeterministicID.make(cause: checkpoint, parts: "evaluation", suite)
    }

    /// The id of a roll-out.
    private static func rolloutID(checkpoint: String, round: Int) -> String {
        DeterministicID.make(cause: checkpoint, parts: "rollout", String(round))
    }

    /// Why a checkpoint's roll-out for a round was left out; nil where it was not.
    static func leftOutRollout(checkpoint: String, round: Int, from pool: PostgresPool) async throws -> String? {
        try await pool.first(
            """
            SELECT coalesce(reason, '') AS reason FROM evaluation_jobs
            WHERE id = \(rolloutID(checkpoint: checkpoint, round: round)) AND state = \(State.leftOut.rawValue)
            """
        )?.get("reason", as: String.self)
    }

    /// Asks for the scoring of a checkpoint on a suite; asking again changes nothing.
    public static func insert(
        suite: String,
        checkpoint: CheckpointEvent,
        in transaction: PostgresTransaction
    ) async throws {
        try await insert(
            evaluationID(checkpoint: checkpoint.id, suite: suite),
            run: checkpoint.runId,
            checkpoint: checkpoint.id,
            suite: suite,
            round: checkpoint.round ?? 1,
            in: transaction
        )
    }

    /// Asks for the roll-out of a checkpoint for a round; asking again changes nothing.
    public static func insertRollout(
        checkpoint: String,
        run: String,
        round: Int,
        in transaction: PostgresTransaction
    ) async throws {
        try await insert(
            rolloutID(checkpoint: checkpoint, round: round),
            run: run,
            checkpoint: checkpoint,
            suite: nil,
            round: round,
            in: transaction
        )
    }

    private static func insert(
        _ id: String,
        run: String,
        checkpoint: String,
        suite: String?,
        round: Int,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO evaluation_jobs (id, run_id, checkpoint_id, suite, round, trace_context)
            VALUES (\(id), \(run), \(checkpoint), \(suite), \(round), \(TraceContext.current?.text))
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// Jobs, oldest first.
    ///
    /// Arguments:
    ///   - run: only those of a run.
    ///   - unfinished: only those that are waiting or open, of runs that are active.
    public static func jobs(
        run: String? = nil,
        unfinished: Bool = false,
        from pool: PostgresPool
    ) async throws -> [Job] {
        try await pool.query(
            """
            SELECT job.id, job.run_id, job.checkpoint_id, job.suite, job.round, job.state, job.reason, job.shots,
                   job.trace_context,
                   extract(epoch FROM now() - job.created_at)::float8 AS waited
            FROM evaluation_jobs AS job JOIN runs ON runs.id = job.run_id
            WHERE (\(run)::text IS NULL OR job.run_id = \(run))
              AND (NOT \(unfinished) OR job.state IN ('waiting', 'open') AND runs.state = 'active')
            ORDER BY job.created_at, job.id
            """
        ).map { row in
            Job(
                id: try row.get("id", as: String.self),
                run: try row.get("run_id", as: String.self),
                checkpoint: try row.get("checkpoint_id", as: String.self),
                suite: try row.get("suite", as: String?.self),
                round: try row.get("round", as: Int.self),
                state: try row.named("state", in: "evaluation_jobs"),
                reason: try row.get("reason", as: String?.self),
                waitedSeconds: try row.get("waited", as: Double.self),
                shots: try row.get("shots", as: [String].self),
                trace: try row.traceContext()
            )
        }
    }

    /// Divides a waiting job's problems into pieces and opens it.
    ///
    /// Arguments:
    ///   - shots: the solved problems that are shown before each question.
    public static func open(
        _ id: String,
        problems: [String],
        shots: [String] = [],
        pieceSize: Int,
        in transaction: PostgresTransaction
    ) async throws {
        let opened = try await transaction.query(
            "UPDATE evaluation_jobs SET state = 'open', shots = \(shots) WHERE id = \(id) AND state = 'waiting' RETURNING id"
        )
        guard !opened.isEmpty else { return }
        try await transaction.execute(
            """
            INSERT INTO evaluation_pieces (job_id, piece, problem_ids)
            SELECT \(id), (place - 1) / \(pieceSize), array_agg(problem ORDER BY place)
            FROM unnest(\(problems)) WITH ORDINALITY AS listed (problem, place) GROUP BY 2
            """
        )
    }

    /// Writes down what keeps a job from going on, for people who look at it; nil when nothing does any more.
    public static func note(_ reason: String?, of id: String, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            UPDATE evaluation_jobs SET reason = \(reason)
            WHERE id = \(id) AND state IN ('waiting', 'open') AND reason IS DISTINCT FROM \(reason)
            """
        )
    }

    /// Ends a job.
    ///
    /// Arguments:
    ///   - leftOut: why nothing comes of it; nil where it is done.
    public static func finish(
        _ id: String,
        leftOut reason: String? = nil,
        in transaction: PostgresTransaction
    ) async throws {
        let state: State = reason == nil ? .done : .leftOut
        try await transaction.execute(
            """
            UPDATE evaluation_jobs SET state = \(state.rawValue), reason = \(reason), finished_at = now()
            WHERE id = \(id) AND state IN ('waiting', 'open')
            """
        )
    }

    /// The pieces of a job, in order.
    public static func pieces(of id: String, from pool: PostgresPool) async throws -> [Piece] {
        var offset = 0
        return try await pool.query(
            """
            SELECT piece, problem_ids, coalesce(seconds, 0) AS seconds, finished_at IS NOT NULL AS finished
            FROM evaluation_pieces WHERE job_id = \(id) ORDER BY piece
            """
        ).map { row in
            let problems = try row.get("problem_ids", as: [String].self)
            defer { offset += problems.count }
            let seconds = try row.get("seconds", as: Double.self)
            return Piece(
                number: try row.get("piece", as: Int.self),
                problems: problems,
                seconds: try row.get("finished", as: Bool.self) ? seconds : nil,
                offset: offset
            )
        }
    }

    /// Notes that a piece is done.
    public static func finish(
        piece: Int,
        of id: String,
        seconds: Double,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            UPDATE evaluation_pieces SET finished_at = now(), seconds = \(seconds)
            WHERE job_id = \(id) AND piece = \(piece)
            """
        )
    }

    // MARK: Results

    /// How a checkpoint did on one problem.
    public struct Result: Sendable, Hashable {
        /// The problem.
        public var problemID: String
        /// Whether the answer is the gold one.
        public var correct: Bool
        /// The answer that was found in the output.
        public var answer: String?
        /// The whole output.
        public var output: String
        /// Whether the output was cut off.
        public var truncated: Bool
        /// The tokens of the output; nil where an earlier version wrote the row.
        public var tokens: Int?
        /// The second pass, where one was asked for.
        public var second: Second?
        /// What graded the answers, as policy and version; nil where an earlier version wrote the row.
        public var grader: String?

        /// A second pass, in which the student corrects itself.
        public struct Second: Sendable, Hashable {
            /// The text.
            public var output: String
            /// Whether the answer that counts after it is the gold one.
            public var correct: Bool
            /// Whether an answer could be read.
            public var readable: Bool
            /// Whether it names a step.
            public var named: Bool
            /// Whether it was cut off; nil where an earlier version wrote the row.
            public var truncated: Bool?

            /// Creates a second pass.
            public init(output: String, correct: Bool, readable: Bool, named: Bool, truncated: Bool? = nil) {
                self.output = output
                self.correct = correct
                self.readable = readable
                self.named = named
                self.truncated = truncated
            }
        }

        /// Creates a result.
        public init(
            problemID: String,
            correct: Bool,
            answer: String?,
            output: String,
            truncated: Bool = false,
            tokens: Int? = nil,
            second: Second? = nil,
            grader: String? = nil
        ) {
            self.problemID = problemID
            self.correct = correct
            self.answer = answer
            self.output = output
            self.truncated = truncated
            self.tokens = tokens
            self.second = second
            self.grader = grader
        }
    }

    /// Writes the results of a piece under the id of the evaluation that they belong to; those that are there stay as
    /// they are.
    public static func insert(
        _ results: [Result],
        evaluation: String,
        in transaction: PostgresTransaction
    ) async throws {
        guard !results.isEmpty else { return }
        try await transaction.execute(
            """
            INSERT INTO evaluation_results (evaluation_id, problem_id, correct, answer, output, truncated, tokens,
                                            second_output, second_correct, second_readable, second_named, second_truncated,
                                            grader)
            SELECT \(evaluation), *
            FROM unnest(\(results.map(\.problemID)), \(results.map(\.correct)), \(results.map(\.answer)),
                        \(results.map(\.output)), \(results.map(\.truncated)), \(results.map(\.tokens)),
                        \(results.map(\.second?.output)), \(results.map(\.second?.correct)),
                        \(results.map(\.second?.readable)), \(results.map(\.second?.named)),
                        \(results.map(\.second?.truncated)), \(results.map(\.grader)))
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// The results of an evaluation, in order of problem id.
    public static func results(of evaluation: String, from pool: PostgresPool) async throws -> [Result] {
        try await pool.query(
            """
            SELECT problem_id, correct, answer, output, truncated, tokens, second_output, second_correct, second_readable,
                   second_named, second_truncated, grader
            FROM evaluation_results WHERE evaluation_id = \(evaluation) ORDER BY problem_id COLLATE "C"
            """
        ).map(result(of:))
    }

    static func result(of row: Row) throws -> Result {
        var result = Result(
            problemID: try row.get("problem_id", as: String.self),
            correct: try row.get("correct", as: Bool.self),
            answer: try row.get("answer", as: String?.self),
            output: try row.get("output", as: String.self),
            truncated: try row.get("truncated", as: Bool.self),
            tokens: try row.get("tokens", as: Int?.self),
            grader: try row.get("grader", as: String?.self)
        )
        if let output = try row.get("second_output", as: String?.self) {
            result.second = Result.Second(
                output: output,
                correct: try row.get("second_correct", as: Bool?.self) ?? false,
                readable: try row.get("second_readable", as: Bool?.self) ?? false,
                named: try row.get("second_named", as: Bool?.self) ?? false,
                truncated: try row.get("second_truncated", as: Bool?.self)
            )
        }
        return result
    }
}
