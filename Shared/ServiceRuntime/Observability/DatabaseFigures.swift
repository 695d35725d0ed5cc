public import PostgresClient

/// What the tables say of the system's state, for `/metrics`: each a few queries over indexes or small tables.
public enum DatabaseFigures {
    /// More unpublished events, or stored messages, than this are not counted one by one.
    private static let mostCounted = 100_000

    /// The outbox, the dead letters, and the messages that wait in the database.
    static func delivery(in transaction: PostgresTransaction) async throws -> [MetricSample] {
        var samples: [MetricSample] = []
        let outbox = try await transaction.first(
            """
            SELECT (SELECT count(*) FROM (
                       SELECT FROM outbox WHERE published_at IS NULL AND refused_at IS NULL LIMIT \(mostCounted)
                   ) AS unpublished) AS events,
                   coalesce(extract(epoch FROM now() - (
                       SELECT created_at FROM outbox WHERE published_at IS NULL AND refused_at IS NULL
                       ORDER BY sequence LIMIT 1
                   )), 0)::float8 AS age
            """
        )
        if let outbox {
            samples.append(MetricSample(.outboxUnpublished, count: try outbox.get("events", as: Int.self)))
            samples.append(MetricSample(.outboxOldestAge, max(0, try outbox.get("age", as: Double.self))))
        }
        for row in try await transaction.query(
            """
            SELECT consumer, cause_code, count(*) AS letters FROM dead_letters
            WHERE replayed_at IS NULL AND \(DeadLetters.stateColumn) = 'open'
            GROUP BY consumer, cause_code ORDER BY letters DESC, consumer, cause_code LIMIT 100
            """
        ) {
            let labels = [
                "consumer": try row.get("consumer", as: String.self),
                "cause": try row.get("cause_code", as: String.self),
            ]
            samples.append(MetricSample(.deadLetters, count: try row.get("letters", as: Int.self), labels))
        }
        for row in try await transaction.query(
            """
            SELECT consumer, count(*) AS messages, extract(epoch FROM now() - min(parked_at))::float8 AS age
            FROM parked_messages WHERE NOT on_arrival
            GROUP BY consumer ORDER BY consumer LIMIT 100
            """
        ) {
            let labels = ["consumer": try row.get("consumer", as: String.self)]
            samples.append(MetricSample(.parkedMessages, count: try row.get("messages", as: Int.self), labels))
            samples.append(MetricSample(.parkedOldestAge, max(0, try row.get("age", as: Double.self)), labels))
        }
        for row in try await transaction.query(
            """
            SELECT consumer, count(*) AS messages, extract(epoch FROM now() - min(parked_at))::float8 AS age
            FROM (
                SELECT consumer, parked_at FROM parked_messages WHERE on_arrival
                ORDER BY consumer, sequence LIMIT \(mostCounted)
            ) AS arrivals
            GROUP BY consumer ORDER BY consumer LIMIT 100
            """
        ) {
            let labels = ["consumer": try row.get("consumer", as: String.self)]
            samples.append(MetricSample(.storedMessages, count: try row.get("messages", as: Int.self), labels))
            samples.append(MetricSample(.storedOldestAge, max(0, try row.get("age", as: Double.self)), labels))
        }
        return samples
    }

    /// What was paid for the teacher, and why it is not asked now.
    public static func teacher(in transaction: PostgresTransaction) async throws -> [MetricSample] {
        var samples: [MetricSample] = []
        // One row a day; those of runs hold the same calls once more.
        let paid = try await transaction.first(
            """
            SELECT coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(tokens), 0)::bigint AS tokens,
                   coalesce(sum(cost), 0)::float8 AS cost
            FROM teacher_spending WHERE scope LIKE 'day:%'
            """
        )
        if let paid {
            samples.append(MetricSample(.teacherLedgerCalls, count: try paid.get("calls", as: Int.self)))
            samples.append(MetricSample(.teacherLedgerTokens, count: try paid.get("tokens", as: Int.self)))
            samples.append(MetricSample(.teacherLedgerCost, try paid.get("cost", as: Double.self)))
        }
        for row in try await transaction.query(
            """
            SELECT kinds.kind, count(paused.server) AS pauses,
                   coalesce(extract(epoch FROM now() - min(paused.since)), 0)::float8 AS age
            FROM unnest(ARRAY['server', 'budget', 'run']) AS kinds (kind)
            LEFT JOIN teacher_pauses AS paused ON kinds.kind = CASE
                WHEN paused.server = 'budget' THEN 'budget' WHEN paused.server LIKE 'run:%' THEN 'run' ELSE 'server' END
            GROUP BY kinds.kind
            """
        ) {
            let labels = ["kind": try row.get("kind", as: String.self)]
            samples.append(MetricSample(.teacherPauses, count: try row.get("pauses", as: Int.self), labels))
            samples.append(MetricSample(.teacherOldestPauseAge, max(0, try row.get("age", as: Double.self)), labels))
        }
        return samples
    }

