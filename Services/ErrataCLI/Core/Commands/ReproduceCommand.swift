import ArgumentParser
import Foundation
import Reproduction
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

    @Option(help: "Students that are computed at the same time, one thread each. Default: as many as processors.")
    var workers: Int?

    func validate() throws {
        if let workers, workers < 1 { throw ValidationError("--workers is \(workers); it must be at least 1") }
        if quick, plan != nil { throw ValidationError("give --quick or --plan, not both") }
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
        do {
            let results = try await reproduction.run()
            let report = folder.appending(path: "\(table.rawValue).html")
            let figures = folder.appending(path: "\(table.rawValue).json")
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
}
