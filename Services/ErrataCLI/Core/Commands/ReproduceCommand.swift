import ArgumentParser
import Foundation
import Reproduction

/// `errata reproduce`.
struct ReproduceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Reproduces a paper's table on the built-in domain, with small students trained from nothing.",
        discussion: """
            Everything is kept in the folder: the same command goes on where it was ended, a training in progress \
            included. It writes TABLE.json with all figures, the configuration and the seeds, and TABLE.html, a report \
            that needs no other file.
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
    var output: String

    @Flag(help: "Everything once over in a few minutes, to see that it runs; the figures mean nothing.")
    var quick = false

    @Option(help: "Students that are computed at the same time, one thread each. Default: as many as processors.")
    var workers: Int?

    func validate() throws {
        if let workers, workers < 1 { throw ValidationError("--workers is \(workers); it must be at least 1") }
    }

    func run() async throws {
        let stop = StopRequest()
        stop.install()
        let folder = URL(filePath: output)
        let reproduction = try Reproduction(
            table: table.table,
            plan: quick ? .quick : .full,
            folder: folder,
            workers: workers ?? ProcessInfo.processInfo.activeProcessorCount,
            check: { if stop.isRequested { throw StopRequest.Stopped() } },
            log: { Terminal.error($0) }
        )
        do {
            let results = try await reproduction.run()
            let report = folder.appending(path: "\(table.rawValue).html")
            let figures = folder.appending(path: "\(table.rawValue).json")
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(results).write(to: figures, options: .atomic)
            try Data(ReproductionReport.html(results).utf8).write(to: report, options: .atomic)
            Terminal.out(ReproductionReport.text(results))
            Terminal.out("\(report.path)\n\(figures.path)")
        } catch is StopRequest.Stopped {
            Terminal.error("ended; the same command goes on from here")
            throw ExitCode(130)
        }
    }
}
