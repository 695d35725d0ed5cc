import Foundation
public import PostgresClient
public import Reasoning
public import Schemas
public import Teaching

/// CCP's examples from the database: three verified rectified pairs of the problem's dataset (EDIT, step 2b), filled up
/// from the prompt library while there are fewer.
///
/// What was drawn for a problem is kept in the table `corruption_demonstrations`, so that a message that comes again
/// asks the same question and pays for nothing twice.
public struct StoredDemonstrations: DemonstrationSource {
    private let pool: PostgresPool
    private let library: LibraryDemonstrations

    /// Creates the source.
    public init(pool: PostgresPool, prompts: PromptLibrary = .shipped) {
        self.pool = pool
        library = LibraryDemonstrations(prompts)
    }

    /// Three examples of other problems, the same each time that the problem is asked about.
    ///
    /// - Throws: `PostgresError` when the database cannot be read or written.
    public func corruption(for problem: ProblemEvent) async throws -> [CorruptionDemonstration] {
        var drawn = try await kept(problem)
        if drawn == nil {
            try await draw(problem)
            drawn = try await kept(problem)
        }
        return RectifiedDemonstrations.filled(drawn ?? [], with: try library.corruption(for: problem))
    }

    /// What was drawn, nil where nothing was yet.
    private func kept(_ problem: ProblemEvent) async throws -> [CorruptionDemonstration]? {
        let rows = try await pool.query(
            """
            SELECT problems.question, traces.body::text AS body
            FROM corruption_demonstrations AS drawn
            LEFT JOIN jsonb_array_elements_text(drawn.trace_ids) WITH ORDINALITY AS pair (trace_id, place) ON true
            LEFT JOIN traces ON traces.id = pair.trace_id
            LEFT JOIN problems ON problems.id = traces.problem_id
            WHERE drawn.problem_id = \(problem.id)
            ORDER BY pair.place
            """
        )
        guard !rows.isEmpty else { return nil }
        return try rows.compactMap { row in
            guard let question = try row.get("question", as: String?.self),
                let body = try row.get("body", as: String?.self)
            else { return nil }
            let trace = try EventCoding.decode(TraceEvent.self, from: Data(body.utf8))
            guard case .dual(let pair) = trace.body else { return nil }
            return CorruptionDemonstration(question: question, right: pair.right, wrong: pair.wrong)
        }
    }

    /// Draws among the pairs that are there.
    ///
    /// Ids are hashes: the three that follow a hash of the problem's id, from the first again after the last, are as
    /// good as drawn, and found by the index without reading the others. Where another process drew first, its draw
    /// counts.
    private func draw(_ problem: ProblemEvent) async throws {
        let start = DeterministicID.make(cause: problem.id, parts: "corruption-demonstrations")
        let count = CorruptionDemonstration.shown
        try await pool.query(
            """
            INSERT INTO corruption_demonstrations (problem_id, trace_ids)
            SELECT \(problem.id), coalesce(jsonb_agg(id ORDER BY lap, id), '[]'::jsonb)
            FROM (
                (SELECT 1 AS lap, traces.id FROM traces JOIN problems ON problems.id = traces.problem_id
                 WHERE traces.kind = 'dual' AND traces.verified AND traces.body -> 'body' ->> 'method' = 'rectified'
                   AND problems.dataset = \(problem.dataset) AND problems.split = 'train'
                   AND problems.id <> \(problem.id) AND traces.id >= \(start)
                 ORDER BY traces.id LIMIT \(count))
                UNION ALL
                (SELECT 2 AS lap, traces.id FROM traces JOIN problems ON problems.id = traces.problem_id
                 WHERE traces.kind = 'dual' AND traces.verified AND traces.body -> 'body' ->> 'method' = 'rectified'
                   AND problems.dataset = \(problem.dataset) AND problems.split = 'train'
                   AND problems.id <> \(problem.id) AND traces.id < \(start)
                 ORDER BY traces.id LIMIT \(count))
                ORDER BY lap, id LIMIT \(count)
            ) AS pairs
            ON CONFLICT (problem_id) DO NOTHING
            """
        )
    }
}
