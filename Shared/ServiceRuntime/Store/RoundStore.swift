import Foundation
public import PostgresClient
public import Schemas

/// The tables `rounds` and `verdicts`.
public enum RoundStore {
    /// One training of all stages of a run.
    public struct Round: Sendable, Hashable {
        /// The round's number, from 1.
        public let number: Int
        /// What `champion` means in it.
        public let champion: String
        /// What stages whose parent is `initial` start from.
        public let start: String
        /// Whether its candidate has been judged, or there is none to be judged.
        public let isOver: Bool
        /// Seconds since it was over.
        public let secondsOver: Double

        /// The id of the checkpoint that a stage of a run starts from in this round.
        public func parent(of stage: RunStage, run: String) -> String {
            switch stage.parentName {
            case RunStage.initial: start
            case RunStage.champion: champion
            case let name: CheckpointEvent.id(run: run, round: number, stage: name)
            }
        }
    }

    /// Begins a round: its row, and a waiting job a stage; one that is there stays as it is.
    ///
    /// Arguments:
    ///   - champion: the checkpoint that is the champion.
    ///   - from: the checkpoint that stages whose parent is `initial` start from.
    ///   - reason: what started it, in words.
    public static func start(
        _ run: RunEvent,
        round: Int,
        champion: String,
        from start: String,
        reason: String,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO rounds (run_id, number, champion_checkpoint_id, start_checkpoint_id, reason)
            VALUES (\(run.id), \(round), \(champion), \(start), \(reason)) ON CONFLICT DO NOTHING
            """
        )
        try await transaction.execute(
            """
            INSERT INTO training_jobs (run_id, round, stage)
            SELECT \(run.id), \(round), unnest(\(run.stages(ofRound: round).map(\.name))) ON CONFLICT DO NOTHING
            """
        )
    }

    /// The rounds of a run, in order.
    public static func rounds(of run: String, from pool: PostgresPool) async throws -> [Round] {
        try await pool.query(
            """
            SELECT number, champion_checkpoint_id, start_checkpoint_id, ended_at IS NOT NULL AS over,
                   coalesce(extract(epoch FROM now() - ended_at), 0)::float8 AS seconds
            FROM rounds WHERE run_id = \(run) ORDER BY number
            """
        ).map { row in
            Round(
                number: try row.get("number", as: Int.self),
                champion: try row.get("champion_checkpoint_id", as: String.self),
                start: try row.get("start_checkpoint_id", as: String.self),
                isOver: try row.get("over", as: Bool.self),
                secondsOver: try row.get("seconds", as: Double.self)
            )
        }
    }

    /// Ends a round.
    public static func end(_ run: String, round: Int, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            "UPDATE rounds SET ended_at = now() WHERE run_id = \(run) AND number = \(round) AND ended_at IS NULL"
        )
    }

    /// Writes a verdict; one that is there stays as it is.
    public static func insert(_ verdict: VerdictEvent, in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            """
            INSERT INTO verdicts (id, run_id, round, decision, decider, body)
            VALUES (\(verdict.id), \(verdict.runId), \(verdict.round), \(verdict.decision.rawValue),
                    \(verdict.by.rawValue), \(try EventBody.text(of: verdict))::jsonb)
            ON CONFLICT (id) DO NOTHING
            """
        )
    }

    /// The verdicts of a run, oldest first.
    public static func verdicts(of run: String, from pool: PostgresPool) async throws -> [VerdictEvent] {
        try await pool.query("SELECT body::text AS body FROM verdicts WHERE run_id = \(run) ORDER BY created_at, id")
            .map { try EventBody.event(VerdictEvent.self, of: $0) }
    }

    /// The checkpoint that is the champion now, after the run's verdicts; nil before the run was taken up.
    public static func champion(of run: String, from pool: PostgresPool) async throws -> String? {
        guard let first = try await rounds(of: run, from: pool).first else { return nil }
        return champion(first.champion, after: try await verdicts(of: run, from: pool))
    }

    /// The champion after verdicts, oldest first: the latest verdict of each round counts.
    public static func champion(_ initial: String, after verdicts: [VerdictEvent]) -> String {
        var last: [Int: VerdictEvent] = [:]
        for verdict in verdicts { last[verdict.round] = verdict }
        return last.sorted { $0.key < $1.key }.reduce(initial) { champion, round in
            round.value.decision == .promote ? round.value.candidateCheckpointId ?? champion : champion
        }
    }

    /// The runs of verdicts that the models' names do not follow yet, oldest first.
    public static func unnamed(from pool: PostgresPool) async throws -> [RunEvent] {
        try await pool.query(
            """
            SELECT body::text AS body FROM runs WHERE id IN (SELECT run_id FROM verdicts WHERE named_at IS NULL)
            ORDER BY created_at, id
            """
        ).map { try EventBody.event(RunEvent.self, of: $0) }
    }

    /// The ids of a run's verdicts that the models' names do not follow yet.
    public static func unnamed(of run: String, from pool: PostgresPool) async throws -> [String] {
        try await pool.values("SELECT id FROM verdicts WHERE run_id = \(run) AND named_at IS NULL", as: String.self)
    }

    /// Notes that the models' names follow verdicts.
    public static func named(_ verdicts: [String], in transaction: PostgresTransaction) async throws {
        try await transaction.execute("UPDATE verdicts SET named_at = now() WHERE id = ANY(\(verdicts))")
    }

    /// The number of training problems that a stage of a run may learn from in a round, and none has learned from yet.
    ///
    /// Those that the teacher was asked about count, whatever came of it, so that the number does not hang on which answers
    /// were refused; but where nothing at all came of them that a stage could learn from, there is no new one.
    public static func newProblems(
        for run: RunEvent,
        round: Int,
        from pool: PostgresPool
    ) async throws -> Int {
        var new: Set<String> = []
        var isAnyLearnable = false
        for stage in run.stages(ofRound: round) {
            let onlyNew = run.rounds?.learnsFromNew ?? false
            let selection = TrainingSelection(stage, of: run, round: round, onlyNew: onlyNew)
            let isNew: SQL = """
                \(selection.limitedCondition) AND \(selection.isTaught) AND NOT EXISTS (
                    SELECT 1 FROM stage_inputs AS learned
                    WHERE learned.run_id = \(run.id) AND learned.kind = 'problem' AND learned.id = problems.id
                )
                """
            let found = try await pool.values("SELECT id FROM problems WHERE \(isNew)", as: String.self)
            new.formUnion(found)
            guard !isAnyLearnable, !found.isEmpty else { continue }
            let kinds = (selection.needs ?? []).traces.map(\.rawValue)
            let learnable: SQL = """
                SELECT FROM problems WHERE \(isNew) AND EXISTS (
                    SELECT FROM traces WHERE problem_id = problems.id AND kind = ANY(\(kinds)) AND verified
                ) LIMIT 1
                """
            if kinds.isEmpty {
                // A stage that needs nothing of the teacher learns from the problems themselves.
                isAnyLearnable = true
            } else {
                isAnyLearnable = try await pool.first(learnable) != nil
            }
        }
        return isAnyLearnable ? new.count : 0
    }
}
