import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// The table at the end of the demonstration.
struct ResultsTable: Sendable {
    private let run: RunEvent
    /// The evaluation events in the table's order.
    let ordered: [EvaluationEvent]

    private static let names: [(stage: String, name: String)] = [
        (RunStage.initial, "untrained"),
        ("plain", "plain chain of thought"),
        ("hsft", "thought templates (HSFT)"),
        ("krsl", "+ key steps (KRSL)"),
        ("dpo", "+ cross-model DPO"),
    ]

    init(run: RunEvent, events: [EvaluationEvent]) {
        self.run = run
        ordered = Self.names.flatMap { name in
            events.filter { $0.stage == name.stage }.sorted { $0.suite < $1.suite }
        }
    }

    /// The rows, each with an exact McNemar test against the row above, and the plain arm against the final student.
    func rendered(from pool: PostgresPool) async throws -> String {
        var table = TextTable([
            ("student", .left), ("correct", .right), ("accuracy", .right), ("95 % interval", .left),
            ("tokens trained", .right), ("against the row above", .left),
        ])
        let checkpoints = try await RunStore.checkpoints(run: run.id, from: pool)
        var previous: EvaluationEvent?
        for event in ordered {
            let tokens = tokensTrained(to: event.stage, checkpoints: checkpoints)
            var comparison = ""
            if let previous { comparison = try await compare(event, with: previous, from: pool).text }
            table.add([
                Self.names.first { $0.stage == event.stage }?.name ?? event.stage,
                "\(event.correct)/\(event.problems)",
                Self.percent(event.accuracy),
                "\(Self.percent(event.interval.low)) – \(Self.percent(event.interval.high))",
                String(tokens),
                comparison,
            ])
            previous = event
        }
        var lines = [table.rendered(), ""]
        if let final = ordered.last(where: { $0.stage == "dpo" }) {
            for stage in [RunStage.initial, "plain", run.stage("dpo")?.parentName ?? RunStage.initial] {
                guard let other = ordered.first(where: { $0.stage == stage }), other.id != final.id else { continue }
                let result = try await compare(final, with: other, from: pool)
                let name = Self.names.first { $0.stage == stage }?.name ?? stage
                lines.append("final student against \(name): \(result.text)")
            }
        }
        for index in ordered.indices.dropFirst() where ordered[index].stage != "plain" {
            let other =
                ordered[index].stage == "hsft" ? ordered.first { $0.stage == RunStage.initial } : ordered[index - 1]
            guard let other, ordered[index].correct <= other.correct else { continue }
            let name = Self.names.first { $0.stage == ordered[index].stage }?.name ?? ""
            lines.append("In this run the stage '\(name)' did not help.")
        }
        return lines.joined(separator: "\n")
    }

    private func compare(
        _ event: EvaluationEvent,
        with other: EvaluationEvent,
        from pool: PostgresPool
    ) async throws -> (text: String, pValue: Double) {
        let these = try await EvaluationStore.outcomes(checkpoint: event.checkpointId, suite: event.suite, from: pool)
        let those = try await EvaluationStore.outcomes(checkpoint: other.checkpointId, suite: other.suite, from: pool)
        let pairs = PairedOutcomes(these, those)
        let difference = Double(event.correct - other.correct) / Double(max(1, event.problems)) * 100
        let sign = difference >= 0 ? "+" : "−"
        let points = "\(sign)\((abs(difference) * 10).rounded() / 10) points"
        // Two significant digits: a p of 8e-05 and one of 1e-77 are not the same finding.
        let shown = "= " + String(format: "%.2g", pairs.pValue)
        return ("\(points) (\(pairs.onlyFirst) won, \(pairs.onlySecond) lost, McNemar p \(shown))", pairs.pValue)
    }

    /// The tokens of the whole chain up to a stage; the plain arm has a chain of its own.
    private func tokensTrained(to stage: String, checkpoints: [CheckpointEvent]) -> Int {
        var total = 0
        var current = checkpoints.first { $0.stage == stage }
        while let checkpoint = current {
            total += checkpoint.tokensTrained
            current = checkpoint.parentCheckpointId.flatMap { parent in checkpoints.first { $0.id == parent } }
        }
        return total
    }

    private static func percent(_ value: Double) -> String {
        let tenths = Int((value * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }
}
