public import ArgumentParser

/// `errata`: runs the system on one machine and talks to a running one.
public struct ErrataCommand: AsyncParsableCommand {
    /// The command's name, abstract and subcommands.
    public static let configuration = CommandConfiguration(
        commandName: "errata",
        abstract: "Makes a small language model reason better by learning from mistakes.",
        version: "0.1.0",
        subcommands: [
            UpCommand.self, SubmitCommand.self, ProblemsCommand.self, ImportCommand.self, ExportCommand.self,
            TracesCommand.self, TraceCommand.self, LineageCommand.self, WatchCommand.self, StatusCommand.self,
            CostsCommand.self, RunsCommand.self, DeadLettersCommand.self, ReplayCommand.self,
            ModelsCommand.self, TrainCommand.self, GenerateCommand.self, ServeCommand.self, GradeCommand.self,
            RegradeCommand.self, ReproduceCommand.self, PromptsCommand.self, SchemaCommand.self,
            MigrateCommand.self, GCCommand.self,
        ]
    )

    /// Parses the process's arguments, runs the command and ends the process.
    public static func start() async {
        do {
            let command = try parseAsRoot(nil)
            try await CommandTrace.run {
                var command = command
                if var asynchronous = command as? any AsyncParsableCommand {
                    try await asynchronous.run()
                } else {
                    try command.run()
                }
            }
        } catch {
            exit(withError: Explanation.of(error))
        }
    }

    /// Creates the command; the argument parser does.
    public init() {}
}
