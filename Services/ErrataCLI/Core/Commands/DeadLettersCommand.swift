import ArgumentParser
import Foundation
import KafkaClient
import ServiceRuntime

/// `errata dead-letters`: messages that failed for good.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List messages that failed for good, or send one again.",
        subcommands: [List.self, Replay.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List dead letters, newest first.")

        @OptionGroup var system: SystemOptions

        @Option(help: "At most this many.")
        var limit = 50

        @Flag(help: "JSON lines instead of a table.")
        var json = false

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        }

        private struct Line: Encodable {
            struct Cause: Encodable {
                let code: String
                let message: String
            }
            let id: String
            let consumer: String
            let origin: String
            let cause: Cause
            let failedAt: String
            let replayedAt: String?
        }

        func run() async throws {
            let entries = try await system.withDatabase { try await DeadLetters.list(limit: limit, from: $0) }
            guard json else {
                var table = TextTable([
                    ("id", .left), ("consumer", .left), ("topic/partition/offset", .left), ("cause", .left),
                    ("replayed", .left),
                ])
                for entry in entries {
                    table.add([
                        entry.id, entry.consumer, entry.origin,
                        "\(entry.cause.code): \(entry.cause.message.prefix(80))",
                        entry.replayedAt == nil ? "no" : "yes",
                    ])
                }
                Terminal.out(entries.isEmpty ? "no dead letters" : table.rendered())
                return
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for entry in entries {
                let line = Line(
                    id: entry.id,
                    consumer: entry.consumer,
                    origin: entry.origin,
                    cause: .init(code: entry.cause.code, message: entry.cause.message),
                    failedAt: entry.failedAt.ISO8601Format(),
                    replayedAt: entry.replayedAt?.ISO8601Format()
                )
                Terminal.out(String(decoding: try encoder.encode(line), as: UTF8.self))
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send a dead letter to its topic again, as it was or with a mended body."
        )

        @OptionGroup var system: SystemOptions

        @Argument(help: "The dead letter's id.")
        var id: String

        @Option(help: "A file with a mended body, or - for standard input.")
        var body: String?

        func run() async throws {
            var mended: Data?
            if let body {
                mended =
                    body == "-"
                    ? try FileHandle.standardInput.readToEnd() : try Data(contentsOf: URL(fileURLWithPath: body))
            }
            let producer = try KafkaProducer(try system.kafka())
            let found = try await system.withDatabase {
                try await DeadLetters.replay(id: id, body: mended, from: $0, through: producer)
            }
            await producer.close()
            guard found else { throw CLIError("there is no dead letter \(id)") }
            Terminal.out("sent again: \(id)")
        }
    }
}
