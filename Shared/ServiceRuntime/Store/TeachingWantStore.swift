public import PostgresClient
public import Schemas

/// The table `teaching_wants`, written by TeacherIngestion: what runs need of the training problems of a data set.
public enum TeachingWantStore {
    /// What a run needs.
    public struct Want: Sendable, Hashable {
        /// The run.
        public let runID: String
        /// What it needs.
        public let parts: Set<TeachingPart>
    }

    /// A problem that was taken in without something that is needed.
    public struct Backlog: Sendable, Hashable {
        /// The problem.
        public let problemID: String
        /// What is missing.
        public let missing: Set<TeachingPart>
        /// The trace that it came in.
        public let trace: TraceContext?
    }

    /// Keeps problems and runs from passing each other unseen, until the transaction ends: a problem is written under the
    /// shared lock of its data set with what runs need at that moment, and a run's needs under the exclusive one.
    public static func lock(
        _ dataset: String,
        exclusive: Bool,
        in transaction: PostgresTransaction
    ) async throws {
        let name = "teaching_wants:\(dataset)"
        if exclusive {
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
        } else {
            try await transaction.query("SELECT pg_advisory_xact_lock_shared(hashtextextended(\(name), 0))")
        }
    }

    /// Writes what a run needs of a data set.
    public static func insert(
        _ parts: Set<TeachingPart>,
        of run: String,
        dataset: String,
        in transaction: PostgresTransaction
    ) async throws {
        try await transaction.execute(
            """
            INSERT INTO teaching_wants (run_id, dataset, part)
            SELECT \(run), \(dataset), part FROM unnest(\(parts.names)) AS part
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// What active runs need of a data set, the oldest run first.
    public static func wants(of dataset: String, from database: some PostgresQueryable) async throws -> [Want] {
        try await database.query(
            """
            SELECT wants.run_id, array_agg(wants.part) AS parts
            FROM teaching_wants AS wants JOIN runs ON runs.id = wants.run_id
            WHERE wants.dataset = \(dataset) AND runs.state = 'active'
            GROUP BY wants.run_id, runs.created_at ORDER BY runs.created_at, wants.run_id
            """
        ).map {
            Want(
                runID: try $0.get("run_id", as: String.self),
                parts: Set(names: try $0.get("parts", as: [String].self))
            )
        }
    }

    /// The training problems of a data set that lack a part, in order of id; those that are left out are none of them.
    ///
    /// Arguments:
    ///   - last, limit: the first so many of those behind a problem, to go through many of them page by page.
    public static func backlog(
        of dataset: String,
        lacking parts: Set<TeachingPart>,
        after last: String = "",
        limit: Int? = nil,
        in database: some PostgresQueryable
    ) async throws -> [Backlog] {
        try await database.query(
            """
            SELECT id, taught, trace_context FROM problems
            WHERE dataset = \(dataset) AND split = 'train' AND state IN ('registered', 'ingested')
              AND NOT taught @> \(parts.names) AND id COLLATE "C" > \(last)
            ORDER BY id COLLATE "C" LIMIT \(limit)
            """
        ).map {
            Backlog(
                problemID: try $0.get("id", as: String.self),
                missing: parts.subtracting(Set(names: try $0.get("taught", as: [String].self))),
                trace: try $0.traceContext()
            )
        }
    }
}
