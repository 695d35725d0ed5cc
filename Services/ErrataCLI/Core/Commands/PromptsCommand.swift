import ArgumentParser
import Foundation
import Reasoning

/// `errata prompts`: what the teacher is asked with.
struct PromptsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prompts",
        abstract: "List the teacher's prompts, or write them out as a start for your own.",
        subcommands: [List.self, Export.self],
        defaultSubcommand: List.self
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the prompts with the versions that traces name."
        )

        @Option(help: "A folder of your own prompts, as ERRATA_PROMPTS names it; it is checked.")
        var folder: String?

        func run() throws { Terminal.out(try Self.table(folder: folder)) }

        /// The table of a folder's prompts, or of the shipped ones.
        static func table(folder: String?) throws -> String {
            let library: PromptLibrary
            do {
                library =
                    try folder.map { try PromptLibrary(folder: URL(filePath: $0, directoryHint: .isDirectory)) }
                    ?? .shipped
            } catch let error as ReasoningError {
                throw CLIError(error.message)
            }
            var table = TextTable([("prompt", .left), ("version", .left), ("places", .left)])
            for id in PromptID.allCases {
                let prompt = try library.prompt(id)
                table.add([id.rawValue, prompt.version, prompt.places.map { "{{\($0)}}" }.joined(separator: " ")])
            }
            let examples = try library.demonstrations()
            return table.rendered() + "\n\nworked examples: \(examples.count), with a wrong chain: "
                + String(examples.count { $0.wrong != nil })
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the shipped prompts and worked examples into a folder; ERRATA_PROMPTS takes it."
        )

        @Argument(help: "The folder; it is made where it is not there.")
        var folder: String

        func run() throws {
            try Self.write(to: URL(filePath: folder, directoryHint: .isDirectory))
            Terminal.out(
                "\(PromptLibrary.files.count) files in \(folder): edit those you want to change, take the others away, "
                    + "and set ERRATA_PROMPTS to the folder"
            )
        }

        /// Writes the files, none of them over one that is there.
        static func write(to folder: URL) throws {
            let manager = FileManager.default
            let files = PromptLibrary.files.map { (url: folder.appending(path: $0.name), text: $0.text) }
            if let taken = files.first(where: { manager.fileExists(atPath: $0.url.path(percentEncoded: false)) }) {
                throw CLIError("\(taken.url.path(percentEncoded: false)) is there already: name another folder")
            }
            do {
                try manager.createDirectory(at: folder, withIntermediateDirectories: true)
                for file in files { try Data(file.text.utf8).write(to: file.url, options: .withoutOverwriting) }
            } catch {
                throw CLIError(
                    "\(folder.path(percentEncoded: false)) cannot be written: \(error.localizedDescription)"
                )
            }
        }
    }
}
