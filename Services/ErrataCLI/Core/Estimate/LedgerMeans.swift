import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// What the teacher's calls took so far, by prompt: what an estimate of further ones is made by.
struct LedgerMeans: Sendable, Equatable {
    /// The calls with one prompt.
    struct Calls: Sendable, Equatable {
        /// Those that were paid for a problem.
        var count: Int
        /// The problems that the work which asks with the prompt is done on.
        var problems: Int
        /// Tokens received.
        var completionTokens: Int
        /// The characters that were sent for each token, by the prompts as they would be made now; nil where none of these
        /// calls was made with today's version of the prompt.
        var charactersPerToken: Double?
    }

    var calls: [PromptID: Calls]

    /// The problems of which the characters of a prompt are counted.
    private static let measured = 200

    /// Reads the means of some prompts.
    ///
    /// Arguments:
    ///   - prompts: what the teacher is asked with, to count what was sent: the ledger keeps tokens alone.
    static func read(
        _ ids: [PromptID],
        prompts: PromptLibrary,
        from pool: PostgresPool
    ) async throws -> LedgerMeans {
        let rows = try await pool.query(
            """
            SELECT calls.prompt_id, count(*) AS count, sum(calls.completion_tokens)::bigint AS completion_tokens
            FROM teacher_calls AS calls JOIN problems ON problems.id = calls.problem_id
            WHERE calls.prompt_id = ANY(\(ids.map(\.rawValue))) AND \(isOfWork) GROUP BY calls.prompt_id
            """
        )
        var calls: [PromptID: Calls] = [:]
        for row in rows {
            guard let id = PromptID(rawValue: try row.get("prompt_id", as: String.self)) else { continue }
            calls[id] = Calls(
                count: try row.get("count", as: Int.self),
                problems: try await problems(with: id, from: pool),
                completionTokens: try row.get("completion_tokens", as: Int.self),
                charactersPerToken: try await charactersPerToken(id, prompts: prompts, from: pool)
            )
        }
        return LedgerMeans(calls: calls)
    }

    /// The condition on a call that it is a part of the work on a problem, whoever pays: what is asked about an attempt has
    /// the attempt in the problem's place, and samples for an agreement come before the vote.
    static let isOfWork: SQL = """
        NOT EXISTS (
            SELECT FROM problem_votes AS vote
            WHERE vote.problem_id = calls.problem_id AND calls.created_at <= vote.created_at
        )
        """

    private static func problems(with prompt: PromptID, from pool: PostgresPool) async throws -> Int {
        // A pair is made of a chain, which is asked for with it.
        let parts = EstimatePart.allCases.filter {
            $0.prompts.contains(prompt) || (prompt == .chainOfThought && $0 == .duals)
        }
        return try await pool.value(
            "SELECT count(*) FROM problems WHERE state = 'ingested' AND taught && \(parts.map(\.rawValue))",
            as: Int.self
        )
    }

    private static func charactersPerToken(
        _ id: PromptID,
        prompts: PromptLibrary,
        from pool: PostgresPool
    ) async throws -> Double? {
        let version = try prompts.prompt(id).version
        let rows = try await pool.query(
            """
            SELECT problems.id, count(*) AS count, sum(calls.prompt_tokens)::bigint AS tokens
            FROM teacher_calls AS calls JOIN problems ON problems.id = calls.problem_id
            WHERE calls.prompt_id = \(id.rawValue) AND calls.prompt_version = \(version) AND \(isOfWork)
              AND calls.prompt_tokens > 0 AND NOT calls.estimated
            GROUP BY problems.id ORDER BY problems.id LIMIT \(measured)
            """
        )
        var counts: [String: Int] = [:]
        var tokens = 0
        for row in rows {
            counts[try row.get("id", as: String.self)] = try row.get("count", as: Int.self)
            tokens += try row.get("tokens", as: Int.self)
        }
        let problems = try await ProblemStore.problems(ids: Array(counts.keys), from: pool)
        let characters = try problems.reduce(0) { sum, problem in
            try sum + EstimateDefaults.sent(id, for: problem, prompts: prompts) * (counts[problem.id] ?? 0)
        }
        return tokens > 0 && characters > 0 ? Double(characters) / Double(tokens) : nil
    }
}
