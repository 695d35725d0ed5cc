import ArgumentParser
import Foundation
import KafkaClient
import Schemas

/// `errata watch`: prints the events of a topic as JSON lines.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print the events of a topic as JSON lines, as they come.",
        discussion: "It reads without a consumer group, so nobody's offsets change."
    )

    @OptionGroup var system: SystemOptions

    @Argument(
        help: """
            problems, runs, traces, key-steps, attempts, checkpoints, evaluations, verdicts, removals, pauses, dead-letters, \
            or a topic's whole name.
            """
    )
    var topic: String

    @Flag(help: "Begin with the oldest event.")
    var fromBeginning = false

    @Flag(help: "End once all present events are printed.")
    var once = false

    @Option(help: "End after this many events.")
    var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
    }

    func run() async throws {
        let name = TopicName.full(topic)
        let reader = try await KafkaReader(
            try await system.answeringKafka(topics: [name]),
            topics: [name],
            from: fromBeginning || once ? .earliest : .latest,
            stopAtEnd: once
        )
        var printed = 0
        reading: for try await batch in reader.batches {
            for message in batch {
                Terminal.out(try Self.line(of: message))
                printed += 1
                if let limit, printed >= limit { break reading }
            }
        }
        await reader.close()
    }

    /// A message as one line of JSON: the CloudEvents attributes, where it stands, and its data as it came.
    static func line(of message: KafkaMessage) throws -> String {
        var fields: [String: JSONValue] = [
            "partition": .integer(Int64(message.partition)),
            "offset": .integer(message.offset),
        ]
        if let key = message.key { fields["key"] = .string(String(decoding: key, as: UTF8.self)) }
        for header in message.headers where header.key.hasPrefix("ce_") {
            fields[String(header.key.dropFirst(3))] = .string(
                String(decoding: header.value ?? Data(), as: UTF8.self)
            )
        }
        if let value = message.value {
            let data = try? EventCoding.decodeJSON(JSONValue.self, from: value)
            fields["data"] = data ?? .string(String(decoding: value, as: UTF8.self))
        } else {
            fields["data"] = .null
        }
        return String(decoding: try EventCoding.encodeJSON(JSONValue.object(fields)), as: UTF8.self)
    }
}
