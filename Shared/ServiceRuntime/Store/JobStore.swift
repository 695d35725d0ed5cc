import Foundation
public import PostgresClient
public import Schemas

/// A stage in a round of a run.
public struct StageID: Sendable, Hashable {
    /// The run's id.
    public let run: String
    /// The round, from 1.
    public let round: Int
    /// The stage's name.
    public let stage: String

    /// Names a stage.
    public init(run: String, round: Int, stage: String) {
        self.run = run
        self.round = round
        self.stage = stage
    }
}

/// The tables `training_jobs` and `stage_inputs`.
public enum JobStore {
    /// How far the training of a stage is.
    public enum State: String, Sendable {
        /// It has not begun, or begins again.
        case waiting
        /// Somebody trains it, or did until a moment ago.
        case running
        /// There is a checkpoint.
        case done
        /// It cannot be trained.
        case failed
    }

    /// A stage to be trained, being trained, or done.
    public struct Job: Sendable {
        /// Which it is.
        public let id: StageID
        /// How far it is.
        public let state: State
        /// Why it failed.
        public let error: String?
        /// Optimizer steps done and planned.
        public let step: Int
        /// Optimizer steps planned; 0 before the start.
        public let totalSteps: Int
        /// The latest training loss.
        public let loss: Double?
        /// Tokens trained on.
        public let tokens: Int
        /// Seconds since the round began.
        public let waitedSeconds: Double
        /// Whether what it learns from is written down: it was started before.
        public let hasInputs: Bool
        /// The trace that its run came in.
        public let trace: TraceContext?
    }

    /// Jobs by run and state; without arguments all.
    ///
    /// Arguments:
    ///   - active: only those of runs that are active.
    public static func jobs(
        run: String? = nil,
        states: [State]? = nil,
        active: Bool = false,
        from pool: PostgresPool
    ) async throws -> [Job] {
        let states = states?.map(\.rawValue)
        return try await pool.query(
            """
            SELECT job.run_id, job.round, job.stage, job.state, job.error, job.step, job.total_steps, job.loss, job.tokens,
                   extract(epoch FROM now() - job.created_at)::float8 AS waited,
                   job.started_at IS NOT NULL AS has_inputs, runs.trace_context
            FROM training_jobs AS job JOIN runs ON runs.id = job.run_id
            WHERE (\(run)::text IS NULL OR job.run_id = \(run))
              AND (\(states)::text[] IS NULL OR job.state = ANY(\(states)))
              AND (NOT \(active) OR runs.state = 'active')
            ORDER BY job.created_at, job.run_id, job.round, job.stage
            """
        ).map { row in
            Job(
                id: StageID(
                    run: try row.get("run_id", as: String.self),
                    round: try row.get("round", as: Int.self),
                    stage: try row.get("stage", as: String.self)
                ),
                state: try row.named("state", in: "training_jobs"),
                error: try row.get("error", as: String?.self),
                step: try row.get("step", as: Int.self),
                totalSteps: try row.get("total_steps", as: Int.self),
                loss: try row.get("loss", as: Double?.self),
                tokens: try row.get("tokens", as: Int.self),
                waitedSeconds: try row.get("waited", as: Double.self),
                hasInputs: try row.get("has_inputs", as: Bool.self),
                trace: try row.traceContext()
            )
        }
    }

    /// What a stage learns from.
    public struct Inputs: Sendable, Hashable {
        /// The ids of its training problems.
        public var problems: [String]
        /// The ids of the correction traces.
        public var corrections: [String]
        /// The ids of its parent's attempts; nil for all of them.
        ///
        /// The snapshot alone keeps them.
        public var attempts: [String]?

        /// Collects ids.
        public init(problems: [String] = [], corrections: [String] = [], attempts: [String]? = nil) {
            self.problems = problems
            self.corrections = corrections
            self.attempts = attempts
        }
    }

    /// Notes that a stage is being trained, and what it learns from: what was noted the first time counts.
    ///
    /// - Returns: what it learns from; nil where the stage is done or has failed meanwhile.
    public static func start(
        _ id: StageID,
        inputs: Inputs,
        in transaction: PostgresTransaction
    ) async throws -> Inputs? {
        let rows = try await transaction.query(
            """
            UPDATE training_jobs AS job SET state = 'running', started_at = coalesce(job.started_at, now()), error = NULL
            FROM training_jobs AS old
            WHERE old.run_id = job.run_id AND old.round = job.round AND old.stage = job.stage
              AND job.run_id = \(id.run) AND job.round = \(id.round) AND job.stage = \(id.stage)
              AND job.state IN ('waiting', 'running')
            RETURNING old.started_at IS NOT NULL AS was_started
            """
        )
        guard let row = rows.first else { return nil }
        if try !row.get("was_started", as: Bool.self) {
            for (kind, ids) in [("problem", inputs.problems), ("correction", inputs.corrections)] {
                try await transaction.execute(
                    """
                    INSERT INTO stage_inputs (run_id, round, stage, kind, id)
                    SELECT \(id.run), \(id.round), \(id.stage), \(kind), unnest(\(ids)::text[])
                    ON CONFLICT DO NOTHING
                    """
                )
            }
        }
        var noted = Inputs(attempts: inputs.attempts)
        for row in try await transaction.query(
            """
            SELECT kind, id FROM stage_inputs
            WHERE run_id = \(id.run) AND round = \(id.round) AND stage = \(id.stage) ORDER BY id COLLATE "C"
            """
        ) {
            let value = try row.get("id", as: String.self)
            if try row.get("kind", as: String.self) == "problem" {
                noted.problems.append(value)
            } else {
                noted.corrections.append(value)
            }
        }
        return noted
    }

    /// Notes how far a stage has come; who trains it verifies its lease in the same transaction.
    public static func progressed(
        _ id: StageID,
        step: Int,
        totalSteps: Int,
        loss: Double?,
        tokens: Int,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            UPDATE training_jobs SET step = \(step), total_steps = \(totalSteps), loss = \(loss), tokens = \(tokens)
            WHERE run_id = \(id.run) AND round = \(id.round) AND stage = \(id.stage) AND state = 'running'
            """
        )
    }

    /// Notes that a stage cannot be trained, with the reason, and with it the stages that would follow on it.
    ///
    /// Who trains the stage verifies its lease in the same transaction.
    ///
    /// Arguments:
    ///   - unlessBegun: whether a stage that somebody trains is left to them: for who has no lease on it.
    public static func failed(
        _ id: StageID,
        followers: [String],
        error: String,
        unlessBegun: Bool = false,
        in transaction: PostgresTransaction
    ) async throws {
        let reason = "not trained, as the stage \(id.stage) failed"
        let ended = try await transaction.query(
            """
            UPDATE training_jobs SET state = 'failed', error = \(error), finished_at = now()
            WHERE run_id = \(id.run) AND round = \(id.round) AND stage = \(id.stage) AND state <> 'done'
              AND (state = 'waiting' OR NOT \(unlessBegun))
            RETURNING stage
            """
        )
        guard !ended.isEmpty else { return }
        try await transaction.execute(
            """
            UPDATE training_jobs SET state = 'failed', error = \(reason), finished_at = now()
            WHERE run_id = \(id.run) AND round = \(id.round) AND stage = ANY(\(followers)) AND state = 'waiting'
            """
        )
    }
}
