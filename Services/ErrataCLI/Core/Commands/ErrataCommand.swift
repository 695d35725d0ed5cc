public import ArgumentParser

/// `errata`: runs the system on one machine and talks to a running one.
public struct ErrataCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "errata",
        abstract: "Makes a small language model reason better by learning from mistakes.",
        version: "0.1.0",
        subcommands: [
            UpCommand.self, SubmitCommand.self, WatchCommand.self, StatusCommand.self, RunsCommand.self,
            DeadLettersCommand.self, GenerateCommand.self, SchemaCommand.self, MigrateCommand.self,
        ]
    )

    /// Creates the command; the argument parser does.
    public init() {}
}
