import ArgumentParser
import Foundation
import LanguageModel
import ServiceRuntime

/// `errata models rename`.
struct ModelsRenameCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Give a name's model another name."
    )

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "The name that it has.")
    var name: String

    @Argument(help: "The name that it gets.")
    var newName: String

    func run() throws {
        try models.existingStore().rename(name, to: newName)
        Terminal.out("\(name) is called \(newName) now")
    }
}

/// `errata models remove`.
struct ModelsRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a model, or one of its names where it has several.",
        discussion: """
            It is refused while a model that was trained from it is there, and while a run names it: as its student, or as \
            a checkpoint. Runs stand in the database of ERRATA_POSTGRES_URL or of the state folder, whose server is \
            started for the question where it does not run.
            """
    )

    @OptionGroup var system: SystemOptions

    @Argument(help: "A name or a hash.")
    var model: String

    func run() async throws {
        let store = try ModelStoreOptions.parse(["--state=\(system.state)"]).existingStore()
        let stored = try store.resolve(model)
        let names = try store.names(of: stored.hash)
        if names.count > 1, names.contains(model) {
            try store.removeName(model)
            let rest = names.filter { $0 != model }.joined(separator: ", ")
            Terminal.out("the name \(model) is removed; its model stays as \(rest)")
            return
        }
        let runs = try await system.withStoredDatabase(checksSchema: false) {
            try await RunStore.runs(needingModel: stored.hash, from: $0)
        }
        if let run = runs?.first {
            throw CLIError("\(model) cannot be removed: the run \(run.name) (\(run.id)) needs it")
        }
        try store.remove(stored.hash)
        Terminal.out("removed \(stored.hash)" + (names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"))
    }
}
