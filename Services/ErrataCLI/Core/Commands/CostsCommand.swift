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
            ERRATA_TEACHERS named when the call was made. A call that gave no answer has no tokens here; the server may \
            bill it all the same.
            """
    )

    /// What calls are grouped by.
    enum Grouping: String, CaseIterable, ExpressibleByArgument {
        case role, model, prompt, run, dataset, problem, day
    }

    @OptionGroup var system: SystemOptions

    @Option(help: "role, model, prompt, run, dataset, problem or day (UTC).")
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
            ("no answer", .right), ("maybe billed", .right),
        ])
        for line in lines {
            table.add([
                line.name, String(line.answers), String(line.promptTokens), String(line.completionTokens),
                line.cost.map { String(format: "%.4f", $0) } ?? "", String(line.failed), String(line.maybeBilled),
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
    /// Calls that gave no answer.
    let failed: Int
    /// Of them, those that a server may bill.
    let maybeBilled: Int

    static func read(by grouping: CostsCommand.Grouping, limit: Int, from pool: PostgresPool) async throws -> [CostLine]
    {
        // Fixed texts, one for each grouping; nothing of a user's goes into them.
        let (answered, failed) = columns(grouping)
        let rows = try await pool.query(
            """
            SELECT name, sum(answers)::bigint AS answers, sum(prompt_tokens)::bigint AS prompt_tokens,
                   sum(completion_tokens)::bigint AS completion_tokens, sum(cost) AS cost,
                   sum(failed)::bigint AS failed, sum(maybe_billed)::bigint AS maybe_billed
            FROM (
                SELECT \(unsafeSQL: answered) AS name, count(*) AS answers, sum(calls.prompt_tokens) AS prompt_tokens,
                       sum(calls.completion_tokens) AS completion_tokens, sum(calls.cost) AS cost,
                       0::bigint AS failed, 0::bigint AS maybe_billed
                FROM teacher_calls AS calls LEFT JOIN problems ON problems.id = calls.problem_id
                GROUP BY 1
                UNION ALL
                SELECT \(unsafeSQL: failed), 0, 0, 0, NULL, count(*), count(*) FILTER (WHERE calls.may_be_billed)
                FROM teacher_failed_calls AS calls LEFT JOIN problems ON problems.id = calls.problem_id
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
                failed: try row.get("failed", as: Int.self),
                maybeBilled: try row.get("maybe_billed", as: Int.self)
            )
        }
    }

    private static func columns(_ grouping: CostsCommand.Grouping) -> (answered: String, failed: String) {
        switch grouping {
        case .role: ("calls.role", "calls.role")
        case .model: ("calls.asked_model", "calls.model")
        case .prompt: ("calls.prompt_id", "calls.prompt_id")
        case .run: ("coalesce(calls.run_id, 'problems')", "coalesce(calls.run_id, 'problems')")
        case .dataset: ("coalesce(problems.dataset, 'not stored yet')", "coalesce(problems.dataset, 'not stored yet')")
        case .problem: ("calls.problem_id", "calls.problem_id")
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
                failed: lines.reduce(0) { $0 + $1.failed },
                maybeBilled: lines.reduce(0) { $0 + $1.maybeBilled }
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
