import ArgumentParser
import Foundation
import KafkaClient
import Reasoning
import Schemas
import ServiceRuntime

/// `errata submit`: streams problems into the queue.
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Stream problems into the queue.",
        discussion: """
            Reads JSON lines: GSM8K's layout ("question", and "answer" ending in "#### n"), or Errata's own problem \
            events. Bad lines are named with their number and reason and left out; the rest goes on. Submitting a \
            problem again is harmless: its event id is made of its dataset and content.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(help: "A JSONL file, or - for standard input.")
    var file: String

    @Option(help: "The data set that the problems belong to.")
    var dataset = "default"

    @Option(help: "train, rollout, development or test; a line's own split wins.")
    var split = "train"

    @Option(help: "Submit at most this many problems.")
    var limit: Int?

    func run() async throws {
        guard let split = Schemas.ProblemSplit(rawValue: split) else {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
        let lines = try ProblemLines.read(file)
        let kafka = try system.kafka()
        let producer = try KafkaProducer(kafka)
        var board = ProgressBoard(output: .standardError)
        var rejected = 0
        var sent = 0
        var batch: [KafkaRecord] = []
        let total = min(limit ?? lines.count, lines.count)
        func flush() async throws {
            guard !batch.isEmpty else { return }
            _ = try await producer.send(batch)
            sent += batch.count
            batch.removeAll(keepingCapacity: true)
            board.show([.init(name: "submitted", done: sent, total: total, note: rejectedNote(rejected))])
        }
        for (number, line) in lines where sent + batch.count < total {
            do {
                let record = try ProblemLines.record(of: line, dataset: dataset, split: split)
                guard record.largestSize <= kafka.recordSizeLimit else {
                    throw CLIError(
                        "the problem takes \(record.largestSize) bytes, the limit is \(kafka.recordSizeLimit); shorten it, "
                            + "or raise message.max.bytes in ERRATA_KAFKA_SETTINGS and max.message.bytes of the topic"
                    )
                }
                batch.append(record)
            } catch {
                rejected += 1
                Terminal.error("\(file == "-" ? "standard input" : file):\(number): \(error)")
                board.finish()
            }
            if batch.count == 200 { try await flush() }
        }
        try await flush()
        board.show(
            [.init(name: "submitted", done: sent, total: sent, note: rejectedNote(rejected))],
            final: true
        )
        await producer.close()
        if rejected > 0 { throw ExitCode(sent > 0 ? 2 : 1) }
    }

    private func rejectedNote(_ count: Int) -> String { count == 0 ? "" : "\(count) lines rejected" }
}

/// Problems as JSON lines.
enum ProblemLines {
    /// The non-empty lines of a file or of standard input, with their numbers from 1.
    static func read(_ file: String) throws -> [(number: Int, text: Substring)] {
        let data: Data
        if file == "-" {
            data = try FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            do {
                data = try Data(contentsOf: URL(fileURLWithPath: file))
            } catch {
                throw CLIError("\(file) cannot be read: \(error.localizedDescription)")
            }
        }
        let text = String(decoding: data, as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .map { (number: $0.offset + 1, text: $0.element) }
            .filter { !$0.text.allSatisfy(\.isWhitespace) }
    }

    /// The event of a line.
    static func event(of line: Substring, dataset: String, split: Schemas.ProblemSplit) throws -> ProblemEvent {
        let data = Data(line.utf8)
        if let event = try? EventCoding.decode(ProblemEvent.self, from: data) { return event }
        let problem = try GSM8K.parse(line: String(line))
        return event(of: problem, dataset: dataset, split: split)
    }

    /// A problem as an event.
    static func event(of problem: Problem, dataset: String, split: Schemas.ProblemSplit) -> ProblemEvent {
        ProblemEvent(
            id: DeterministicID.make(cause: dataset, parts: problem.id),
            dataset: dataset,
            split: split,
            question: problem.question,
            solution: problem.solution,
            answer: problem.answer,
            family: problem.family,
            steps: problem.steps
        )
    }

    /// The Kafka record of a line.
    static func record(of line: Substring, dataset: String, split: Schemas.ProblemSplit) throws -> KafkaRecord {
        try record(of: event(of: line, dataset: dataset, split: split))
    }

    /// The Kafka record of a problem.
    static func record(of event: ProblemEvent) throws -> KafkaRecord {
        let id = DeterministicID.make(cause: event.id, parts: "submitted", event.dataset, event.split.rawValue)
        return try OutgoingEvent(event, id: id, source: "/errata/cli", time: Date()).record()
    }
}
