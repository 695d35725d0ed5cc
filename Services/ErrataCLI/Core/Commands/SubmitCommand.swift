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
            events, known by "dataset" or "split". Bad lines are named with their number and reason and left out; the rest goes on. Submitting a \
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

    func validate() throws {
        guard ProblemSplit(rawValue: split) != nil else {
            throw ValidationError("--split must be train, rollout, development or test, not '\(split)'")
        }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        if dataset.allSatisfy(\.isWhitespace) { throw ValidationError("--dataset must not be blank") }
    }

    func run() async throws {
        guard let split = ProblemSplit(rawValue: split) else { return }
        let lines = try ProblemLines.read(file)
        let kafka = try system.kafka()
        let producer = try KafkaProducer(kafka)
        var board = ProgressBoard(output: .standardError)
        var rejected = 0
        var sent = 0
        var batch: [KafkaRecord] = []
        var known = ProblemLines.KnownIDs()
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
                let event = try ProblemLines.event(of: line, dataset: dataset, split: split)
                try known.add(event, line: number)
                let record = try ProblemLines.record(of: event)
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
        return lines(of: data)
    }

    /// The non-empty lines, whether they end in LF or CRLF, with or without a byte-order mark before the first.
    static func lines(of data: Data) -> [(number: Int, text: Substring)] {
        let mark = Data([0xEF, 0xBB, 0xBF])
        // By bytes: to Swift a CRLF is one character, which is not a line feed.
        return data.dropFirst(data.starts(with: mark) ? mark.count : 0)
            .split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
            .map { (number: $0.offset + 1, text: Substring(decoding: $0.element, as: UTF8.self)) }
            .map { (number: $0.number, text: $0.text.unicodeScalars.last == "\r" ? $0.text.dropLast() : $0.text) }
            .filter { !$0.text.allSatisfy(\.isWhitespace) }
    }

    /// Notices an id that comes again for another problem: the second would be taken for the first and ignored.
    struct KnownIDs {
        private var events: [String: (line: Int, event: ProblemEvent)] = [:]

        /// Adds the problem of a line.
        ///
        /// - Throws: ``CLIError`` that names the line on which the id stands for another problem.
        mutating func add(_ event: ProblemEvent, line: Int) throws {
            guard let first = events[event.id] else {
                events[event.id] = (line, event)
                return
            }
            guard first.event == event else {
                throw CLIError("the id '\(event.id)' stands for another problem on line \(first.line)")
            }
        }
    }

    /// The event of a line.
    static func event(of line: Substring, dataset: String, split: ProblemSplit) throws -> ProblemEvent {
        guard !line.unicodeScalars.contains("\u{FFFD}") else {
            throw CLIError("is not valid UTF-8, or holds U+FFFD from an earlier conversion")
        }
        let event = try decoded(line, dataset: dataset, split: split)
        guard ![event.id, event.question, event.answer, event.solution ?? ""].contains(where: { $0.contains("\0") })
        else { throw CLIError("holds a NUL character, which the database cannot keep") }
        return event
    }

    private static func decoded(
        _ line: Substring,
        dataset: String,
        split: ProblemSplit
    ) throws -> ProblemEvent {
        let data = Data(line.utf8)
        // A line that says whose it is must be an event in full: taken for GSM8K's layout, a misspelt split would move a
        // test problem to the default split.
        if let mark = try? EventCoding.decodeJSON(EventMark.self, from: data), mark.dataset != nil || mark.split != nil
        {
            return try EventCoding.decode(ProblemEvent.self, from: data)
        }
        let problem = try GSM8K.parse(line: String(line))
        return event(of: problem, dataset: dataset, split: split)
    }

    /// What tells a problem event from GSM8K's layout.
    private struct EventMark: Decodable {
        let dataset: JSONValue?
        let split: JSONValue?
    }

    /// A problem as an event.
    static func event(of problem: Problem, dataset: String, split: ProblemSplit) -> ProblemEvent {
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
    static func record(of line: Substring, dataset: String, split: ProblemSplit) throws -> KafkaRecord {
        try record(of: event(of: line, dataset: dataset, split: split))
    }

    /// The Kafka record of a problem.
    static func record(of event: ProblemEvent) throws -> KafkaRecord {
        let id = DeterministicID.make(cause: event.id, parts: "submitted", event.dataset, event.split.rawValue)
        return try OutgoingEvent(event, id: id, source: "/errata/cli", time: Date()).record()
    }
}
