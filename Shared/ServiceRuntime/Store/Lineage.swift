public import Foundation
public import PostgresClient
public import Schemas

/// Where a checkpoint comes from: the checkpoints that it goes back to, what they learned from, and what that cost.
public struct Lineage: Sendable, Encodable {
    /// A checkpoint of the chain.
    public struct Link: Sendable, Encodable {
        /// The run.
        public let run: String
        /// The run's name.
        public let runName: String
        /// The checkpoint.
        public let checkpoint: CheckpointEvent
        /// When it was there.
        public let createdAt: Date
        /// The training problems that its stage learned from.
        public let problems: Int
        /// The corrections of students' attempts that its stage learned from.
        public let corrections: Int
        /// Its scores.
        public let evaluations: [EvaluationEvent]
        /// What was decided on it as a candidate.
        public let verdicts: [VerdictEvent]
    }

    /// The training problems of a data set.
    public struct Dataset: Sendable, Hashable, Encodable {
        /// The data set.
        public let name: String
        /// How many of its problems.
        public let problems: Int
    }

    /// Verified traces of one kind and origin.
    public struct Traces: Sendable, Hashable, Encodable {
        /// The kind, as ``TraceKind`` spells it.
        public let kind: String
        /// How a dual pair came to be.
        public let method: String?
        /// The prompt that gave them, and its version.
        public let prompt: String, promptVersion: String
        /// The teacher's model.
        public let model: String
        /// How many.
        public let count: Int
        /// Which, in order.
        public let ids: [String]
    }

    /// Answers of a teacher to one prompt.
    public struct Calls: Sendable, Hashable, Encodable {
        /// What the teacher was asked as.
        public let role: String
        /// The prompt and its version.
        public let prompt: String, promptVersion: String
        /// The teacher's model.
        public let model: String
        /// How many.
        public let answers: Int
        /// Tokens sent and received.
        public let promptTokens: Int, completionTokens: Int
        /// What they cost, by the prices of their time; nil where there were none.
        public let cost: Double?
    }

    /// The chain, the checkpoint itself first and the student that nothing was taught last.
    public let links: [Link]
    /// The problems that any stage of the chain learned from, by data set.
    public let datasets: [Dataset]
    /// The verified traces that the stages chose from: those of these problems, and the corrections, that there were when
    /// the checkpoint was made.
    ///
    /// The examples of each checkpoint say what its stage took.
    public let traces: [Traces]
    /// What a teacher answered about them until then, whoever paid for it first.
    public let calls: [Calls]
    /// Calls about them that gave no answer.
    public let failedCalls: Int
    /// Of these, the ones that a server may bill.
    public let maybeBilled: Int

    // MARK: Reading

    /// The lineage of a checkpoint.
    public static func of(_ checkpoint: CheckpointEvent, from pool: PostgresPool) async throws -> Lineage {
        var links: [Link] = []
        var seen: Set<String> = []
        var next: CheckpointEvent? = checkpoint
        while let current = next, seen.insert(current.id).inserted {
            links.append(try await link(current, from: pool))
            if let parent = current.parentCheckpointId {
                next = try await RunStore.checkpoint(parent, from: pool)
            } else {
                next = try await origin(of: current, from: pool)
            }
        }
        let learned = Learned(links.map(\.checkpoint), until: links.first?.createdAt ?? Date())
        let failed = try await learned.failedCalls(from: pool)
        return Lineage(
            links: links,
            datasets: try await learned.datasets(from: pool),
            traces: try await learned.traces(from: pool),
            calls: try await learned.calls(from: pool),
            failedCalls: failed.count,
            maybeBilled: failed.maybeBilled
        )
    }

    private static func link(_ checkpoint: CheckpointEvent, from pool: PostgresPool) async throws -> Link {
        let round = checkpoint.round ?? 1
        let row = try await pool.first(
            """
            SELECT checkpoints.created_at, runs.name,
                   (SELECT count(*) FROM stage_inputs WHERE run_id = runs.id AND round = \(round)
                    AND stage = \(checkpoint.stage) AND kind = 'problem') AS problems,
                   (SELECT count(*) FROM stage_inputs WHERE run_id = runs.id AND round = \(round)
                    AND stage = \(checkpoint.stage) AND kind = 'correction') AS corrections
            FROM checkpoints JOIN runs ON runs.id = checkpoints.run_id WHERE checkpoints.id = \(checkpoint.id)
            """
        )
        guard let row else { throw StoreError(table: "checkpoints", what: "no checkpoint '\(checkpoint.id)'") }
        let evaluations = try await EvaluationStore.evaluations(run: checkpoint.runId, from: pool)
        let verdicts = try await RoundStore.verdicts(of: checkpoint.runId, from: pool)
        return Link(
            run: checkpoint.runId,
            runName: try row.get("name", as: String.self),
            checkpoint: checkpoint,
            createdAt: try row.get("created_at", as: Date.self),
            problems: try row.get("problems", as: Int.self),
            corrections: try row.get("corrections", as: Int.self),
            evaluations: evaluations.filter { $0.checkpointId == checkpoint.id },
            verdicts: verdicts.filter { $0.candidateCheckpointId == checkpoint.id }
        )
    }

    /// The checkpoint of an earlier run whose model a run's student is; nil where it came from elsewhere.
    private static func origin(of initial: CheckpointEvent, from pool: PostgresPool) async throws -> CheckpointEvent? {
        try await pool.first(
            """
            SELECT origin.body::text AS body FROM checkpoints AS origin
            JOIN checkpoints AS initial ON initial.id = \(initial.id)
            WHERE origin.model_hash = initial.model_hash AND origin.stage <> \(RunStage.initial)
              AND origin.run_id <> initial.run_id AND origin.created_at <= initial.created_at
            ORDER BY origin.created_at, origin.id LIMIT 1
            """
        ).map { try EventBody.event(CheckpointEvent.self, of: $0) }
    }

