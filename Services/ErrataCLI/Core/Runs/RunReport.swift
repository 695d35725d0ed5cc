import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// The stages of a run as rows of a table: state, round, stage, step, loss, scores.
struct RunRows {
    let rows: [[String]]

    init(_ run: RunEvent, from pool: PostgresPool) async throws {
        let jobs = try await JobStore.jobs(run: run.id, from: pool)
        let evaluations = try await EvaluationStore.evaluations(run: run.id, from: pool)
        func scores(_ round: Int, _ stage: String) -> String {
            evaluations.filter { $0.stage == stage && ($0.round ?? 1) == round }
                .map { "\($0.suite) \($0.correct)/\($0.problems)" }.joined(separator: ", ")
        }
        var rows = [["done", "", RunStage.initial, "", "", scores(1, RunStage.initial)]]
        let rounds = Set(jobs.map(\.id.round)).sorted()
        for round in rounds {
            for stage in run.stagesInOrder {
                guard let job = jobs.first(where: { $0.id.round == round && $0.id.stage == stage.name }) else {
                    continue
                }
                rows.append([
                    job.state.rawValue, String(round), stage.name, "\(job.step)/\(job.totalSteps)",
                    job.loss.map { String(($0 * 1000).rounded() / 1000) } ?? "", scores(round, stage.name),
                ])
            }
        }
        self.rows = rows
    }
}

/// All that there is to say of a run.
struct RunReport {
    let run: RunEvent
    let pool: PostgresPool

    func print() async throws {
        let state = try await RunStore.state(of: run.id, from: pool)
        Terminal.out("run \(run.name) (\(run.id)) on \(run.dataset), seed \(run.seed)")
        Terminal.out(
            "state: \(state?.state.rawValue ?? "unknown")" + (state?.reason.map { " (\($0))" } ?? "")
        )
        var table = TextTable([
            ("state", .left), ("round", .right), ("stage", .left), ("step", .right), ("loss", .right),
            ("accuracy", .left),
        ])
        for row in try await RunRows(run, from: pool).rows { table.add(row) }
        Terminal.out(table.rendered())
        for job in try await JobStore.jobs(run: run.id, from: pool) {
            if let error = job.error { Terminal.out("round \(job.id.round), \(job.id.stage): \(error)") }
        }
        for job in try await EvaluationJobStore.jobs(run: run.id, from: pool) where job.state != .done {
            let what = job.suite.map { "suite \($0)" } ?? "roll-out"
            let why = job.reason.map { " (\($0))" } ?? ""
            Terminal.out("\(what) of \(job.checkpoint.prefix(8)): \(job.state.rawValue)\(why)")
        }
        try await printEvaluations()
        for line in try await Self.refusedOrders(to: run.id, from: pool) { Terminal.out(line) }
        for verdict in try await RoundStore.verdicts(of: run.id, from: pool) {
            Terminal.out(
                "round \(verdict.round): \(verdict.decision.rawValue) by \(verdict.by.rawValue): "
                    + verdict.reasons.joined(separator: "; ")
            )
        }
        if run.gate != nil, let champion = try await RoundStore.champion(of: run.id, from: pool),
            let checkpoint = try await RunStore.checkpoint(champion, from: pool)
        {
            Terminal.out(
                "champion: \(checkpoint.stage) of round \(checkpoint.round ?? 1), model \(checkpoint.modelHash)"
            )
        }
    }

    /// The orders to a run that were refused, a line each.
    static func refusedOrders(to run: String, from pool: PostgresPool) async throws -> [String] {
        try await RunStore.refusedOrders(to: run, from: pool).map { refused in
            var what = refused.order.map { "the order \($0.action.rawValue)" } ?? "an order"
            if let round = refused.order?.round { what += " of round \(round)" }
            if let by = refused.order?.by { what += " by \(by)" }
            return "refused at \(try Timestamp.format(refused.time)): \(what): \(refused.reason)"
        }
    }

    private func printEvaluations() async throws {
        let evaluations = try await EvaluationStore.evaluations(run: run.id, from: pool)
        guard !evaluations.isEmpty else { return }
        var table = TextTable([
            ("suite", .left), ("round", .right), ("student", .left), ("correct", .right), ("95 % interval", .left),
            ("cut off", .right), ("against", .left),
        ])
        for evaluation in evaluations {
            let parent = try await RunStore.checkpoint(evaluation.checkpointId, from: pool)?.parentCheckpointId
            let comparison = evaluation.comparisons.first { $0.againstCheckpointId == parent }
            table.add([
                evaluation.suite, evaluation.round.map(String.init) ?? "", evaluation.stage,
                "\(evaluation.correct)/\(evaluation.problems)",
                "\(Self.percent(evaluation.interval.low)) – \(Self.percent(evaluation.interval.high))",
                evaluation.truncated.map(String.init) ?? "",
                comparison.map {
                    "\($0.againstStage): \($0.onlyThis) won, \($0.onlyOther) lost, p \(String(format: "%.2g", $0.pValue))"
                } ?? "",
            ])
        }
        Terminal.out(table.rendered())
    }

    private static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}
