import ArgumentParser
import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// `errata regrade`: makes the stored verdicts again and lists those that differ.
struct RegradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regrade",
        abstract: "Grade what is stored again, and list the verdicts that differ.",
        discussion: """
            Outputs of evaluations, attempts with the student's own corrections of them, and the teacher's chains, dual \
            pairs, templates and corrections are graded by this version, with the code that graded them when they came. \
            Nothing is changed. Each verdict is made by the policy that it was made by (standard, where it names none), or \
            by --policy: then the differences are what another policy would say.

            A line of JSON is a verdict that differs: "table", "id" (of the evaluation, the attempt or the trace), \
            "problem", "verdict" (correct, second-pass, self-correction or verified), "gold", "answer", "was", "now", \
            "graderBefore", "graderNow", the "rule" that decided, the "extraction" that found the answer of an output, and \
            the "reason" of a trace that does not pass now. Of \
            templates and corrections an inspector's refusal stays one, and is not counted. A summary goes to standard \
            error.
            """
    )

    @OptionGroup var system: SystemOptions

    @Option(help: "strict, standard or qwen: what would differ by another policy.")
    var policy: String?

    @Option(
        name: .customLong("run"),
        help: "Only a run's evaluations, attempts and corrections: its id, the beginning of it, or its name."
    )
    var runName: String?

    @Option(help: "Only evaluations on this suite.")
    var evaluation: String?

    @Option(help: "Only evaluations, attempts or traces.")
    var table: String?

    @Option(help: "List at most this many differences; all are counted.")
    var limit: Int?

    @Flag(name: .customLong("exit-code"), help: "End with status 1 where anything differs.")
    var tellsByStatus = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        if let policy, GradingPolicy(rawValue: policy) == nil {
            throw ValidationError("--policy must be strict, standard or qwen, not '\(policy)'")
        }
        if let table, Regrading.Table(rawValue: table) == nil {
            throw ValidationError("--table must be evaluations, attempts or traces, not '\(table)'")
        }
        if let table, table != Regrading.Table.evaluations.rawValue, evaluation != nil {
            throw ValidationError("--evaluation is of evaluations, and --table says \(table); keep one")
        }
    }

    /// What is asked for, of a run by its id.
    func regrading(run: String?) -> Regrading {
        var regrading = Regrading(policy: policy.flatMap { GradingPolicy(rawValue: $0) }, run: run, suite: evaluation)
        if let table = table.flatMap({ Regrading.Table(rawValue: $0) }) {
            regrading.tables = [table]
        } else if evaluation != nil {
            regrading.tables = [.evaluations]
        }
        return regrading
    }

    func run() async throws {
        let summary = try await system.withDatabase { pool in
            var runID: String?
            if let runName { runID = try await RunReference.find(runName, from: pool).id }
            var listed = 0
            return try await regrading(run: runID).replay(from: pool) { difference in
                listed += 1
                if let limit, listed > limit { return }
                Terminal.out(try difference.json())
            }
        }
        Terminal.error(summary.rendered(policy: policy.flatMap { GradingPolicy(rawValue: $0) }))
        if tellsByStatus, summary.differing > 0 { throw ExitCode(1) }
    }
}
