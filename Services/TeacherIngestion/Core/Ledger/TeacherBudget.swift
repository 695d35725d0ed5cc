import Foundation
import PostgresClient
import Schemas
import Teaching

/// What the teacher may cost in a day and for a run, over all processes that share the database.
///
/// Spending is added up in one row as the answers come, and looked at before each call: the bound is passed by no more
/// than what the calls that are under way then cost. Days are those of UTC.
public struct TeacherBudget: Sendable, Hashable {
    /// The most tokens a day, both ways; nil for no bound.
    public var dayTokens: Int?
    /// The most money a day, in the currency of the prices; nil for no bound.
    public var dayCost: Double?

    /// Makes a budget.
    public init(dayTokens: Int? = nil, dayCost: Double? = nil) {
        self.dayTokens = dayTokens
        self.dayCost = dayCost
    }

    /// What is to be said of roles whose cost nobody knows, in a bound of money.
    static func withoutPrice(_ prices: [TeacherRole: TeacherSettings.Price]) -> String {
        let roles = TeacherRole.allCases.filter { prices[$0] == nil }.map(\.rawValue)
        let names = roles.joined(separator: ", ")
        return "\(names) have no price, so that it would never be reached; give each role a price in the file of "
            + "ERRATA_TEACHERS (0 of a server that costs nothing), or bound tokens"
    }

    /// A day's row in `teacher_spending`.
    static func scope(of date: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.year, .month, .day], from: date)
        func padded(_ number: Int?) -> String {
            let text = String(number ?? 0)
            return text.count < 2 ? "0" + text : text
        }
        return "day:\(parts.year ?? 0)-\(padded(parts.month))-\(padded(parts.day))"
    }

    /// Why nothing more may be spent today; nil while it may.
    func exhaustion(in pool: PostgresPool, at date: Date = Date()) async throws -> String? {
        try await Self.exhaustion(
            tokens: dayTokens,
            cost: dayCost,
            of: Self.scope(of: date),
            in: pool
        ).map { "the day's budget is spent: \($0); raise ERRATA_TEACHER_DAY_\($1), or wait for the next day (UTC)" }
    }

    /// Why nothing more may be spent for a run; nil while it may.
    static func exhaustion(of run: String, _ budget: RunTeacherBudget?, in pool: PostgresPool) async throws -> String? {
        try await exhaustion(
            tokens: budget?.tokens,
            cost: budget?.cost,
            of: TeacherPauses.scope(ofRun: run),
            in: pool
        ).map { spent, _ in
            "the teacher budget of run \(run) is spent: \(spent); raise it with `errata runs budget`, or cancel the run"
        }
    }

    /// What was spent of a bound that is reached, and which bound it is.
    private static func exhaustion(
        tokens mostTokens: Int?,
        cost mostCost: Double?,
        of scope: String,
        in pool: PostgresPool
    ) async throws -> (spent: String, bound: String)? {
        guard mostTokens != nil || mostCost != nil else { return nil }
        let row = try await pool.first("SELECT tokens, cost FROM teacher_spending WHERE scope = \(scope)")
        let tokens = try row?.get("tokens", as: Int.self) ?? 0
        let cost = try row?.get("cost", as: Double.self) ?? 0
        if let mostTokens, tokens >= mostTokens { return ("\(tokens) of \(mostTokens) tokens", "TOKENS") }
        if let mostCost, cost >= mostCost { return ("\(cost) of \(mostCost)", "COST") }
        return nil
    }
}
