import Foundation
import KafkaClient
import Reasoning
import Schemas
import ServiceRuntime
import Teaching

/// Problems as lines of JSON.
enum ProblemLines {
    /// The problems of a whole file or of standard input, with their lines from 1.
    static func read(_ file: String) throws -> [(number: Int, text: Substring)] {
        do {
            return try lines(of: InputFile.read(file))
        } catch let error as ReasoningError {
            throw CLIError("\(InputFile.place(file)): \(error.message)")
        }
    }

    /// The lines that are not blank, or the problems of a document.
    static func lines(of data: Data) throws -> [(number: Int, text: Substring)] {
        var source = ProblemSource()
        let items = try source.append(data) + source.finish()
        return items.map { ($0.number, $0.text) }
    }

    /// Notices an id that comes again for another problem: the second would be taken for the first and ignored.
    struct KnownIDs {
        /// Of each id the first line, and a hash of the problem: a stream may go on for ever, and texts are long.
        private var problems: [String: (line: Int, hash: Int)] = [:]

        /// Adds the problem of a line.
        ///
        /// - Throws: ``CLIError`` that names the line on which the id stands for another problem.
        mutating func add(_ event: ProblemEvent, line: Int) throws {
            guard let first = problems[event.id] else {
                problems[event.id] = (line, event.hashValue)
                return
            }
            guard first.hash == event.hashValue else {
                throw CLIError("the id '\(event.id)' stands for another problem on line \(first.line)")
            }
        }
    }

    /// The event of a line.
    static func event(
        of line: Substring,
        reader: ProblemReader = ProblemReader(),
        dataset: String,
        split: ProblemSplit
    ) throws -> ProblemEvent {
        guard !line.unicodeScalars.contains("\u{FFFD}") else {
            throw CLIError("is not valid UTF-8, or holds U+FFFD from an earlier conversion")
        }
        let event = try decoded(line, reader: reader, dataset: dataset, split: split)
        let texts = [event.id, event.question, event.answer, event.solution ?? "", event.family ?? ""]
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw CLIError("holds a NUL character, which the database cannot keep")
        }
        return event
    }

    private static func decoded(
        _ line: Substring,
        reader: ProblemReader,
        dataset: String,
        split: ProblemSplit
    ) throws -> ProblemEvent {
        let data = Data(line.utf8)
        // A line that says whose it is must be an event in full: taken for a layout, a misspelt split would move a test
        // problem to the default split.
        if reader.layout == nil, reader.columns == nil,
            let mark = try? EventCoding.decodeJSON(EventMark.self, from: data), mark.dataset != nil || mark.split != nil
        {
            do {
                return try EventCoding.decode(ProblemEvent.self, from: data)
            } catch let error as SchemasError {
                throw CLIError(
                    "\(error.message) (a line with \"dataset\" or \"split\" is read as a problem event; name the --layout of "
                        + "another data set's lines)"
                )
            }
        }
        let record = try reader.read(line: line)
        guard let name = record.split else { return event(of: record, dataset: dataset, split: split) }
        guard let own = ProblemSplit(rawValue: name) else {
            throw CLIError(
                "the line's split is '\(name.prefix(40))', which is none of train, rollout, development and test; rename it, "
                    + "or leave the field out to submit the line to the split of --split"
            )
        }
        return event(of: record, dataset: dataset, split: own)
    }

    /// What tells a problem event from the layouts of data sets.
    private struct EventMark: Decodable {
        let dataset: JSONValue?
        let split: JSONValue?
    }

    /// A line's problem as an event.
    static func event(of record: ProblemRecord, dataset: String, split: ProblemSplit) -> ProblemEvent {
        var event = ProblemEvent(record.problem, dataset: dataset, split: split)
        event.id = DeterministicID.make(cause: dataset, parts: record.identity(split: split.rawValue))
        event.difficulty = record.level
        return event
    }

    /// The Kafka record of a line.
    static func record(of line: Substring, dataset: String, split: ProblemSplit) throws -> KafkaRecord {
        try record(of: event(of: line, dataset: dataset, split: split))
    }

    /// The Kafka record of a problem.
    static func record(of event: ProblemEvent) throws -> KafkaRecord {
        try OutgoingEvent.created(event, id: eventID(of: event), source: "/errata/cli", time: Date()).record()
    }

    /// The id of the event by which a problem is submitted.
    static func eventID(of event: ProblemEvent) throws -> String {
        // Its content is part of it: a corrected text under the old id is another event, and is refused as such, where the
        // same event would be taken for one that is done.
        let content = try EventCoding.encode(event)
        let parts = ["submitted", event.dataset, event.split.rawValue, String(decoding: content, as: UTF8.self)]
        return DeterministicID.make(cause: event.id, parts: parts)
    }
}
