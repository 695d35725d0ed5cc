import Foundation
import Reasoning
import ServiceRuntime

/// What grading everything again came to.
struct RegradeSummary: Sendable, Equatable {
    /// The rows of a table.
    struct Count: Sendable, Equatable {
        /// Rows whose verdicts were made again.
        var replayed = 0
        /// Rows with a verdict that differs.
        var differing = 0
        /// Verdicts that were false and are true now.
        var toTrue = 0
        /// Verdicts that were true and are false now.
        var toFalse = 0
    }

    /// The first pass of an evaluation.
    struct Score: Sendable, Equatable {
        let suite: String
        var problems = 0
        var before = 0
        var now = 0
    }

    private(set) var counts: [Regrading.Table: Count]
    private(set) var scores: [String: Score] = [:]

    init(tables: [Regrading.Table]) {
        counts = Dictionary(tables.map { ($0, Count()) }) { first, _ in first }
    }

    /// Rows that differ, of all tables.
    var differing: Int { counts.values.reduce(0) { $0 + $1.differing } }

    /// Counts a row, and hands on what differs in it.
    mutating func count(
        _ differences: [RegradeDifference],
        in table: Regrading.Table,
        _ report: (RegradeDifference) throws -> Void
    ) throws {
        var count = counts[table] ?? Count()
        count.replayed += 1
        if !differences.isEmpty { count.differing += 1 }
        for difference in differences {
            if difference.now { count.toTrue += 1 } else { count.toFalse += 1 }
            try report(difference)
        }
        counts[table] = count
    }

    /// Counts an output of an evaluation.
    mutating func score(_ stored: EvaluationStore.StoredResult, now: Bool) {
        var score = scores[stored.evaluation] ?? Score(suite: stored.suite)
        score.problems += 1
        if stored.result.correct { score.before += 1 }
        if now { score.now += 1 }
        scores[stored.evaluation] = score
    }

    /// The summary in a few tables and a sentence.
    func rendered(policy: GradingPolicy?) -> String {
        var table = TextTable([
            ("", .left), ("replayed", .right), ("differ", .right), ("false to true", .right), ("true to false", .right),
        ])
        for (name, count) in counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            table.add([name.rawValue] + [count.replayed, count.differing, count.toTrue, count.toFalse].map { "\($0)" })
        }
        var parts = [table.rendered()]
        if !scores.isEmpty {
            var table = TextTable([
                ("evaluation", .left), ("suite", .left), ("problems", .right), ("accuracy", .right), ("now", .right),
            ])
            for (id, score) in scores.sorted(by: { ($0.value.suite, $0.key) < ($1.value.suite, $1.key) }) {
                table.add([
                    id, score.suite, "\(score.problems)", Self.share(score.before, of: score.problems),
                    Self.share(score.now, of: score.problems),
                ])
            }
            parts.append(table.rendered())
        }
        let by = policy.map { "by the policy \($0.rawValue)" } ?? "each by its own policy"
        let replayed = counts.values.reduce(0) { $0 + $1.replayed }
        parts.append("replayed \(replayed), \(differing) differ; \(by), grader \(Grader.version)")
        return parts.joined(separator: "\n\n")
    }

    private static func share(_ part: Int, of whole: Int) -> String {
        String(format: "%.2f %%", 100 * Double(part) / Double(max(1, whole)))
    }
}
