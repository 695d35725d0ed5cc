import Distillation
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching

/// A verdict that comes out another way when it is made again: a line of `errata regrade`.
struct RegradeDifference: Encodable, Equatable {
    /// Where the verdict stands.
    let table: Regrading.Table
    /// The evaluation, the attempt or the trace.
    let id: String
    let problem: String
    /// What is said: `correct`, `second-pass`, `self-correction` or `verified`.
    let verdict: String
    let gold: String
    /// The answer that is compared now; nil where the text has none.
    let answer: String?
    let was: Bool
    let now: Bool
    /// What gave the stored verdict; nil where an earlier version did.
    let graderBefore: String?
    let graderNow: String
    /// By what the grader decides now; nil without an answer.
    let rule: String?
    /// By what the answer is found now; nil without one, and of traces, whose answers stand in their own fields.
    var extraction: String?
    /// Of a trace that does not pass now, why.
    let reason: String?

    /// With the rule that found the answer.
    func found(by extraction: ExtractionRule?) -> RegradeDifference {
        var result = self
        result.extraction = extraction?.rawValue
        return result
    }

    func json() throws -> String { String(decoding: try EventCoding.encodeJSON(self), as: UTF8.self) }
}

/// What `errata regrade` makes again.
struct Regrading: Sendable {
    /// What holds verdicts.
    enum Table: String, Sendable, CaseIterable, Encodable {
        case evaluations, attempts, traces
    }

    /// The policy to grade by; nil for that of each verdict, which is `standard` of those that name none.
    var policy: GradingPolicy?
    /// Only what belongs to a run.
    var run: String?
    /// Only the evaluations on a suite.
    var suite: String?
    var tables = Table.allCases
    /// The rows that are read at a time.
    var pageSize = 500

    /// Grades everything again, and tells of each verdict that differs; nothing is changed.
    func replay(
        from pool: PostgresPool,
        _ report: (RegradeDifference) throws -> Void
    ) async throws -> RegradeSummary {
        var summary = RegradeSummary(tables: tables)
        for table in tables {
            switch table {
            case .evaluations: try await evaluations(from: pool, &summary, report)
            case .attempts: try await attempts(from: pool, &summary, report)
            case .traces: try await traces(from: pool, &summary, report)
            }
        }
        return summary
    }

    /// What grades a verdict again.
    private func grader(_ stamp: String?) -> Grader {
        Grader(policy: policy ?? stamp.flatMap { GradingPolicy(stamp: $0) } ?? .standard)
    }

    private func problems(_ ids: [String], from pool: PostgresPool) async throws -> [String: ProblemEvent] {
        let problems = try await ProblemStore.problems(ids: Array(Set(ids)), from: pool)
        return Dictionary(problems.map { ($0.id, $0) }) { first, _ in first }
    }

    // MARK: The tables

    private func evaluations(
        from pool: PostgresPool,
        _ summary: inout RegradeSummary,
        _ report: (RegradeDifference) throws -> Void
    ) async throws {
        var place = EvaluationStore.Place.start
        while true {
            let page = try await EvaluationStore.results(
                run: run,
                suite: suite,
                after: place,
                limit: pageSize,
                from: pool
            )
            let problems = try await problems(page.map(\.result.problemID), from: pool)
            for stored in page {
                guard let problem = problems[stored.result.problemID] else { continue }
                let differences = Self.differences(stored, problem, grader(stored.result.grader)) {
                    summary.score(stored, now: $0)
                }
                try summary.count(differences, in: .evaluations, report)
            }
            guard page.count == pageSize, let last = page.last else { return }
            place = last.place
        }
    }

    private static func differences(
        _ stored: EvaluationStore.StoredResult,
        _ problem: ProblemEvent,
        _ grader: Grader,
        _ score: (Bool) -> Void
    ) -> [RegradeDifference] {
        let result = stored.result
        let first = StudentSolver.grade(
            result.output,
            gold: problem.answer,
            isTruncated: result.truncated,
            tokens: result.tokens ?? 0,
            grader: grader
        )
        score(first.correct)
        let difference = changes(
            .evaluations,
            stored.evaluation,
            problem,
            from: result.grader,
            to: grader
        )
        var found = [difference("correct", first.answer, result.correct, first.correct)?.found(by: first.extraction)]
        if let second = result.second {
            let isTruncated = second.truncated ?? false
            let both = StudentSolver.CorrectedOutcome(
                first: first,
                output: second.output,
                isTruncated: isTruncated,
                trace: StudentSolver.readCorrection(
                    second.output,
                    steps: StudentFormat.steps(of: result.output),
                    isTruncated: isTruncated
                ),
                gold: problem.answer,
                grader: grader
            )
            found.append(difference("second-pass", both.answer, second.correct, both.correct))
        }
        return found.compactMap { $0 }
    }

