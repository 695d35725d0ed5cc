import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata traces`: what the teacher gave, and what of it was refused and why.
struct TracesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traces",
        abstract: "List what the teacher's work gave, and count what was refused and why.",
        discussion: """
            A line is a trace: a chain of thought, a dual pair, a thought template, an inspector's verdict or a \
            correction. One that did not pass every check is kept and not learned from; "refused for" is the kind of the \
            reason, which `errata schema errata.trace.v1` calls failureKind, and - of traces that are older than it.

            --refused counts them by trace and reason, the most frequent first, with one of the reasons in words; with \
            --list or --json it lists them one by one.

            --refused --answers prints, for each of them, what the teacher wrote: all its answers to the questions that the \
            trace was to be made of, in order. What was asked before about the same text under another name stands there.
            """
    )

    @OptionGroup var system: SystemOptions

    @Option(help: "Only the traces of a problem, by its id.")
    var problem: String?

    @Option(help: "Only those of a data set's problems.")
    var dataset: String?

    @Option(name: .customLong("run"), help: "Only a run's corrections: its id, the beginning of it, or its name.")
    var runName: String?

    @Option(help: "chain-of-thought, dual, template, inspector-verdict or correction.")
    var kind: String?

    @Flag(help: "Only what was refused, counted by the kind of trace and of the reason.")
    var refused = false

    @Flag(help: "With --refused: one line a trace.")
    var list = false

    @Flag(help: "With --refused: what the teacher wrote, trace by trace.")
    var answers = false

    @Option(help: "At most this many lines. Default: 50 of a list, all of JSON and of counts.")
    var limit: Int?

    @Flag(help: "The traces themselves, as JSON lines.")
    var json = false

    /// The lines of a list where nothing is said.
    private static let listed = 50
    /// The traces that are read at a time.
    private static let pageSize = 500
    /// The most characters of a reason.
    private static let shownReason = 100

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        if let kind, TraceKind(rawValue: kind) == nil {
            let known = TraceKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--kind must be one of \(known), not '\(kind)'")
        }
        if answers, !refused {
            throw ValidationError("--answers goes with --refused: what is not refused stands in the trace; see --json")
        }
        if list, json { throw ValidationError("--list and --json are both given; keep one") }
    }

    func run() async throws {
        try await system.withDatabase { pool in
            var runID: String?
            if let runName { runID = try await RunReference.find(runName, from: pool).id }
            let filter = TraceFilter(
                problem: problem,
                dataset: dataset,
                run: runID,
                kind: kind.flatMap(TraceKind.init(rawValue:)),
                onlyRefused: refused
            )
            if refused, !list, !json, !answers {
                let refusals = try await TraceStore.refusals(filter, limit: limit, from: pool)
                Terminal.out(Self.rendered(refusals))
            } else {
                try await show(filter, from: pool)
            }
        }
    }

    private func show(_ filter: TraceFilter, from pool: PostgresPool) async throws {
        var left = limit ?? (json ? Int.max : Self.listed)
        var last = ""
        var shown: [TraceEvent] = []
        while left > 0 {
            let size = min(left, Self.pageSize)
            let page = try await TraceStore.traces(filter, after: last, limit: size, from: pool)
            if answers {
                for trace in page { try await showAnswers(to: trace, from: pool) }
            } else if json {
                for trace in page { Terminal.out(try Self.line(of: trace)) }
            } else {
                shown += page
            }
            left -= page.count
            guard page.count == size, let end = page.last else { break }
            last = end.id
        }
        guard !json, !answers else { return }
        Terminal.out(Self.rendered(shown))
        if limit == nil, shown.count == Self.listed {
            Terminal.error("the first \(shown.count) traces in order of id; --limit says how many")
        }
    }

    private func showAnswers(to trace: TraceEvent, from pool: PostgresPool) async throws {
        let answers = try await TraceAnswer.read(of: trace, from: pool)
        Terminal.out(try json ? TraceAnswer.line(trace, answers) : TraceAnswer.rendered(trace, answers))
    }

    /// A trace as its event's body.
    ///
    /// It is not checked: what an earlier version stored is shown as it is.
    static func line(of trace: TraceEvent) throws -> String {
        String(decoding: try EventCoding.encodeJSON(trace), as: UTF8.self)
    }

    /// The table of `errata traces`.
    static func rendered(_ traces: [TraceEvent]) -> String {
        guard !traces.isEmpty else { return "no trace" }
        var table = TextTable([
            ("trace", .left), ("problem", .left), ("kind", .left), ("refused for", .left), ("reason", .left),
        ])
        for trace in traces {
            let kind = trace.verified ? "" : trace.failureKind ?? TraceStore.unknownFailureKind
            table.add([
                trace.id, trace.problemId, trace.kind.rawValue, kind,
                TextTable.oneLine(trace.failure ?? "", atMost: shownReason),
            ])
        }
        return table.rendered()
    }

    /// The table of `errata traces --refused`.
    static func rendered(_ refusals: [TraceStore.Refusals]) -> String {
        guard !refusals.isEmpty else { return "nothing was refused" }
        var table = TextTable([("trace", .left), ("refused for", .left), ("count", .right), ("such as", .left)])
        for line in refusals {
            table.add([
                line.kind, line.failureKind, String(line.count), TextTable.oneLine(line.example, atMost: shownReason),
            ])
        }
        return table.rendered()
    }
}
