import ArgumentParser
import Foundation
import KafkaClient
import Reasoning
import Schemas
import ServiceRuntime

/// `errata import`: traces that were recorded elsewhere.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Send recorded traces, which are verified like a teacher's.",
        discussion: """
            Reads JSON lines: {"kind": "chain-of-thought", "text": …}, {"kind": "dual", "right": …, "wrong": …}, \
            {"kind": "template", "text": …} or {"kind": "correction", "correction": {"steps": …, "firstWrongStep": …, \
            "cause": …, "correction": …, "answer": …}}, each with "problemId", or with the "problem" itself in any layout of \
            `errata submit`, which is then submitted too. `errata schema errata.recorded-trace.v1` has all fields; what \
            `errata export` writes can be imported. Bad lines are named and left out.

            What is verified counts as taught: the teacher is not asked for it again. `errata traces --refused` shows what \
            was refused and why.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(help: "A file of JSON lines, or - for standard input.")
    var file: String

    @Option(help: "The data set of problems that stand in the lines.")
    var dataset = "default"

    @Option(help: "Their split; a problem's own split wins.")
    var split = "train"

    func validate() throws {
        guard ProblemSplit(rawValue: split) != nil else {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
    }

    func run() async throws {
        guard let split = ProblemSplit(rawValue: split) else { return }
        let place = InputFile.place(file)
        let kafka = try await system.answeringKafka(topics: [Topic.problems.rawValue, Topic.traces.rawValue])
        let producer = try KafkaProducer(kafka)
        var lines = TraceLines(dataset: dataset, split: split)
        var rejected = 0
        var sent = (problems: 0, traces: 0)
        func flush() async throws {
            let batch = lines.takeBatch()
            guard !batch.traces.isEmpty else { return }
            // The problems first: a trace whose problem is not there waits for it.
            _ = try await producer.send(batch.problems + batch.traces)
            sent = (sent.problems + batch.problems.count, sent.traces + batch.traces.count)
        }
        try await attempting {
            for (number, text) in try ProblemLines.lines(of: InputFile.read(file)) {
                do {
                    try lines.add(text, sizeLimit: kafka.recordSizeLimit)
                } catch {
                    rejected += 1
                    let message = (error as? ReasoningError)?.message ?? "\(error)"
                    Terminal.error("\(place):\(number): \(message)")
                }
                if lines.isBatchFull { try await flush() }
            }
            try await flush()
        } finally: {
            await producer.close()
        }
        Terminal.error(
            "sent \(sent.traces) traces" + (sent.problems > 0 ? " and \(sent.problems) problems" : "")
                + (rejected > 0 ? "; \(rejected) lines rejected" : "")
        )
        if rejected > 0 { throw ExitCode(sent.traces > 0 ? 2 : 1) }
    }
}

/// Reads the lines of `errata import`.
struct TraceLines {
    /// The most traces that are sent at once.
    static let batchSize = 200

    let dataset: String
    let split: ProblemSplit
    private var problems: [KafkaRecord] = []
    private var traces: [KafkaRecord] = []
    private var known = ProblemLines.KnownIDs()
    private var submitted: Set<String> = []

    init(dataset: String, split: ProblemSplit) {
        self.dataset = dataset
        self.split = split
    }

    var isBatchFull: Bool { traces.count >= Self.batchSize }

    /// Takes in a line.
    ///
    /// - Throws: what is wrong with it.
    mutating func add(_ line: Substring, sizeLimit: Int) throws {
        let (trace, problem) = try Self.read(line, dataset: dataset, split: split)
        if let problem { try known.add(problem, line: submitted.count + 1) }
        let record = try OutgoingEvent.created(
            trace,
            id: DeterministicID.make(cause: trace.id, parts: "imported"),
            source: "/errata/cli",
            time: Date()
        ).record()
        guard record.largestSize <= sizeLimit else {
            throw CLIError("the trace takes \(record.largestSize) bytes, the limit is \(sizeLimit); shorten it")
        }
        if let problem, submitted.insert(problem.id).inserted { problems.append(try ProblemLines.record(of: problem)) }
        traces.append(record)
    }

    /// What is to be sent now.
    mutating func takeBatch() -> (problems: [KafkaRecord], traces: [KafkaRecord]) {
        defer { (problems, traces) = ([], []) }
        return (problems, traces)
    }

    /// The trace of a line, and its problem where it stands in it.
    static func read(
        _ line: Substring,
        dataset: String,
        split: ProblemSplit
    ) throws -> (trace: RecordedTraceEvent, problem: ProblemEvent?) {
        guard !line.contains("\0"), !line.contains("\\u0000") else {
            throw CLIError("holds a NUL character, which the database cannot keep")
        }
        do {
            guard var fields = try EventCoding.decodeForeign(Data(line.utf8)).objectValue else {
                throw CLIError("is no JSON object")
            }
            var problem: ProblemEvent?
            if let own = fields.removeValue(forKey: "problem") {
                let text = String(decoding: try EventCoding.encodeJSON(own), as: UTF8.self)
                let event = try ProblemLines.event(of: text[...], dataset: dataset, split: split)
                if let id = fields["problemId"]?.stringValue, id != event.id {
                    throw CLIError(
                        "problemId is '\(id)', but the id of its problem is '\(event.id)'; leave problemId out"
                    )
                }
                fields["problemId"] = .string(event.id)
                problem = event
            }
            guard fields["problemId"] != nil else {
                throw CLIError("has neither problemId nor problem; give one of them")
            }
            let trace = try EventCoding.decode(
                RecordedTraceEvent.self,
                from: EventCoding.encodeJSON(JSONValue.object(fields))
            )
            return (trace, problem)
        } catch let error as SchemasError {
            throw CLIError(error.message)
        }
    }
}
