import ArgumentParser
import Distillation
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("errata regrade")
struct RegradeTests {
    private static let gold = "7"

    /// A database with a run, two problems whose answer is 7, and right verdicts in every table; but for those that are
    /// planted wrong.
    private func withVerdicts(
        planted: Set<Regrading.Table> = [],
        answer: String = "7",
        _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await TestDatabase.withPool { pool in
            for id in ["p-1", "p-2"] { try await StoredTraces.insert(problem: id, answer: Self.gold, in: pool) }
            let stamp = Grader().stamp
            try await pool.execute("INSERT INTO runs (id, name, dataset, body) VALUES ('r', 'r', 'd', '{}')")
            try await pool.execute(
                """
                INSERT INTO evaluation_jobs (id, run_id, checkpoint_id, suite, state) VALUES ('e', 'r', 'c', 'held', 'done')
                """
            )
            let results = [
                EvaluationJobStore.Result(
                    problemID: "p-1",
                    correct: !planted.contains(.evaluations),
                    answer: answer,
                    output: "1 + 6 = 7\n#### \(answer)",
                    second: EvaluationJobStore.Result.Second(
                        output: "<Answer>8</Answer>",
                        correct: false,
                        readable: true,
                        named: false
                    ),
                    grader: stamp
                ),
                // What was cut off before it named an answer has none.
                EvaluationJobStore.Result(
                    problemID: "p-2",
                    correct: false,
                    answer: nil,
                    output: "so 7",
                    truncated: true,
                    grader: stamp
                ),
            ]
            let attempts = [
                attempt("a-1", "#### 8", correct: planted.contains(.attempts), own: "<Answer>7</Answer>", right: true),
                attempt("a-2", "#### 7", correct: true),
            ]
            try await pool.withTransaction {
                try await EvaluationJobStore.insert(results, evaluation: "e", in: $0)
                try await EvaluationStore.insert(attempts, in: $0)
            }
            try await insertTraces(planted: planted.contains(.traces), in: pool)
            try await body(pool)
        }
    }

    private func attempt(
        _ id: String,
        _ output: String,
        correct: Bool,
        own: String? = nil,
        right: Bool = false
    ) -> AttemptEvent {
        AttemptEvent(
            id: id,
            runId: "r",
            checkpointId: "c",
            problemId: "p-1",
            sample: 0,
            output: output,
            answer: nil,
            correct: correct,
            selfCorrection: own.map { SelfCorrection(output: $0, answer: "7", correct: right) },
            promptFormat: "chain-of-thought",
            grader: Grader().stamp
        )
    }

    /// A trace of each kind; where it is planted so, a template with a wrong answer is told verified.
    private func insertTraces(planted: Bool, in pool: PostgresPool) async throws {
        let chain = "Ana has 3 + 4 = 7 shells.\nThe answer is 7."
        let wrong = "Ana has 3 + 4 = 8 shells.\nThe answer is 8."
        let bodies: [(String, TraceBody)] = [
            ("t-1", .chainOfThought(ChainOfThoughtBody(text: chain, answer: "7", correct: true))),
            (
                "t-2",
                .dual(
                    DualBody(right: chain, wrong: wrong, rightAnswer: "7", wrongAnswer: "8", method: .rectified)
                )
            ),
            (
                "t-3",
                .template(
                    TemplateBody(
                        steps: [.init(text: "Add 3 + 4 = 7.")],
                        generalization: "Add the parts.",
                        answer: planted ? "8" : "7"
                    )
                )
            ),
            (
                "t-4",
                .correction(
                    CorrectionBody(
                        steps: ["3 + 4 = 8"],
                        firstWrongStep: 0,
                        cause: "the sum is wrong",
                        correction: "3 + 4 = 7",
                        answer: "7"
                    )
                )
            ),
        ]
        for (id, body) in bodies {
            try await StoredTraces.insert(id, of: "p-1", body, grader: Grader().stamp, in: pool)
        }
        // A wrong chain, and a template that an inspector refused, of which the grader says nothing.
        try await StoredTraces.insert(
            "t-5",
            of: "p-1",
            .chainOfThought(ChainOfThoughtBody(text: wrong, answer: "8", correct: false)),
            failure: "the answer 8 is not 7",
            failureKind: "wrong-answer",
            in: pool
        )
        try await StoredTraces.insert(
            "t-6",
            of: "p-1",
            .template(TemplateBody(steps: [.init(text: "Add.")], generalization: "Add.", answer: "7")),
            failure: "the inspector's round 1: it is faulty",
            failureKind: "inspector",
            in: pool
        )
    }

