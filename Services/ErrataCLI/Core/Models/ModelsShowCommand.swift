import ArgumentParser
import Foundation
import LanguageModel

/// `errata models show`.
struct ModelsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "Show what a model is: family, size, format, chat template, tokenizer, lineage, and memory to train it.",
        discussion: """
            The hash and the tokenizer's fingerprint are what a run event names its student by \
            (student.modelHash and student.tokenizerFingerprint).
            """
    )

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "A name, a hash, a folder or a GGUF file.")
    var model: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let path = URL(fileURLWithPath: model)
        let summary: ModelSummary
        var names: [String] = []
        if FileManager.default.fileExists(atPath: path.path) {
            summary = try ModelSummary(unstored: path)
        } else {
            let store = try models.existingStore()
            let stored = try store.resolve(model)
            names = try store.names(of: stored.hash)
            summary = try ModelSummary(stored, in: store)
        }
        if let fault = summary.fault { throw CLIError("\(model) cannot be used: \(fault)") }
        Terminal.out(json ? try summary.jsonLine(names: names) : try summary.text(names: names))
    }
}
