import ArgumentParser
import Foundation
import PostgresClient
import ServiceRuntime

/// `errata costs`: what the teacher's calls took.
struct CostsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "costs",
        abstract: "Show the ledger of the teacher's calls: tokens, money, and calls that gave no answer.",
        discussion: """
            Each answer is counted once, for whom it was paid, however many problems use it. Money is by the prices that \
            ERRATA_TEACHERS named when the call was made. Of a call that gave no answer, and that the server may bill all \
            the same, "at most" has the tokens that it can have cost; budgets count them. Tokens of answers that the server \
            did not count are estimated by the length of the texts, and "estimated" says of how many answers.

            --by trace shows what was paid for each trace: its own calls, an inspector's with those of what it inspected. \
            "no trace" are calls whose work is not done, and those that answer a problem by agreement.
            """
    )

    /// What calls are grouped by.
    enum Grouping: String, CaseIterable, ExpressibleByArgument {
        case role, model, prompt, run, dataset, problem, trace, day
    }

    @OptionGroup var system: SystemOptions

    @Option(help: "role, model, prompt, run, dataset, problem, trace or day (UTC).")
    var by = Grouping.role

    @Option(help: "At most this many lines, the most tokens first.")
    var limit = 50

    @Flag(help: "JSON lines instead of a table.")
    var json = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
    }

    func run() async throws {
        let lines = try await system.withDatabase { try await CostLine.read(by: by, limit: limit, from: $0) }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for line in lines { Terminal.out(String(decoding: try encoder.encode(line), as: UTF8.self)) }
            return
        }
        guard !lines.isEmpty else { return Terminal.out("no call of a teacher yet") }
        var table = TextTable([
            (by.rawValue, .left), ("answers", .right), ("tokens sent", .right), ("received", .right), ("cost", .right),
            ("estimated", .right), ("no answer", .right), ("maybe billed", .right), ("at most", .right),
        ])
        for line in lines {
            table.add([
                line.name, String(line.answers), String(line.promptTokens), String(line.completionTokens),
                line.cost.map { String(format: "%.4f", $0) } ?? "", String(line.estimated), String(line.failed),
                String(line.maybeBilled), String(line.maybeBilledTokens),
            ])
        }
        Terminal.out(table.rendered())
    }
}

/// The calls of a group.
struct CostLine: Sendable, Encodable {
    let name: String
    let answers: Int
    let promptTokens: Int
    let completionTokens: Int
    /// Nil where no call had a price.
    let cost: Double?
    /// Answers whose tokens the server did not count.
    let estimated: Int
    /// Calls that gave no answer.
    let failed: Int
    /// Of them, those that a server may bill.
    let maybeBilled: Int
    /// The tokens that these can have cost at most, and their price; nil where no call had one.
    let maybeBilledTokens: Int
    let maybeBilledCost: Double?

    static func read(by grouping: CostsCommand.Grouping, limit: Int, from pool: PostgresPool) async throws -> [CostLine]
    {
        // Fixed texts, one for each grouping; nothing of a user's goes into them.
        let (answered, failed) = columns(grouping)
        let join: SQL = grouping == .trace ? traceOfCall : ""
        let rows = try await pool.query(
            """
            SELECT name, sum(answers)::bigint AS answers, sum(prompt_tokens)::bigint AS prompt_tokens,
                   sum(completion_tokens)::bigint AS completion_tokens, sum(cost) AS cost,
                   sum(estimated)::bigint AS estimated, sum(failed)::bigint AS failed,
                   sum(maybe_billed)::bigint AS maybe_billed, sum(billed_tokens)::bigint AS billed_tokens,
                   sum(billed_cost) AS billed_cost
            FROM (
                SELECT \(unsafeSQL: answered) AS name, count(*) AS answers, sum(calls.prompt_tokens) AS prompt_tokens,
                       sum(calls.completion_tokens) AS completion_tokens, sum(calls.cost) AS cost,
                       count(*) FILTER (WHERE calls.estimated) AS estimated, 0::bigint AS failed,
                       0::bigint AS maybe_billed, 0::bigint AS billed_tokens, NULL::float8 AS billed_cost
                FROM teacher_calls AS calls LEFT JOIN problems ON problems.id = calls.problem_id \(join)
                GROUP BY 1
                UNION ALL
                SELECT \(unsafeSQL: failed), 0, 0, 0, NULL, 0, count(*), count(*) FILTER (WHERE calls.may_be_billed),
                       sum(calls.prompt_tokens + calls.completion_tokens), sum(calls.cost)
                FROM teacher_failed_calls AS calls LEFT JOIN problems ON problems.id = calls.problem_id \(join)
                GROUP BY 1
            ) AS parts
            GROUP BY name
            ORDER BY coalesce(sum(prompt_tokens), 0) + coalesce(sum(completion_tokens), 0) DESC, name
            LIMIT \(limit)
            """
        )
        return try rows.map { row in
            CostLine(
                name: try row.get("name", as: String.self),
                answers: try row.get("answers", as: Int.self),
                promptTokens: try row.get("prompt_tokens", as: Int.self),
                completionTokens: try row.get("completion_tokens", as: Int.self),
                cost: try row.get("cost", as: Double?.self),
                estimated: try row.get("estimated", as: Int.self),
                failed: try row.get("failed", as: Int.self),
                maybeBilled: try row.get("maybe_billed", as: Int.self),
                maybeBilledTokens: try row.get("billed_tokens", as: Int.self),
                maybeBilledCost: try row.get("billed_cost", as: Double?.self)
            )
        }
    }

