import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// `errata submit`: streams problems into the queue.
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Stream problems into the queue.",
        discussion: """
            Reads JSON lines, a JSON list, or BIG-Bench Hard's files. The layout of a line is recognised by its fields \
            (GSM8K, MATH, ARC, AGIEval, multiple choice, BBH, question and answer), or named with --layout, or its \
            columns are, with --map. Errata's own problem events are known by "dataset" or "split". Bad lines are named \
            with their number and reason and left out; the rest goes on, unless --stop-at-error is given. Submitting a \
            problem again is harmless: its event id is made of its dataset and content.

            Each line is sent as it comes, so that `tail -f problems.jsonl | errata submit -` goes on until it is \
            interrupted; then what was read is sent.

            With --estimate nothing is sent: it reads and checks the file, and says what the teacher's work on it will cost, \
            by prompt, and what each figure is made by: the prompts as they are made, and calls and tokens as the ledger of \
            the system has them so far, or stated defaults without one.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(help: "A file of JSON lines or of one JSON document, or - for standard input.")
    var file: String

    @Option(help: "The data set that the problems belong to.")
    var dataset = "default"

    @Option(help: "train, rollout, development or test; a line's own split wins.")
    var split = "train"

    @Option(help: "gsm8k, math, arc, agieval, choice, bbh or plain; recognised line by line where it is not given.")
    var layout: String?

    @Option(
        help: """
            The columns of the data set: question=NAME,answer=NAME, and if there are any solution=, options=, id=, family=, \
            steps=, level=, split=. A question in two columns is question=NAME+NAME.
            """
    )
    var map: String?

    @Flag(
        help: """
            Take problems without a reference answer too. They are learned from by runs whose "agreement" says of how many \
            of the teacher's answers how many must agree.
            """
    )
    var withoutAnswers = false

    @Option(help: "Submit at most this many problems.")
    var limit: Int?

    @Flag(help: "End at the first bad line, once those before it are sent.")
    var stopAtError = false

    @Flag(help: "Send nothing, but say what the teacher's work on the file will cost.")
    var estimate = false

    @Option(help: "With --estimate: a file like that of ERRATA_TEACHERS, with the prices. Default: ERRATA_TEACHERS.")
    var teachers: String?

    @Option(help: "With --estimate: only these of chains, duals, mistakes and templates, with commas between.")
    var parts: String?

    @Flag(help: "With --estimate: JSON instead of tables.")
    var json = false

    func validate() throws {
        guard ProblemSplit(rawValue: split) != nil else {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        if withoutAnswers, split != ProblemSplit.train.rawValue {
            throw ValidationError("--without-answers is for --split train: without an answer nothing can be scored")
        }
        if dataset.allSatisfy(\.isWhitespace) { throw ValidationError("--dataset must not be blank") }
        _ = try reader()
        let given = [("--teachers", teachers != nil), ("--parts", parts != nil), ("--json", json)].first { $0.1 }
        if let given, !estimate { throw ValidationError("\(given.0) needs --estimate") }
        _ = try chosenParts()
    }

    /// How the lines are read.
    func reader() throws -> ProblemReader {
        let known = ProblemLayout.allCases.map(\.rawValue)
        if let layout, !known.contains(layout) {
            throw ValidationError("--layout must be one of \(known.joined(separator: ", ")), not '\(layout)'")
        }
        if layout != nil, map != nil { throw ValidationError("--layout and --map are both given; keep one") }
        let task = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
        do {
            return ProblemReader(
                layout: layout.flatMap(ProblemLayout.init(rawValue:)),
                columns: try map.map { try ColumnMap($0, needsAnswer: !withoutAnswers) },
                family: file == "-" ? nil : task,
                allowsMissingAnswer: withoutAnswers
            )
        } catch let error as ReasoningError {
            throw ValidationError("--map: \(error.message)")
        }
    }

    func run() async throws {
        if estimate { return try await printEstimate() }
        guard let split = ProblemSplit(rawValue: split) else { return }
        let input = try ByteInput(file)
        let kafka = try await system.answeringKafka(topics: [Topic.problems.rawValue])
        let producer = try KafkaProducer(kafka)
        let taken = TakenIDs(system)
        let stop = StopRequest()
        stop.install()
        var submission = Submission(
            reader: try reader(),
            dataset: dataset,
            split: split,
            place: InputFile.place(file),
            limit: limit,
            recordSizeLimit: kafka.recordSizeLimit,
            stopsAtError: stopAtError
        )
        var board = ProgressBoard(output: .standardError)
        var source = ProblemSource()
        var sent = 0
        func show(final: Bool = false) {
            let note = submission.rejected == 0 ? "" : "\(submission.rejected) rejected"
            board.show([.init(name: "submitted", done: sent, total: final ? sent : 0, note: note)], final: final)
        }
        func complain(_ message: String) {
            Terminal.error(message)
            board.finish()
        }
        func flush() async throws {
            let batch = submission.takeBatch()
            guard !batch.isEmpty else { return }
            let (conflicts, warning) = await taken.conflicts(of: batch.map(\.event))
            if let warning { complain(warning) }
            for entry in batch {
                if let conflict = conflicts[entry.event.id] { complain(submission.reject(conflict, at: entry.place)) }
            }
            let records = batch.filter { conflicts[$0.event.id] == nil }.map(\.record)
            if !records.isEmpty { _ = try await producer.send(records) }
            sent += records.count
            show()
        }
        func take(_ items: [ProblemSource.Item]) async throws {
            for item in items where !submission.isOver {
                if let message = submission.add(item) { complain(message) }
                if submission.isBatchFull { try await flush() }
            }
        }
        do {
            reading: while !submission.isOver, !stop.isRequested {
                // What has come is sent before more is waited for.
                switch try await input.next(waits: !submission.hasBatch) {
                case .bytes(let bytes): try await take(source.append(bytes))
                case .nothing: try await flush()
                case .end: break reading
                }
            }
            if !submission.isOver, !stop.isRequested { try await take(source.finish()) }
        } catch let error as ReasoningError {
            complain(submission.reject(error.message, at: ""))
        }
        try await flush()
        if source.hasCanary, [.train, .rollout].contains(split) {
            complain(
                "\(InputFile.place(file)): carries a canary, by which its publisher asks that nothing is learned from it; "
                    + "submit it with --split test"
            )
        }
        show(final: true)
        await producer.close()
        await taken.close()
        if submission.rejected > 0 { throw ExitCode(sent > 0 ? 2 : 1) }
    }
}