    private func attempts(
        from pool: PostgresPool,
        _ summary: inout RegradeSummary,
        _ report: (RegradeDifference) throws -> Void
    ) async throws {
        var last = ""
        while true {
            let page = try await EvaluationStore.attempts(run: run, after: last, limit: pageSize, from: pool)
            let problems = try await problems(page.map(\.problemId), from: pool)
            for attempt in page {
                guard let problem = problems[attempt.problemId] else { continue }
                let differences = Self.differences(attempt, problem, grader(attempt.grader))
                try summary.count(differences, in: .attempts, report)
            }
            guard page.count == pageSize, let end = page.last else { return }
            last = end.id
        }
    }

    private static func differences(
        _ attempt: AttemptEvent,
        _ problem: ProblemEvent,
        _ grader: Grader
    ) -> [RegradeDifference] {
        let difference = changes(.attempts, attempt.id, problem, from: attempt.grader, to: grader)
        let first = StudentSolver.grade(
            attempt.output,
            gold: problem.answer,
            isTruncated: attempt.truncated ?? false,
            grader: grader
        )
        var found = [difference("correct", first.answer, attempt.correct, first.correct)?.found(by: first.extraction)]
        if let own = attempt.selfCorrection {
            let isTruncated = own.truncated ?? false
            let again = StudentSolver.grade(
                own.output,
                isTruncated: isTruncated,
                trace: StudentSolver.readCorrection(
                    own.output,
                    steps: StudentFormat.steps(of: attempt.output),
                    isTruncated: isTruncated
                ),
                gold: problem.answer,
                grader: grader
            )
            found.append(difference("self-correction", again.answer, own.correct, again.correct))
        }
        return found.compactMap { $0 }
    }

    private func traces(
        from pool: PostgresPool,
        _ summary: inout RegradeSummary,
        _ report: (RegradeDifference) throws -> Void
    ) async throws {
        var last = ""
        while true {
            let page = try await TraceStore.traces(TraceFilter(run: run), after: last, limit: pageSize, from: pool)
            let problems = try await problems(page.map(\.problemId), from: pool)
            for trace in page {
                guard let problem = problems[trace.problemId] else { continue }
                let grader = grader(trace.grader)
                let verdicts = TraceGrading.verdicts(on: trace, of: problem, grader: grader)
                guard !verdicts.isEmpty else { continue }
                let differences = verdicts.filter { $0.was != $0.now }.map { verdict in
                    RegradeDifference(
                        table: .traces,
                        id: trace.id,
                        problem: problem.id,
                        verdict: verdict.subject.rawValue,
                        gold: problem.answer,
                        answer: verdict.answer,
                        was: verdict.was,
                        now: verdict.now,
                        graderBefore: trace.grader,
                        graderNow: grader.stamp,
                        rule: verdict.rule?.rawValue,
                        reason: verdict.reason
                    )
                }
                try summary.count(differences, in: .traces, report)
            }
            guard page.count == pageSize, let end = page.last else { return }
            last = end.id
        }
    }

    /// Tells whether a verdict on a student's output, of an answer, is another one now.
    private static func changes(
        _ table: Table,
        _ id: String,
        _ problem: ProblemEvent,
        from before: String?,
        to grader: Grader
    ) -> (_ verdict: String, _ answer: String?, _ was: Bool, _ now: Bool) -> RegradeDifference? {
        { verdict, answer, was, now in
            guard was != now else { return nil }
            return RegradeDifference(
                table: table,
                id: id,
                problem: problem.id,
                verdict: verdict,
                gold: problem.answer,
                answer: answer,
                was: was,
                now: now,
                graderBefore: before,
                graderNow: grader.stamp,
                rule: rule(answer, problem, grader),
                reason: nil
            )
        }
    }

    private static func rule(_ answer: String?, _ problem: ProblemEvent, _ grader: Grader) -> String? {
        answer.map { grader.verdict(gold: problem.answer, predicted: $0).rule.rawValue }
    }
}