    /// The trace that a call was made for: the problem's, or the attempt's, of the kind that the prompt asks for.
    ///
    /// A sample for an agreement, which has the prompt of a chain too, was for none.
    private static let traceOfCall: SQL = """
        LEFT JOIN LATERAL (
            SELECT traces.id FROM traces
            WHERE (traces.problem_id = calls.problem_id AND traces.attempt_id IS NULL OR traces.attempt_id = calls.problem_id)
              AND traces.body->'teacher'->>'promptId' <> 'recorded'
              AND traces.kind = CASE calls.prompt_id
                  WHEN 'chain-of-thought' THEN 'chain-of-thought'
                  WHEN 'rectify' THEN 'dual' WHEN 'corrupt' THEN 'dual' WHEN 'classify-mistake' THEN 'dual'
                  WHEN 'template-extraction' THEN 'template' WHEN 'hierarchical-thought' THEN 'template'
                  WHEN 'inspect-template' THEN 'template'
                  WHEN 'grounded-correction' THEN 'correction' WHEN 'correction' THEN 'correction'
                  WHEN 'inspect-correction' THEN 'correction'
                  ELSE '' END
              AND \(LedgerMeans.isOfWork)
            ORDER BY traces.id LIMIT 1
        ) AS trace ON true
        """

    private static func columns(_ grouping: CostsCommand.Grouping) -> (answered: String, failed: String) {
        switch grouping {
        case .role: ("calls.role", "calls.role")
        case .model: ("calls.asked_model", "calls.model")
        case .prompt: ("calls.prompt_id", "calls.prompt_id")
        case .run: ("coalesce(calls.run_id, 'problems')", "coalesce(calls.run_id, 'problems')")
        case .dataset: ("coalesce(problems.dataset, 'not stored yet')", "coalesce(problems.dataset, 'not stored yet')")
        case .problem: ("calls.problem_id", "calls.problem_id")
        case .trace: ("coalesce(trace.id, 'no trace')", "coalesce(trace.id, 'no trace')")
        case .day:
            (
                "to_char(calls.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
                "to_char(calls.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
            )
        }
    }
}

/// The ledger in a few lines, for `errata status`.
struct LedgerSummary: Sendable {
    let total: CostLine?
    /// Teachers that are not asked for now, with the reason.
    let pauses: [(server: String, reason: String)]

    static func read(from pool: PostgresPool) async throws -> LedgerSummary {
        let lines = try await CostLine.read(by: .role, limit: 100, from: pool)
        let pauses = try await pool.query("SELECT server, reason FROM teacher_pauses ORDER BY server").map {
            (server: try $0.get("server", as: String.self), reason: try $0.get("reason", as: String.self))
        }
        guard !lines.isEmpty else { return LedgerSummary(total: nil, pauses: pauses) }
        let costs = lines.compactMap(\.cost)
        return LedgerSummary(
            total: CostLine(
                name: "all",
                answers: lines.reduce(0) { $0 + $1.answers },
                promptTokens: lines.reduce(0) { $0 + $1.promptTokens },
                completionTokens: lines.reduce(0) { $0 + $1.completionTokens },
                cost: costs.isEmpty ? nil : costs.reduce(0, +),
                estimated: lines.reduce(0) { $0 + $1.estimated },
                failed: lines.reduce(0) { $0 + $1.failed },
                maybeBilled: lines.reduce(0) { $0 + $1.maybeBilled },
                maybeBilledTokens: lines.reduce(0) { $0 + $1.maybeBilledTokens },
                maybeBilledCost: nil
            ),
            pauses: pauses
        )
    }

    func rendered() -> String {
        var text = "teacher's calls: "
        if let total {
            text += "\(total.answers) answers, tokens sent \(total.promptTokens), received \(total.completionTokens)"
            if let cost = total.cost { text += ", cost " + String(format: "%.4f", cost) }
            if total.failed > 0 { text += "; \(total.failed) gave no answer" }
        } else {
            text += "none"
        }
        for pause in pauses { text += "\nteacher not asked for now: \(pause.server): \(pause.reason)" }
        return text
    }
}
