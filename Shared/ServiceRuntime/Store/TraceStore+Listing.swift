public import PostgresClient
public import Schemas

/// Which traces are looked at; all where nothing is said.
public struct TraceFilter: Sendable, Hashable {
    /// Only those of a problem.
    public var problem: String?
    /// Only those of a dataset's problems.
    public var dataset: String?
    /// Only the corrections, and the verdicts on them, of a run.
    public var run: String?
    /// Only those of a kind.
    public var kind: TraceKind?
    /// Only those that are not verified.
    public var onlyRefused: Bool

    /// Makes a filter.
    public init(
        problem: String? = nil,
        dataset: String? = nil,
        run: String? = nil,
        kind: TraceKind? = nil,
        onlyRefused: Bool = false
    ) {
        self.problem = problem
        self.dataset = dataset
        self.run = run
        self.kind = kind
        self.onlyRefused = onlyRefused
    }

    /// The condition on a row of `traces` joined with `problems`.
    var condition: SQL {
        """
        (\(problem)::text IS NULL OR traces.problem_id = \(problem))
        AND (\(dataset)::text IS NULL OR problems.dataset = \(dataset))
        AND (\(run)::text IS NULL OR traces.run_id = \(run))
        AND (\(kind?.rawValue)::text IS NULL OR traces.kind = \(kind?.rawValue))
        AND (NOT \(onlyRefused) OR NOT traces.verified)
        """
    }
}

/// What the teacher gave, for people who look at it.
extension TraceStore {
    /// Traces that were refused for one kind of reason.
    public struct Refusals: Sendable, Hashable {
        /// The kind of trace, as ``TraceKind`` spells it.
        public let kind: String
        /// The kind of reason; `-` of traces that are older than it.
        public let failureKind: String
        /// The number of them.
        public let count: Int
        /// One of the reasons, in words.
        public let example: String
    }

    /// What stands for the kind of reason of a trace that tells none.
    public static let unknownFailureKind = "-"

    /// Traces in order of id, so that a page begins behind the last id of the one before.
    ///
    /// Arguments:
    ///   - last: the id behind which the page begins; empty for the first page.
    ///   - limit: the most traces of the page.
    public static func traces(
        _ filter: TraceFilter,
        after last: String = "",
        limit: Int,
        from pool: PostgresPool
    ) async throws -> [TraceEvent] {
        try await pool.query(
            """
            SELECT traces.body::text AS body FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE traces.id > \(last) AND \(filter.condition) ORDER BY traces.id LIMIT \(limit)
            """
        ).map { try EventBody.event(TraceEvent.self, of: $0) }
    }

    /// How many traces of a filter were refused, by their kind and the kind of the reason, the most frequent first.
    public static func refusals(
        _ filter: TraceFilter,
        limit: Int? = nil,
        from pool: PostgresPool
    ) async throws -> [Refusals] {
        try await pool.query(
            """
            SELECT traces.kind, coalesce(traces.body->>'failureKind', \(unknownFailureKind)) AS failure_kind,
                   count(*) AS count, coalesce(min(traces.failure COLLATE "C"), '') AS example
            FROM traces JOIN problems ON problems.id = traces.problem_id
            WHERE NOT traces.verified AND \(filter.condition)
            GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT \(limit)
            """
        ).map { row in
            Refusals(
                kind: try row.get("kind", as: String.self),
                failureKind: try row.get("failure_kind", as: String.self),
                count: try row.get("count", as: Int.self),
                example: try row.get("example", as: String.self)
            )
        }
    }
}
