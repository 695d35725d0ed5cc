import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata problems`: which problems overlap, and what was left out for it.
struct ProblemsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "problems",
        abstract: "List the problems that are duplicates or give away an evaluation question, as JSON lines.",
        discussion: """
            A problem to learn from is left out where another of its data set was there before ("duplicate") or an \
            evaluation question of its data set stands in it ("contaminated"). Where the other problem is of another data \
            set, it is left out of the runs that have both ("of-runs"). "kind" is exact, near ("similarity" is the Jaccard \
            similarity of their three-word shingles) or contains ("similarity" is the share of the other's question).
            """
    )

    @OptionGroup var system: SystemOptions

    @Option(help: "Only problems of this data set.")
    var dataset: String?

    @Option(help: "At most this many, the first that were found.")
    var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
    }

    func run() async throws {
        let reports = try await system.withDatabase { pool in
            try await ProblemOverlapStore.reports(dataset: dataset, limit: limit, from: pool)
        }
        for report in reports { Terminal.out(try Self.line(of: report)) }
    }

    /// An overlap as a line of JSON.
    static func line(of report: ProblemOverlapStore.Report) throws -> String {
        let leftOut: JSONValue
        switch report.state {
        case "duplicate"?, "contaminated"?: leftOut = .string(report.state ?? "")
        default: leftOut = report.dataset == report.otherDataset ? .null : "of-runs"
        }
        let fields: [String: JSONValue] = [
            "problem": .string(report.overlap.problemID),
            "dataset": .string(report.dataset),
            "split": .string(report.split),
            "leftOut": leftOut,
            "kind": .string(report.overlap.kind),
            "similarity": .number((report.overlap.similarity * 1_000).rounded() / 1_000),
            "other": .string(report.overlap.otherID),
            "otherDataset": .string(report.otherDataset),
            "otherSplit": .string(report.otherSplit),
        ]
        return String(decoding: try EventCoding.encodeJSON(JSONValue.object(fields)), as: UTF8.self)
    }
}
