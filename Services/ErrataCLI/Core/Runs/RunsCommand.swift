import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata runs`: training runs.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Write, submit, list and steer runs.",
        subcommands: [
            List.self, Template.self, Submit.self, Show.self, Wait.self, Cancel.self, Replace.self, StartRound.self,
            Budget.self,
            Promote.self, Reject.self,
        ],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List runs, oldest first.")

        @OptionGroup var system: SystemOptions

        func run() async throws {
            try await system.withDatabase { pool in
                var table = TextTable([
                    ("run", .left), ("state", .left), ("round", .right), ("stage", .left), ("step", .right),
                    ("loss", .right), ("accuracy", .left),
                ])
                for run in try await RunStore.runs(from: pool) {
                    for row in try await RunRows(run, from: pool).rows {
                        table.add(["\(run.name) (\(run.id.prefix(8)))"] + row)
                    }
                }
                Terminal.out(table.rendered())
            }
        }
    }

    struct Template: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a commented recipe to start from.",
            discussion: RecipeLibrary.all.map { "\($0.name): \($0.summary)" }.joined(separator: "\n")
        )

        @Argument(help: "The recipe's name; all names without one.")
        var name: String?

        @Option(help: "The student: a name or hash that `errata models list` shows.")
        var student: String?

        @Option(help: "The data set, as in `errata submit --dataset`.")
        var dataset: String?

        func run() throws {
            guard let name else {
                for recipe in RecipeLibrary.all { Terminal.out("\(recipe.name): \(recipe.summary)") }
                return
            }
            Terminal.out(try RecipeLibrary.text(name, student: student, dataset: dataset))
        }
    }

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a recipe, say what it will do, and submit it.",
            discussion: """
                YAML or JSON, as `errata runs template` writes it and `errata schema errata.run.v1` describes it. The student \
                may be given as {"model": "NAME"}, by a name or hash that `errata models list` shows; the event then carries \
                its hash and its tokenizer's fingerprint. Without an id the run has one that follows from its content. It \
                ends once the run is taken up, with status 1 and the reason where a service refuses it. --dry-run needs no \
                running system, and says what it could not check without one.
                """
        )

        @OptionGroup var system: SystemOptions

        @Flag(help: "Only check and say what the run would do.")
        var dryRun = false

        @Argument(help: "A file, or - for standard input.")
        var file: String

        func run() async throws {
            let submission = RunSubmission(system: system)
            let run = try await submission.checked(file: file, needsDatabase: !dryRun)
            guard !dryRun else { return }
            _ = try await submission.send(run)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a run: its stages, scores and verdicts, and the orders to it that were refused.",
            discussion: "--json prints the run's recipe alone; refused orders are then told on standard error."
        )

        @OptionGroup var system: SystemOptions

        @Argument(help: "The run's id, the beginning of it, or its name.")
        var run: String

        @Flag(help: "Print the run's event as JSON, to keep or to submit again.")
        var json = false

        func run() async throws {
            try await system.withDatabase { pool in
                let run = try await RunReference.find(run, from: pool)
                guard !json else {
                    // One that was taken up before there was a rule is not judged by it now.
                    Terminal.out(String(decoding: try EventCoding.encodeJSON(run), as: UTF8.self))
                    for line in try await RunReport.refusedOrders(to: run.id, from: pool) { Terminal.error(line) }
                    return
                }
                try await RunReport(run: run, pool: pool).print()
            }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a run: nothing further is trained or scored; what is there stays."
        )

        @OptionGroup var order: OrderOptions

        func run() async throws { try await order.send(.cancel) }
    }

    struct Replace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Submit a run in the place of another, which is cancelled once the new one is taken up.",
            discussion: "Where the new run is refused, or no service takes it up, the other one goes on."
        )

        @OptionGroup var order: OrderOptions

        @Argument(help: "The new run's file, or - for standard input.")
        var file: String

        func run() async throws {
            let submission = RunSubmission(system: order.system)
            let new = try await submission.checked(file: file, needsDatabase: true)
            let old = try await order.system.withDatabase { try await RunReference.find(order.run, from: $0) }
            guard new.id != old.id else {
                throw CLIError("\(file) is the run \(old.id) itself; change it, or give it another id")
            }
            let known = try await order.system.withDatabase { try await RunStore.state(of: new.id, from: $0) }
            if let known, known.state != .active {
                throw CLIError(
                    "\(file) is the run \(new.id), which is \(known.state.rawValue); change it, or give it another id"
                )
            }
            guard try await submission.send(new) else {
                throw CLIError(
                    "the run \(old.id) goes on, as nothing has taken up the one in its place; once that is taken up, end "
                        + "this one with `errata runs cancel \(old.id.prefix(8))`"
                )
            }
            // By its id: the new one may have its name.
            try await order.send(.cancel, to: old, reason: "replaced by \(new.id)")
        }
    }

    struct Budget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set what the teacher may cost for a run; what waited for it goes on.",
            discussion: "What was spent already counts. Without --tokens and --cost there is no bound any more."
        )

        @OptionGroup var order: OrderOptions

        @Option(help: "The most tokens, both ways.")
        var tokens: Int?

        @Option(help: "The most money, by the prices in ERRATA_TEACHERS.")
        var cost: Double?

        func validate() throws {
            if let tokens, tokens < 0 { throw ValidationError("--tokens must be at least 0, not \(tokens)") }
            if let cost, !(0...1e12).contains(cost) { throw ValidationError("--cost must be 0 to 1e12, not \(cost)") }
        }

        func run() async throws {
            let isBound = tokens != nil || cost != nil
            try await order.send(
                .setTeacherBudget,
                teacherBudget: isBound ? RunTeacherBudget(tokens: tokens, cost: cost) : nil
            )
        }
    }

    struct StartRound: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "round",
            abstract: "Start a run's next round now."
        )

        @OptionGroup var order: OrderOptions

        func run() async throws { try await order.send(.startRound) }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a round's candidate the champion, whatever the gate said."
        )

        @OptionGroup var order: OrderOptions

        @Option(help: "The round; the last one that was judged unless given.")
        var round: Int?

        func run() async throws { try await order.send(.promote, round: round) }
    }

    struct Reject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a round's candidate back: the champion before it is the champion."
        )

        @OptionGroup var order: OrderOptions

        @Option(help: "The round; the last one that was judged unless given.")
        var round: Int?

        func run() async throws { try await order.send(.reject, round: round) }
    }
}
