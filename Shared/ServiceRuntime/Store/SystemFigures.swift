public import PostgresClient

/// What a whole system is at, for `errata status`: from small tables and indexes, without a body of anything.
public struct SystemFigures: Sendable {
    /// Events of the outbox that wait for a relay.
    public struct Outbox: Sendable, Hashable {
        /// How many.
        public let events: Int
        /// Seconds that the oldest has waited; nil where there is none.
        public let oldestSeconds: Double?
    }

    /// What was spent on teachers in a day or for a run.
    public struct Spending: Sendable, Hashable {
        /// The run's id; nil for the day.
        public let run: String?
        /// Answers.
        public let calls: Int
        /// Tokens sent and received.
        public let tokens: Int
        /// Money by the prices of the time.
        public let cost: Double
        /// The most tokens that it may be; nil where there is no bound here.
        public let mostTokens: Int?
        /// The most money that it may be; nil where there is no bound here.
        public let mostCost: Double?
    }

    /// A stage of an active run that is being trained.
    public struct Training: Sendable, Hashable {
        /// Which it is.
        public let id: StageID
        /// The run's name.
        public let runName: String
        /// Optimizer steps done and planned.
        public let step: Int, totalSteps: Int
        /// The latest loss.
        public let loss: Double?
        /// Tokens trained on.
        public let tokens: Int
        /// Seconds since it was first begun.
        public let seconds: Double

        /// Makes the figures of a training.
        public init(
            id: StageID,
            runName: String,
            step: Int,
            totalSteps: Int,
            loss: Double?,
            tokens: Int,
            seconds: Double
        ) {
            self.id = id
            self.runName = runName
            self.step = step
            self.totalSteps = totalSteps
            self.loss = loss
            self.tokens = tokens
            self.seconds = seconds
        }
    }

    /// A table's size.
    public struct Table: Sendable, Hashable {
        /// The name.
        public let name: String
        /// Bytes with indexes and what is stored beside it.
        public let bytes: Int
        /// About how many rows, as the server last counted.
        public let rows: Int
    }

    /// The outbox.
    public let outbox: Outbox
    /// What today (UTC) cost so far.
    public let today: Spending
    /// What active runs with a budget of their own cost so far.
    public let budgets: [Spending]
    /// The stages that are being trained, oldest first.
    public let trainings: [Training]
    /// The largest tables and those that are always told of, largest first.
    public let tables: [Table]

    /// So many of the largest tables are told of.
    private static let shownTables = 8
    /// The tables that are told of whatever their size: what grows with each message, question and attempt.
    public static let followedTables = ["attempts", "inbox", "outbox", "teacher_calls"]

    /// Reads the figures.
    public static func read(from pool: PostgresPool) async throws -> SystemFigures {
        SystemFigures(
            outbox: try await outbox(pool),
            today: try await today(pool),
            budgets: try await budgets(pool),
            trainings: try await trainings(pool),
            tables: try await tables(pool)
        )
    }

    private static func outbox(_ pool: PostgresPool) async throws -> Outbox {
        let row = try await pool.first(
            """
            SELECT count(*) AS events, extract(epoch FROM now() - min(created_at))::float8 AS oldest
            FROM outbox WHERE published_at IS NULL AND refused_at IS NULL
            """
        )
        return Outbox(
            events: try row?.get("events", as: Int.self) ?? 0,
            oldestSeconds: try row?.get("oldest", as: Double?.self) ?? nil
        )
    }

    private static func today(_ pool: PostgresPool) async throws -> Spending {
        let row = try await pool.first(
            """
            SELECT calls, tokens, cost FROM teacher_spending
            WHERE scope = 'day:' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            """
        )
        return Spending(
            run: nil,
            calls: try row?.get("calls", as: Int.self) ?? 0,
            tokens: try row?.get("tokens", as: Int.self) ?? 0,
            cost: try row?.get("cost", as: Double.self) ?? 0,
            mostTokens: nil,
            mostCost: nil
        )
    }

    private static func budgets(_ pool: PostgresPool) async throws -> [Spending] {
        try await pool.query(
            """
            SELECT runs.id, coalesce(spent.calls, 0) AS calls, coalesce(spent.tokens, 0) AS tokens,
                   coalesce(spent.cost, 0)::float8 AS cost,
                   (runs.body->'teacherBudget'->>'tokens')::bigint AS most_tokens,
                   (runs.body->'teacherBudget'->>'cost')::float8 AS most_cost
            FROM runs LEFT JOIN teacher_spending AS spent ON spent.scope = 'run:' || runs.id
            WHERE runs.state = 'active' AND runs.body->'teacherBudget' IS NOT NULL ORDER BY runs.created_at, runs.id
            """
        ).map { row in
            Spending(
                run: try row.get("id", as: String.self),
                calls: try row.get("calls", as: Int.self),
                tokens: try row.get("tokens", as: Int.self),
                cost: try row.get("cost", as: Double.self),
                mostTokens: try row.get("most_tokens", as: Int?.self),
                mostCost: try row.get("most_cost", as: Double?.self)
            )
        }
    }

    private static func trainings(_ pool: PostgresPool) async throws -> [Training] {
        try await pool.query(
            """
            SELECT job.run_id, runs.name, job.round, job.stage, job.step, job.total_steps, job.loss, job.tokens,
                   coalesce(extract(epoch FROM now() - job.started_at), 0)::float8 AS seconds
            FROM training_jobs AS job JOIN runs ON runs.id = job.run_id
            WHERE job.state = 'running' AND runs.state = 'active' ORDER BY job.started_at, job.run_id, job.stage
            """
        ).map { row in
            Training(
                id: StageID(
                    run: try row.get("run_id", as: String.self),
                    round: try row.get("round", as: Int.self),
                    stage: try row.get("stage", as: String.self)
                ),
                runName: try row.get("name", as: String.self),
                step: try row.get("step", as: Int.self),
                totalSteps: try row.get("total_steps", as: Int.self),
                loss: try row.get("loss", as: Double?.self),
                tokens: try row.get("tokens", as: Int.self),
                seconds: try row.get("seconds", as: Double.self)
            )
        }
    }

    private static func tables(_ pool: PostgresPool) async throws -> [Table] {
        try await pool.query(
            """
            SELECT name, bytes, rows FROM (
                SELECT relname::text AS name, pg_total_relation_size(oid) AS bytes,
                       greatest(reltuples, 0)::bigint AS rows,
                       row_number() OVER (ORDER BY pg_total_relation_size(oid) DESC, relname) AS place
                FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
            ) AS sized
            WHERE place <= \(shownTables) OR name = ANY(\(followedTables)) ORDER BY place
            """
        ).map { row in
            Table(
                name: try row.get("name", as: String.self),
                bytes: try row.get("bytes", as: Int.self),
                rows: try row.get("rows", as: Int.self)
            )
        }
    }
}
