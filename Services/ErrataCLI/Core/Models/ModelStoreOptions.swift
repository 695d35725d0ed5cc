import ArgumentParser
import Foundation
import LanguageModel
import ModelFiles

/// Where models lie.
struct ModelStoreOptions: ParsableArguments {
    @Option(help: "The state folder whose models are meant, unless ERRATA_MODEL_STORE names a store.")
    var state = ".errata"

    /// The folder of the store.
    func folder(environment: [String: String] = ProcessInfo.processInfo.environment) -> URL {
        if let store = environment["ERRATA_MODEL_STORE"], !store.isEmpty { return URL(fileURLWithPath: store) }
        return URL(fileURLWithPath: state).appending(path: "models")
    }

    /// The store; it is made where it is missing.
    func store() throws -> ModelStore { try ModelStore(root: folder()) }

    /// The store, where there is one already.
    ///
    /// - Throws: ``CLIError`` that says how to bring a model in.
    func existingStore() throws -> ModelStore {
        guard FileManager.default.fileExists(atPath: folder().path) else {
            throw CLIError(
                "\(folder().path) holds no models; bring one in with `errata models add DIR|FILE.gguf`, or say with "
                    + "--state or ERRATA_MODEL_STORE where they are"
            )
        }
        return try store()
    }

    /// The folder of a model that is given as a folder, a GGUF file, a name or a hash.
    ///
    /// What exists as a path is a path.
    func model(_ reference: String) throws -> URL {
        let path = URL(fileURLWithPath: reference)
        if FileManager.default.fileExists(atPath: path.path) { return path }
        guard FileManager.default.fileExists(atPath: folder().path) else {
            throw CLIError(
                "\(reference) is no folder or file, and there is no model store in \(folder().path) to look the name up in"
            )
        }
        do {
            return try store().resolve(reference).folder
        } catch let error as ModelFileError where error.code == .missing {
            throw CLIError("\(reference) is no folder or file, and the model store \(error.place) \(error.message)")
        }
    }
}
