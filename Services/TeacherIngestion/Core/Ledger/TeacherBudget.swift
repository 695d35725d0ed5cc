import Foundation
import PostgresClient

/// What the teacher may cost in a day, over all processes that share the database.
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
        guard dayTokens != nil || dayCost != nil else { return nil }
        let rows = try await pool.query(
            "SELECT tokens, cost FROM teacher_spending WHERE scope = \(Self.scope(of: date))"
        )
        guard let row = rows.first else { return nil }
        let tokens = try row.get("tokens", as: Int.self)
        let cost = try row.get("cost", as: Double.self)
        if let dayTokens, tokens >= dayTokens {
            return
                "the day's budget is spent: \(tokens) of \(dayTokens) tokens; raise ERRATA_TEACHER_DAY_TOKENS, or wait "
                + "for the next day (UTC)"
        }
        if let dayCost, cost >= dayCost {
            return "the day's budget is spent: \(cost) of \(dayCost); raise ERRATA_TEACHER_DAY_COST, or wait for the "
                + "next day (UTC)"
        }
        return nil
    }
}
