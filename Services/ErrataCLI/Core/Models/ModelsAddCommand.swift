import ArgumentParser
import Foundation
import LanguageModel

/// `errata models add`.
struct ModelsAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Bring a model in, or name one that is there.",
        discussion: """
            DIR is a folder in Hugging Face layout, FILE.gguf a model of llama.cpp's format; the weights stay as they are \
            stored. A hash names a model of the store, such as the checkpoint of a run. Adding a model twice is adding \
            it once. What cannot be used (another architecture, tensors that are missing) is refused with the reason.
            """
    )

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "A folder, a GGUF file, or the hash of a stored model.")
    var source: String

    @Option(help: "A name for the model. Default: that of the folder or the file.")
    var name: String?

    func run() throws {
        let store = try models.store()
        let path = URL(fileURLWithPath: source)
        let stored: StoredModel
        var chosen = name
        if FileManager.default.fileExists(atPath: path.path) {
            chosen = chosen ?? Self.usualName(path)
            // What is wrong with the name is told before a large model is copied.
            if let chosen { try ModelStore.checkName(chosen) }
            let intake = try ModelIntake(path)
            stored = try intake.add(to: store)
            try store.note(ModelRecord.Origin(source: path.lastPathComponent), of: stored.hash)
            for note in intake.notes { Terminal.error("\(source): \(note)") }
        } else {
            stored = try store.resolve(source)
        }
        if let chosen { try store.setName(chosen, for: stored.hash) }
        Terminal.out("\(stored.hash)  \(try store.names(of: stored.hash).joined(separator: ", "))")
    }

    /// A name made of a file's or folder's, or nil where nothing is left of it that can be one.
    static func usualName(_ path: URL) -> String? {
        var name = path.standardizedFileURL.lastPathComponent
        if name.lowercased().hasSuffix(".gguf") { name.removeLast(5) }
        let allowed = name.unicodeScalars.map { scalar -> Character in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                || ".-_".unicodeScalars.contains(scalar) ? Character(scalar) : "-"
        }
        let trimmed = String(String(allowed).drop { ".-_".contains($0) }.prefix(100))
        return (try? ModelStore.checkName(trimmed)) == nil ? nil : trimmed
    }
}
