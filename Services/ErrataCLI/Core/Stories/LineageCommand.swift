import ArgumentParser
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata lineage`: where a checkpoint comes from.
struct LineageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineage",
        abstract: "Go from a checkpoint to its run, parents, data, prompts, teacher calls, cost, scores and verdicts.",
        discussion: """
            The chain goes from the checkpoint to the student that nothing was taught, across runs where a run's student is a \
            checkpoint of another. Data, calls and cost are those of all stages of the chain, each problem once. What a \
            teacher was asked about a problem counts whole, whichever run paid for it.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(
        help: """
            A checkpoint's id or model hash, or the beginning of one (8 characters); a model's name; or RUN/STAGE or \
            RUN/ROUND/STAGE, the run by its id, its beginning or its name.
            """
    )
    var checkpoint: String

    @Flag(help: "List the ids of the traces; the JSON always has them.")
    var traces = false

    @Flag(help: "One JSON object instead of text.")
    var json = false

    func run() async throws {
        let lineage = try await system.withDatabase { pool in
            try await Lineage.of(find(in: pool), from: pool)
        }
        guard json else { return Terminal.out(LineageText.text(of: lineage, listingTraces: traces)) }
        Terminal.out(String(decoding: try EventCoding.encodeJSON(lineage), as: UTF8.self))
    }

    /// The checkpoint that is meant.
    ///
    /// - Throws: ``CLIError`` where none or several are.
    private func find(in pool: PostgresPool) async throws -> CheckpointEvent {
        let hash = try named()
        let parts = checkpoint.split(separator: "/").map(String.init)
        if hash == nil, (2...3).contains(parts.count) { return try await find(parts, in: pool) }
        var fitting = try await RunStore.checkpoints(matching: checkpoint, from: pool)
        if fitting.isEmpty, let hash {
            fitting = try await RunStore.checkpoints(matching: hash, from: pool)
        }
        guard let first = fitting.first else {
            throw CLIError(
                "there is no checkpoint \(checkpoint): give an id, a model's hash or name, or RUN/STAGE; `errata runs` lists runs"
            )
        }
        // A model may be the student of any number of runs; what made it is the checkpoint that is meant.
        let made = fitting.filter { $0.stage != RunStage.initial }
        if made.count == 1, let only = made.first { return only }
        if fitting.count == 1 || made.isEmpty && Set(fitting.map(\.modelHash)).count == 1 { return first }
        let names = fitting.map { "\($0.runId)/\($0.round ?? 1)/\($0.stage)" }
        throw CLIError("\(checkpoint) means \(fitting.count) checkpoints; give one of \(names.joined(separator: ", "))")
    }

    private func find(_ parts: [String], in pool: PostgresPool) async throws -> CheckpointEvent {
        let run = try await RunReference.find(parts[0], from: pool)
        let stage = parts[parts.count - 1]
        let ofStage = try await RunStore.checkpoints(run: run.id, from: pool).filter { $0.stage == stage }
        let found =
            parts.count == 2
            ? ofStage.max { ($0.round ?? 1) < ($1.round ?? 1) } : ofStage.first { "\($0.round ?? 1)" == parts[1] }
        guard let found else {
            let stages = [RunStage.initial] + run.stagesInOrder.map(\.name)
            throw CLIError(
                "the run \(run.name) has no checkpoint \(parts.dropFirst().joined(separator: "/")) (yet); its stages are "
                    + stages.joined(separator: ", ")
            )
        }
        return found
    }

    /// The hash of the model with this name; nil where there is none, or no store.
    private func named() throws -> String? {
        let options = try ModelStoreOptions.parse(["--state=\(system.state)"])
        guard FileManager.default.fileExists(atPath: options.folder().path) else { return nil }
        return try options.store().names()[checkpoint]
    }
}

/// A lineage as text.
enum LineageText {
    /// The text of a lineage.
    ///
    /// Arguments:
    ///   - listingTraces: whether each trace is named by its id.
    static func text(of lineage: Lineage, listingTraces: Bool = false) -> String {
        var blocks: [String] = []
        for (index, link) in lineage.links.enumerated() {
            blocks.append((index == 0 ? "" : "from ") + text(of: link))
        }
        if !lineage.datasets.isEmpty {
            let names = lineage.datasets.map { "\($0.name) \($0.problems)" }.joined(separator: ", ")
            blocks.append("problems learned from: \(names)")
        }
        if !lineage.traces.isEmpty {
            var table = TextTable([
                ("verified traces", .left), ("prompt", .left), ("version", .left), ("teacher", .left),
                ("count", .right),
            ])
            for line in lineage.traces {
                let kind = [line.kind, line.method].compactMap { $0 }.joined(separator: ", ")
                table.add([kind, line.prompt, line.promptVersion, line.model, String(line.count)])
            }
            blocks.append(table.rendered())
            for line in lineage.traces where listingTraces {
                let kind = [line.kind, line.method].compactMap { $0 }.joined(separator: ", ")
                blocks.append(
                    "\(kind) by \(line.prompt) \(line.promptVersion):\n  " + line.ids.joined(separator: "\n  ")
                )
            }
        }
        blocks.append(calls(lineage))
        return Terminal.printable(blocks.joined(separator: "\n\n"))
    }

    private static func text(of link: Lineage.Link) -> String {
        let checkpoint = link.checkpoint
        var lines = [
            "\(checkpoint.stage), round \(checkpoint.round ?? 1) of run \(link.runName) (\(link.run))",
            "  checkpoint \(checkpoint.id), \(link.createdAt.ISO8601Format())",
            "  model \(checkpoint.modelHash)",
        ]
        if checkpoint.steps > 0 || checkpoint.tokensTrained > 0 {
            let loss = checkpoint.finalLoss.map { ", loss \(String(format: "%.4g", $0))" } ?? ""
            lines.append(
                "  trained on \(checkpoint.tokensTrained) tokens in \(checkpoint.steps) steps and "
                    + "\(String(format: "%.0f", checkpoint.trainSeconds)) s\(loss)"
            )
            let examples = checkpoint.examples.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            lines.append(
                "  from \(link.problems) problems, \(link.corrections) corrections; examples: "
                    + (examples.isEmpty ? "none told" : examples.joined(separator: ", "))
            )
        }
        for evaluation in link.evaluations {
            lines.append(
                "  scored \(evaluation.correct)/\(evaluation.problems) on \(evaluation.suite) (95 %: "
                    + String(format: "%.3f to %.3f)", evaluation.interval.low, evaluation.interval.high)
            )
        }
        for verdict in link.verdicts {
            lines.append(
                "  \(verdict.decision.rawValue) by \(verdict.by.rawValue): \(verdict.reasons.joined(separator: "; "))"
            )
        }
        return lines.joined(separator: "\n")
    }

    private static func calls(_ lineage: Lineage) -> String {
        guard !lineage.calls.isEmpty || lineage.failedCalls > 0 else {
            return "no teacher was asked about what it learned from"
        }
        var table = TextTable([
            ("teacher asked as", .left), ("prompt", .left), ("version", .left), ("model", .left), ("answers", .right),
            ("tokens sent", .right), ("received", .right), ("cost", .right),
        ])
        for line in lineage.calls {
            table.add([
                line.role, line.prompt, line.promptVersion, line.model, String(line.answers), String(line.promptTokens),
                String(line.completionTokens), line.cost.map { String(format: "%.4f", $0) } ?? "",
            ])
        }
        let costs = lineage.calls.compactMap(\.cost)
        func sum(_ count: (Lineage.Calls) -> Int) -> Int { lineage.calls.reduce(0) { $0 + count($1) } }
        return table.rendered()
            + "\nall: \(sum(\.answers)) answers, tokens sent \(sum(\.promptTokens)), received \(sum(\.completionTokens))"
            + (costs.isEmpty ? "" : ", cost " + String(format: "%.4f", costs.reduce(0, +)))
            + (lineage.failedCalls == 0
                ? "" : "; \(lineage.failedCalls) calls gave no answer, \(lineage.maybeBilled) of them may be billed")
    }
}
