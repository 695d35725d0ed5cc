import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata dead-letters`: messages that failed for good.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List messages that failed for good, show one, send them again, or give them up.",
        discussion: """
            Nothing is done to several at once before it is said how many they are, and --yes or a terminal's answer agrees. \
            Who did what and when stays with the letter, which `show` tells; a letter that was dropped stays too, with the \
            size and SHA-256 of what it held.
            """,
        subcommands: [List.self, Show.self, Replay.self, Drop.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List dead letters, newest first.")

        @OptionGroup var system: SystemOptions

        @OptionGroup var choice: DeadLetterChoice

        @Flag(help: "Count them by cause instead, the most frequent first.")
        var count = false

        @Option(help: "At most this many.")
        var limit = 50

        @Flag(help: "JSON lines instead of a table.")
        var json = false

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit)") }
        }

        func run() async throws {
            let filter = choice.filter([.open, .replayed])
            if count {
                let causes = try await system.withDatabase { try await DeadLetters.causes(filter, from: $0) }
                guard json else { return Terminal.out(DeadLetterText.table(of: causes)) }
                for cause in causes.prefix(limit) { Terminal.out(try DeadLetterText.line(of: cause)) }
                return
            }
            let entries = try await system.withDatabase { try await DeadLetters.list(filter, limit: limit, from: $0) }
            guard json else { return Terminal.out(DeadLetterText.table(of: entries)) }
            for entry in entries { Terminal.out(try DeadLetterText.line(of: entry)) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a dead letter: where it came from, why it failed, what was done with it, and its bytes."
        )

        @OptionGroup var system: SystemOptions

        @Argument(help: "The dead letter's id.")
        var id: String

        @Flag(help: "Print the body's bytes and nothing else, to mend them.")
        var body = false

        @Flag(help: "One line of JSON; bytes in base64.")
        var json = false

        func validate() throws {
            if body, json { throw ValidationError("--body and --json are both given; keep one") }
        }

        func run() async throws {
            let found = try await system.withDatabase { try await DeadLetters.letter(id, from: $0) }
            guard let letter = found else { throw CLIError("there is no dead letter \(id)") }
            guard body else {
                return Terminal.out(json ? try DeadLetterText.line(of: letter) : DeadLetterText.text(of: letter))
            }
            guard let payload = letter.payload else {
                throw CLIError(
                    letter.entry.isErased ? "the bytes of \(id) were erased" : "\(id) is a message without a body"
                )
            }
            try FileHandle.standardOutput.write(contentsOf: payload)
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send dead letters to their topics again, as they were or one with a mended body.",
            discussion: """
                Several are sent in the order in which their messages were. `errata dead-letters show ID --body > FILE` writes \
                a body to mend.
                """
        )

        @OptionGroup var system: SystemOptions

        @OptionGroup var targets: DeadLetterTargets

        @Option(help: "A file with a mended body, or - for standard input.")
        var body: String?

        @Flag(help: "One line of JSON a letter: id, sent, and why not.")
        var json = false

        func validate() throws {
            if body != nil, targets.id.count != 1 {
                throw ValidationError("--body is the body of one dead letter; name one id")
            }
        }

        func run() async throws {
            let mended = try body.map(InputFile.read)
            let outcomes = try await system.withDatabase { pool in
                let ids = try await targets.chosen([.open], to: "send again", from: pool)
                guard !ids.isEmpty else { return [DeadLetters.Replayed]() }
                return try await system.withProducer(to: Topic.allCases) { producer in
                    try await DeadLetters.replay(
                        ids,
                        body: mended,
                        by: Operator.description,
                        from: pool,
                        through: producer
                    )
                }
            }
            let failed = outcomes.filter { $0.error != nil }
            for outcome in outcomes {
                if json {
                    Terminal.out(try DeadLetterText.line(of: outcome))
                } else if let error = outcome.error {
                    Terminal.error("\(outcome.id): not sent: \(Explanation.text(of: error))")
                } else if outcomes.count == 1 {
                    Terminal.out("sent again: \(outcome.id)")
                }
            }
            if outcomes.count > 1, !json { Terminal.out("sent again: \(outcomes.count - failed.count)") }
            if !failed.isEmpty { throw ExitCode(failed.count == outcomes.count ? 1 : 2) }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give dead letters up: they are left out of lists, and can still be shown and replayed.",
            discussion: """
                With --erase the body and the headers are deleted, for good; what stays is where the message came from, why it \
                failed, its size and SHA-256, and who erased it when and why.
                """
        )

        @OptionGroup var system: SystemOptions

        @OptionGroup var targets: DeadLetterTargets

        @Option(help: "Why; it is kept with the letters.")
        var reason: String

        @Flag(help: "Delete the bytes too.")
        var erase = false

        func validate() throws {
            if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason must not be blank") }
        }

        func run() async throws {
            let count = try await system.withDatabase { pool in
                let what = erase ? "drop and erase, for good" : "drop"
                let ids = try await targets.chosen([.open], to: what, isFinal: erase, from: pool)
                return try await DeadLetters.drop(
                    ids,
                    reason: reason,
                    by: Operator.description,
                    erasing: erase,
                    in: pool
                )
            }
            Terminal.out("\(erase ? "erased" : "dropped"): \(count)")
        }
    }
}

extension DeadLetterTargets {
    /// The ids that are meant, once it is agreed to.
    ///
    /// Arguments:
    ///   - states: those that are meant where `--status` is not given.
    ///   - action: what is done to them, for the question.
    ///   - isFinal: whether it is asked for single letters too.
    /// - Throws: ``CLIError`` where an id stands for none, or it is not agreed to.
    func chosen(
        _ states: [DeadLetters.State],
        to action: String,
        isFinal: Bool = false,
        from pool: PostgresPool
    ) async throws -> [String] {
        guard all else {
            for id in self.id {
                guard try await DeadLetters.letter(id, from: pool) == nil else { continue }
                throw CLIError("there is no dead letter \(id); `errata dead-letters list` shows them")
            }
            if isFinal { try Confirmation.ask("\(action): \(self.id.count) dead letters. Go on?", yes: yes) }
            return self.id
        }
        let filter = choice.filter(states)
        let ids = try await DeadLetters.ids(filter, from: pool)
        guard !ids.isEmpty else {
            Terminal.error("no dead letter fits")
            return []
        }
        Terminal.error(DeadLetterText.table(of: try await DeadLetters.causes(filter, from: pool)))
        try Confirmation.ask("\(action): \(ids.count) dead letters. Go on?", yes: yes)
        return ids
    }
}
