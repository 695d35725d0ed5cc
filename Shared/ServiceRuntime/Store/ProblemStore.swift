import Foundation
public import PostgresClient
public import Schemas

/// The table `problems`, written by TeacherIngestion.
public enum ProblemStore {
    /// Writes what came of a vote on a problem's answer; with an answer it is a problem like any other.
    public static func answer(
        _ id: String,
        with answer: String?,
        votes: Int,
        agreeing: Int,
        answers: [String],
        run: String,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO problem_votes (problem_id, answer, votes, agreeing, answers, run_id)
            VALUES (\(id), \(answer), \(votes), \(agreeing), \(answers), \(run))
            ON CONFLICT (problem_id) DO UPDATE SET answer = excluded.answer, votes = excluded.votes,
                agreeing = excluded.agreeing, answers = excluded.answers, run_id = excluded.run_id, created_at = now()
            """
        )
        guard let answer else { return }
        try await transaction.execute(
            """
            UPDATE problems SET answer = \(answer), answer_source = \(AnswerSource.agreed.rawValue), state = 'registered'
            WHERE id = \(id) AND state = 'unanswered'
            """
        )
    }

    /// The problems of a data set that have no answer, in order of id, each with the trace that it came in.
    ///
    /// Arguments:
    ///   - last, limit: the first so many of those behind a problem.
    public static func unanswered(
        dataset: String,
        after last: String,
        limit: Int,
        from database: some PostgresQueryable
    ) async throws -> [(id: String, trace: TraceContext?)] {
        try await database.query(
            """
            SELECT id, trace_context FROM problems
            WHERE dataset = \(dataset) AND state = 'unanswered' AND id COLLATE "C" > \(last)
            ORDER BY id COLLATE "C" LIMIT \(limit)
            """
        ).map { (try $0.get("id", as: String.self), try $0.traceContext()) }
    }

    /// How far the teacher's work on a problem has come.
    public enum State: String, Sendable {
        /// No teacher was asked: it is kept for evaluation or roll-out, or no run needs more of it yet.
        case registered
        /// There is no answer to verify by; a run may have the teacher asked for one.
        case unanswered
        /// What runs need was asked of the teacher.
        case ingested
        /// Left out: it is the same as another problem of its dataset that is learned from.
        case duplicate
        /// Left out: it gives away a problem of an evaluation set of its dataset.
        case contaminated
    }

    /// What stands against a problem whose id is there already; nil where it is the same problem.
    public static func conflict(of problem: ProblemEvent, with known: ProblemEvent) -> String? {
        let differences = [
            ("question", known.question == problem.question),
            // An answer that the teacher's samples agreed on is not the producer's.
            ("answer", (known.answerSource == .agreed ? "" : known.answer) == problem.answer),
            ("solution", known.solution == problem.solution), ("dataset", known.dataset == problem.dataset),
            ("split", known.split == problem.split),
        ].filter { !$0.1 }.map(\.0)
        guard !differences.isEmpty else { return nil }
        return
            "problem \(problem.id) is there already with another \(differences.joined(separator: " and ")); give the "
            + "new one an id of its own"
    }

    /// Writes a problem.
    ///
    /// A problem that is there already is left as it is.
    ///
    /// Arguments:
    ///   - taught: what the teacher was asked for; everything of an ingested problem where it is nil.
    public static func insert(
        _ problem: ProblemEvent,
        state: State,
        taught: Set<TeachingPart>? = nil,
        in transaction: PostgresTransaction
    ) async throws {
        let taught = taught ?? (state == .ingested ? .all : [])
        try await transaction.execute(
            """
            INSERT INTO problems (id, dataset, split, question, solution, answer, answer_source, family, steps, difficulty,
                                  state, taught, trace_context)
            VALUES (\(problem.id), \(problem.dataset), \(problem.split.rawValue), \(problem.question),
                    \(problem.solution), \(problem.answer), \(problem.answerSource?.rawValue), \(problem.family),
                    \(problem.steps), \(problem.difficulty), \(state.rawValue), \(taught.names),
                    \(TraceContext.current?.text))
            ON CONFLICT (id) DO NOTHING
            """
        )
    }

    /// How far the teacher's work on a problem has come, and what it was asked for; nil where there is no such problem.
    public static func progress(
        of id: String,
        from database: some PostgresQueryable
    ) async throws -> (state: State, taught: Set<TeachingPart>)? {
        guard let row = try await database.first("SELECT state, taught FROM problems WHERE id = \(id)") else {
            return nil
        }
        let state = try row.named("state", in: "problems", as: State.self)
        return (state, Set(names: try row.get("taught", as: [String].self)))
    }

    /// Adds to what the teacher was asked for; a problem that is not left out is then ingested.
    public static func add(
        _ parts: Set<TeachingPart>,
        to id: String,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            UPDATE problems
            SET taught = (SELECT array_agg(DISTINCT part ORDER BY part) FROM unnest(taught || \(parts.names)) AS part),
                state = CASE state WHEN 'registered' THEN 'ingested' ELSE state END
            WHERE id = \(id)
            """
        )
    }

    /// One problem by its id.
    public static func problem(_ id: String, from pool: PostgresPool) async throws -> ProblemEvent? {
        try await pool.query(
            """
            SELECT \(columns)
            FROM problems WHERE id = \(id)
            """
        ).first.map(problem(of:))
    }

    /// The ids of the training problems of a selection of which something that is needed is there, in order.
    public static func ids(_ selection: TrainingSelection, from pool: PostgresPool) async throws -> [String] {
        try await pool.query(
            """
            SELECT id FROM problems WHERE \(selection.limitedCondition) AND \(selection.isTaught) ORDER BY id COLLATE "C"
            """
        ).map { try $0.get("id", as: String.self) }
    }

    /// Problems by their ids, in order of id.
    public static func problems(ids: [String], from pool: PostgresPool) async throws -> [ProblemEvent] {
        try await pool.query(
            """
            SELECT \(columns)
            FROM problems
            WHERE id = ANY(\(ids)) ORDER BY id COLLATE "C"
            """
        ).map(problem(of:))
    }

    /// The number of problems of a dataset's split.
    public static func count(dataset: String, split: ProblemSplit, from pool: PostgresPool) async throws -> Int {
        try await pool.query(
            "SELECT count(*) AS count FROM problems WHERE dataset = \(dataset) AND split = \(split.rawValue)"
        ).first?.get("count", as: Int.self) ?? 0
    }

    /// The problems of a dataset's split in order of id, so that every reader sees the same order.
    public static func problems(
        dataset: String,
        split: ProblemSplit,
        limit: Int? = nil,
        from pool: PostgresPool
    ) async throws -> [ProblemEvent] {
        try await pool.query(
            """
            SELECT \(columns)
            FROM problems
            WHERE dataset = \(dataset) AND split = \(split.rawValue) ORDER BY id COLLATE "C" LIMIT \(limit)
            """
        ).map(problem(of:))
    }

    /// How many training problems the datasets of a run have, and how many of them it leaves out for their overlaps.
    public static func trainingCounts(
        of run: RunEvent,
        from pool: PostgresPool
    ) async throws -> (problems: Int, leftOut: Int) {
        let row = try await pool.query(
            """
            SELECT count(*) AS problems,
                   count(*) FILTER (WHERE NOT (\(OverlapCondition(datasets: run.learnedDatasets, run).sql))) AS left_out
            FROM problems WHERE split = 'train' AND dataset = ANY(\(run.learnedDatasets))
            """
        ).first
        return (try row?.get("problems", as: Int.self) ?? 0, try row?.get("left_out", as: Int.self) ?? 0)
    }

    /// The problems that a run's students attempt, in order of id: those of its roll-out's split that are not left out.
    public static func rollout(
        of run: RunEvent,
        _ options: RolloutOptions,
        notAttemptedBy checkpoint: String,
        from pool: PostgresPool
    ) async throws -> [ProblemEvent] {
        try await pool.query(
            """
            SELECT \(columns)
            FROM problems
            WHERE dataset = \(run.dataset) AND split = \(options.split.rawValue)
              AND \(OverlapCondition(datasets: options.split == .train ? [] : run.learnedDatasets, run).sql)
              AND id NOT IN (SELECT problem_id FROM attempts WHERE checkpoint_id = \(checkpoint))
            ORDER BY id COLLATE "C" LIMIT \(options.limit)
            """
        ).map(problem(of:))
    }

    /// The columns that make a problem.
    static let columns: SQL = "id, dataset, split, question, solution, answer, answer_source, family, steps, difficulty"

    /// The problem of a row with all ``columns``.
    static func problem(of row: Row) throws -> ProblemEvent {
        ProblemEvent(
            id: try row.get("id", as: String.self),
            dataset: try row.get("dataset", as: String.self),
            split: try row.named("split", in: "problems"),
            question: try row.get("question", as: String.self),
            solution: try row.get("solution", as: String?.self),
            answer: try row.get("answer", as: String.self),
            answerSource: try row.get("answer_source", as: String?.self).flatMap(AnswerSource.init(rawValue:)),
            family: try row.get("family", as: String?.self),
            steps: try row.get("steps", as: Int?.self),
            difficulty: try row.get("difficulty", as: String?.self)
        )
    }
}