    /// The stages of active runs.
    public static func training(in transaction: PostgresTransaction) async throws -> [MetricSample] {
        var samples: [MetricSample] = []
        for row in try await transaction.query(
            """
            SELECT states.state, count(job.stage) AS jobs,
                   coalesce(extract(epoch FROM now() - min(job.created_at)), 0)::float8 AS age
            FROM unnest(ARRAY['waiting', 'running', 'failed']) AS states (state)
            LEFT JOIN (
                SELECT job.stage, job.state, job.created_at FROM training_jobs AS job
                JOIN runs ON runs.id = job.run_id AND runs.state = 'active'
            ) AS job ON job.state = states.state
            GROUP BY states.state
            """
        ) {
            let state = try row.get("state", as: String.self)
            samples.append(MetricSample(.trainingJobs, count: try row.get("jobs", as: Int.self), ["state": state]))
            guard state == "waiting" else { continue }
            samples.append(MetricSample(.trainingOldestWaitingAge, max(0, try row.get("age", as: Double.self))))
        }
        return samples
    }

    /// Evaluations that are to be done, and the scores of those that are.
    public static func evaluation(in transaction: PostgresTransaction) async throws -> [MetricSample] {
        var samples: [MetricSample] = []
        var oldest = 0.0
        for row in try await transaction.query(
            """
            SELECT states.state, count(job.id) AS jobs,
                   coalesce(extract(epoch FROM now() - min(job.created_at)), 0)::float8 AS age
            FROM unnest(ARRAY['waiting', 'open']) AS states (state)
            LEFT JOIN (
                SELECT job.id, job.state, job.created_at FROM evaluation_jobs AS job
                JOIN runs ON runs.id = job.run_id AND runs.state = 'active'
                WHERE job.state IN ('waiting', 'open')
            ) AS job ON job.state = states.state
            GROUP BY states.state
            """
        ) {
            let state = try row.get("state", as: String.self)
            samples.append(MetricSample(.evaluationJobs, count: try row.get("jobs", as: Int.self), ["state": state]))
            oldest = max(oldest, try row.get("age", as: Double.self))
        }
        samples.append(MetricSample(.evaluationOldestAge, oldest))
        for row in try await transaction.query(
            """
            SELECT evaluation.run_id, evaluation.round, evaluation.stage, evaluation.suite, evaluation.problems,
                   evaluation.correct, coalesce(left(runs.body #>> '{student,modelHash}', 12), '') AS student
            FROM evaluations AS evaluation JOIN runs ON runs.id = evaluation.run_id
            WHERE (runs.state = 'active' OR runs.ended_at > now() - interval '1 day') AND evaluation.problems > 0
            ORDER BY evaluation.created_at DESC, evaluation.id LIMIT 500
            """
        ) {
            let labels = [
                "run": try row.get("run_id", as: String.self), "round": "\(try row.get("round", as: Int.self))",
                "stage": try row.get("stage", as: String.self), "suite": try row.get("suite", as: String.self),
                "student": try row.get("student", as: String.self),
            ]
            let problems = Double(try row.get("problems", as: Int.self))
            let correct = Double(try row.get("correct", as: Int.self))
            samples.append(MetricSample(.evaluationScore, correct / problems, labels))
        }
        return samples
    }
}