    private func replay(
        _ regrading: Regrading,
        _ pool: PostgresPool
    ) async throws -> (differences: [RegradeDifference], summary: RegradeSummary) {
        var found: [RegradeDifference] = []
        let summary = try await regrading.replay(from: pool) { found.append($0) }
        return (found, summary)
    }

    @Test("right verdicts come out the same, whatever the size of pages")
    func same() async throws {
        try await withVerdicts { pool in
            for pageSize in [1, 2, 500] {
                let (differences, summary) = try await replay(Regrading(pageSize: pageSize), pool)
                #expect(differences == [], "pages of \(pageSize)")
                #expect(summary.differing == 0 && summary.counts[.evaluations]?.replayed == 2)
                #expect(summary.counts[.attempts]?.replayed == 2 && summary.counts[.traces]?.replayed == 5)
                #expect(summary.scores["e"] == RegradeSummary.Score(suite: "held", problems: 2, before: 1, now: 1))
            }
        }
    }

    @Test(
        "a verdict that was planted wrong is found in its table, and nothing else",
        arguments: Regrading.Table.allCases
    )
    func planted(table: Regrading.Table) async throws {
        try await withVerdicts(planted: [table]) { pool in
            let (differences, summary) = try await replay(Regrading(), pool)
            let found = try #require(differences.first)
            #expect(differences.count == 1 && summary.differing == 1 && found.table == table && found.problem == "p-1")
            let stamp = Grader().stamp
            #expect(found.gold == "7" && found.graderBefore == stamp && found.graderNow == stamp)
            #expect(found.rule == GradingRule.number.rawValue || found.rule == GradingRule.identical.rawValue)
            switch table {
            case .evaluations:
                #expect(found.id == "e" && found.verdict == "correct" && !found.was && found.now)
                #expect(summary.scores["e"] == RegradeSummary.Score(suite: "held", problems: 2, before: 0, now: 1))
            case .attempts: #expect(found.id == "a-1" && found.verdict == "correct" && found.was && !found.now)
            case .traces:
                #expect(found.id == "t-3" && found.verdict == "verified" && found.was && !found.now)
                #expect(found.answer == "8" && found.reason == "the answer 8 is not 7")
            }
            let count = summary.counts[table]
            #expect(count?.toTrue == (found.now ? 1 : 0) && count?.toFalse == (found.now ? 0 : 1))
            let text = summary.rendered(policy: nil)
            #expect(text.contains("1 differ") && text.contains("grader \(Grader.version)"))
            // Only what is asked for is graded again.
            for other in Regrading.Table.allCases where other != table {
                #expect(try await replay(Regrading(tables: [other]), pool).differences.isEmpty)
            }
            #expect(try await replay(Regrading(run: "another"), pool).differences.isEmpty)
            let line = try found.json()
            #expect(line.contains("\"table\":\"\(table.rawValue)\"") && !line.contains("\n"))
        }
    }

    @Test("what another policy would say is listed, and what was graded by it before is graded by it again")
    func policy() async throws {
        // 14/2 is 7 to a mathematician, and not in the form that was asked for.
        try await withVerdicts(answer: "\\frac{14}{2}") { pool in
            #expect(try await replay(Regrading(tables: [.evaluations]), pool).differences.isEmpty)
            let strict = try await replay(Regrading(policy: .strict, tables: [.evaluations]), pool)
            #expect(strict.differences.map(\.problem) == ["p-1"] && strict.differences.first?.now == false)
            #expect(strict.differences.first?.graderNow == Grader(policy: .strict).stamp)
            #expect(strict.differences.first?.graderBefore == Grader().stamp)
            try await pool.execute(
                "UPDATE evaluation_results SET grader = 'strict/1', correct = false WHERE problem_id = 'p-1'"
            )
            let again = try await replay(Regrading(tables: [.evaluations]), pool)
            #expect(again.differences.isEmpty, "a verdict by strict is made again by strict")
            // One of before the stamps is standard's.
            try await pool.execute("UPDATE evaluation_results SET grader = NULL WHERE problem_id = 'p-1'")
            let old = try await replay(Regrading(tables: [.evaluations]), pool)
            #expect(old.differences.map(\.now) == [true] && old.differences.first?.graderBefore == nil)
        }
    }

    @Test("the command asks for the tables that its options name")
    func options() throws {
        func regrading(_ line: String) throws -> Regrading {
            try RegradeCommand.parse(line.split(separator: " ").map(String.init)).regrading(run: nil)
        }
        #expect(try regrading("").tables == Regrading.Table.allCases)
        #expect(try regrading("--table traces").tables == [.traces])
        let held = try regrading("--evaluation held --policy qwen")
        #expect(held.tables == [.evaluations] && held.suite == "held" && held.policy == .qwen)
    }
}
