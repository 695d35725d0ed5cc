import ArgumentParser
import Foundation
import Reproduction
import Schemas
import TensorEngine

/// `errata reproduce`.
struct ReproduceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Reproduces a paper's table on the built-in domain, with small students trained from nothing.",
        discussion: """
            Everything is kept in the folder: the same command goes on where it was ended, a training in progress \
            included. It writes TABLE.json with all figures, the configuration and the seeds, TABLE.html, a report that \
            needs no other file, and TABLE.md, the paper's claims beside what was measured.
            """
    )

    enum Table: String, ExpressibleByArgument, CaseIterable {
        case edit
        case supercorrect

        var table: ReproductionTable { self == .edit ? .edit : .supercorrect }
    }

    @Argument(help: "edit (key-step learning) or supercorrect (thought templates and cross-model DPO).")
    var table: Table

    @Option(name: [.short, .long], help: "The folder that everything is kept in.")
    var output: String?

    @Flag(help: "Everything once over in a few minutes, to see that it runs; the figures mean nothing.")
    var quick = false

    @Option(help: "A JSON file with sizes, seeds and budgets of your own; --print-plan gives one to start from.")
    var plan: String?

    @Flag(help: "Prints the plan and does nothing.")
    var printPlan = false

    @Option(
        name: .customLong("run"),
        help: "Prints an arm of the finished table as a run's event, and does nothing else."
    )
    var arm: String?

    @Option(help: "With --run: the seed; the table's first unless given.")
    var seed: UInt64?

    @Option(help: "Students that are computed at the same time, one thread each. Default: as many as processors.")
    var workers: Int?

    func validate() throws {
        if let workers, workers < 1 { throw ValidationError("--workers is \(workers); it must be at least 1") }
        if quick, plan != nil { throw ValidationError("give --quick or --plan, not both") }
        if seed != nil, arm == nil { throw ValidationError("--seed belongs to --run") }
        if output == nil, !printPlan { throw ValidationError("--output names the folder to keep everything in") }
    }

    private func chosenPlan() throws -> ReproductionPlan {
        guard let plan else { return quick ? .quick : .full }
        do {
            let read = try JSONDecoder().decode(ReproductionPlan.self, from: Data(contentsOf: URL(filePath: plan)))
            try read.validate()
            return read
        } catch {
            throw CLIError("\(plan): \(error)")
        }
    }

    func run() async throws {
        let plan = try chosenPlan()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard !printPlan, let output else {
            return Terminal.out(String(decoding: try encoder.encode(plan), as: UTF8.self))
        }
        let stop = StopRequest()
        stop.install()
        let folder = URL(filePath: output)
        let reproduction = try Reproduction(
            table: table.table,
            plan: plan,
            folder: folder,
            workers: workers ?? ProcessorCount.available,
            check: { if stop.isRequested { throw StopRequest.Stopped() } },
            log: { Terminal.error($0) }
        )
        let figures = folder.appending(path: "\(table.rawValue).json")
        if let arm { return try await printRun(of: arm, reproduction, figures) }
        do {
            let results = try await reproduction.run()
            let report = folder.appending(path: "\(table.rawValue).html")
            try encoder.encode(results).write(to: figures, options: .atomic)
            try Data(ReproductionReport.html(results).utf8).write(to: report, options: .atomic)
            let claims = folder.appending(path: "\(table.rawValue).md")
            try Data(ReproductionReport.markdown(results).utf8).write(to: claims, options: .atomic)
            Terminal.out(ReproductionReport.text(results))
            Terminal.out("\(report.path)\n\(figures.path)")
        } catch is StopRequest.Stopped {
            Terminal.error("ended; the same command goes on from here")
            throw ExitCode(130)
        }
    }

    /// An arm as a run, whose student lies in the folder's `models`.
    private func printRun(of arm: String, _ reproduction: Reproduction, _ figures: URL) async throws {
        guard let data = try? Data(contentsOf: figures) else {
            throw CLIError(
                "\(figures.path) is not there; finish the table first, which chooses the arms' learning rates"
            )
        }
        let results = try JSONDecoder().decode(TableResults.self, from: data)
        let seed = seed ?? results.plan.seeds.first ?? 1
        let run = try table.table.recipe(
            ofArm: arm,
            plan: results.plan,
            seed: seed,
            rates: results.rates,
            student: try await reproduction.student(ofSeed: seed)
        )
        Terminal.out(String(decoding: try EventCoding.encode(run), as: UTF8.self))
    }
}