    /// What some stages learned from, until a time.
    private struct Learned {
        let runs: [String]
        let rounds: [Int]
        let stages: [String]
        let end: Date

        init(_ checkpoints: [CheckpointEvent], until end: Date) {
            runs = checkpoints.map(\.runId)
            rounds = checkpoints.map { $0.round ?? 1 }
            stages = checkpoints.map(\.stage)
            self.end = end
        }

        /// The ids of problems and corrections as the table `learned`, with what a teacher was asked about as `subjects`.
        private var tables: SQL {
            """
            WITH learned AS (
                SELECT DISTINCT input.kind, input.id
                FROM unnest(\(runs)::text[], \(rounds)::bigint[], \(stages)::text[]) AS chain (run_id, round, stage)
                JOIN stage_inputs AS input
                  ON input.run_id = chain.run_id AND input.round = chain.round AND input.stage = chain.stage
            ), subjects AS (
                SELECT id FROM learned WHERE kind = 'problem'
                UNION
                SELECT traces.attempt_id FROM learned JOIN traces ON traces.id = learned.id
                WHERE learned.kind = 'correction' AND traces.attempt_id IS NOT NULL
            )
            """
        }

        func datasets(from pool: PostgresPool) async throws -> [Dataset] {
            try await pool.query(
                """
                \(tables)
                SELECT problems.dataset, count(*) AS problems FROM learned JOIN problems ON problems.id = learned.id
                WHERE learned.kind = 'problem' GROUP BY problems.dataset ORDER BY problems.dataset
                """
            ).map {
                Dataset(name: try $0.get("dataset", as: String.self), problems: try $0.get("problems", as: Int.self))
            }
        }

        func traces(from pool: PostgresPool) async throws -> [Traces] {
            try await pool.query(
                """
                \(tables), used AS (
                    SELECT traces.id FROM learned JOIN traces ON traces.problem_id = learned.id
                    WHERE learned.kind = 'problem' AND (traces.kind <> 'correction' OR traces.run_id IS NULL)
                    UNION
                    SELECT id FROM learned WHERE kind = 'correction'
                )
                SELECT traces.kind, traces.body->'body'->>'method' AS method,
                       coalesce(traces.body->'teacher'->>'promptId', '') AS prompt,
                       coalesce(traces.body->'teacher'->>'promptVersion', '') AS version,
                       coalesce(traces.body->'teacher'->>'model', '') AS model, count(*) AS count,
                       array_agg(traces.id ORDER BY traces.id COLLATE "C") AS ids
                FROM used JOIN traces ON traces.id = used.id
                WHERE traces.verified AND traces.created_at <= \(end)
                GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
                """
            ).map { row in
                Traces(
                    kind: try row.get("kind", as: String.self),
                    method: try row.get("method", as: String?.self),
                    prompt: try row.get("prompt", as: String.self),
                    promptVersion: try row.get("version", as: String.self),
                    model: try row.get("model", as: String.self),
                    count: try row.get("count", as: Int.self),
                    ids: try row.get("ids", as: [String].self)
                )
            }
        }

        func calls(from pool: PostgresPool) async throws -> [Calls] {
            try await pool.query(
                """
                \(tables)
                SELECT role, prompt_id, prompt_version, model, count(*) AS answers,
                       sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS completion_tokens,
                       sum(cost) AS cost
                FROM subjects JOIN teacher_calls ON teacher_calls.problem_id = subjects.id
                WHERE teacher_calls.created_at <= \(end)
                GROUP BY role, prompt_id, prompt_version, model ORDER BY role, prompt_id, prompt_version, model
                """
            ).map { row in
                Calls(
                    role: try row.get("role", as: String.self),
                    prompt: try row.get("prompt_id", as: String.self),
                    promptVersion: try row.get("prompt_version", as: String.self),
                    model: try row.get("model", as: String.self),
                    answers: try row.get("answers", as: Int.self),
                    promptTokens: try row.get("prompt_tokens", as: Int.self),
                    completionTokens: try row.get("completion_tokens", as: Int.self),
                    cost: try row.get("cost", as: Double?.self)
                )
            }
        }

        func failedCalls(from pool: PostgresPool) async throws -> (count: Int, maybeBilled: Int) {
            let row = try await pool.first(
                """
                \(tables)
                SELECT count(*) AS failed, count(*) FILTER (WHERE may_be_billed) AS billed
                FROM subjects JOIN teacher_failed_calls ON teacher_failed_calls.problem_id = subjects.id
                WHERE teacher_failed_calls.created_at <= \(end)
                """
            )
            return (try row?.get("failed", as: Int.self) ?? 0, try row?.get("billed", as: Int.self) ?? 0)
        }
    }
}

extension RunStore {
    /// The checkpoints whose id or model's hash is a text, or begins with it where it has eight characters or more, oldest
    /// first.
    public static func checkpoints(matching text: String, from pool: PostgresPool) async throws -> [CheckpointEvent] {
        let isLong = text.count >= 8
        return try await pool.query(
            """
            SELECT body::text AS body FROM checkpoints
            WHERE id = \(text) OR model_hash = \(text)
               OR \(isLong) AND (starts_with(id, \(text)) OR starts_with(model_hash, \(text)))
            ORDER BY created_at, id
            """
        ).map { try EventBody.event(CheckpointEvent.self, of: $0) }
    }
}
