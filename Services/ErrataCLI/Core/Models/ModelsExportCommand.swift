import ArgumentParser
import Foundation
import LanguageModel
import ModelFiles
import Tokenization

/// `errata models export`.
struct ModelsExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Give a model out, as a folder in Hugging Face layout or as a GGUF file.",
        discussion: """
            A path that ends in .gguf is written in llama.cpp's format, as F16, BF16 or Q8_0; anything else is a folder for \
            transformers. What exists already is not written over.
            """
    )

    /// How the weights are written.
    enum WeightType: String, CaseIterable, ExpressibleByArgument {
        case auto, float32, float16, bfloat16
        case q8 = "q8_0"
    }

    @OptionGroup var models: ModelStoreOptions

    @Argument(help: "A name, a hash, a folder or a GGUF file.")
    var model: String

    @Argument(help: "A new folder, or a file that ends in .gguf.")
    var destination: String

    @Option(
        help: """
            float32, bfloat16 or float16 for a folder; float16, bfloat16 or q8_0 for GGUF. Default: as the model has them \
            (a folder of a quantised model: float32; GGUF of float32: float16).
            """
    )
    var dtype: WeightType = .auto

    func run() throws {
        let target = URL(fileURLWithPath: destination)
        guard !FileManager.default.fileExists(atPath: target.path) else {
            throw CLIError("\(destination) exists already; name a new path")
        }
        let source = try ModelSource(models.model(model))
        defer { source.close() }
        let files = try CausalLanguageModel.inspect(folder: source.folder)
        if GGUFFile.isNamed(target) {
            try GGUFExport.write(folder: source.folder, to: target, type: try ggufType(stored: files.format))
        } else {
            try exportFolder(from: source.folder, files, to: target)
        }
        Terminal.out(target.path)
    }

    private func ggufType(stored: String) throws -> GGUFElementType {
        switch dtype {
        case .float16: return .float16
        case .bfloat16: return .bfloat16
        case .q8: return .q80
        case .auto: return stored.hasSuffix("BF16") ? .bfloat16 : .float16
        case .float32:
            throw ValidationError("--dtype float32 is for folders; a GGUF file can have float16, bfloat16 or q8_0")
        }
    }

    private func exportFolder(from folder: URL, _ files: ModelFilesSummary, to target: URL) throws {
        guard dtype != .q8 else { throw ValidationError("--dtype q8_0 is for GGUF files; name one that ends in .gguf") }
        // Beside the target and renamed, so that there is a whole folder or none.
        let temporary = target.deletingLastPathComponent().appending(
            path: ".\(target.lastPathComponent).\(UUID().uuidString)"
        )
        defer { try? FileManager.default.removeItem(at: temporary) }
        do {
            try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        } catch {
            throw CLIError("\(target.path) cannot be made: \(error.localizedDescription)")
        }
        if dtype == .auto, !files.isGGUF {
            // As they are, byte for byte.
            for name in try WeightFiles.names(in: folder) + [ModelFolder.configurationFile] {
                try FileManager.default.copyItem(
                    at: folder.appending(path: name).resolvingSymlinksInPath(),
                    to: temporary.appending(path: name)
                )
            }
        } else {
            let model = try CausalLanguageModel.load(folder: folder, weights: .asStored)
            try model.save(to: temporary, elementType: elementType(files))
        }
        try ModelFolder.copyCompanions(from: folder, to: temporary)
        try FileManager.default.moveItem(at: temporary, to: target)
    }

    private func elementType(_ files: ModelFilesSummary) -> SafetensorsFile.ElementType {
        switch dtype {
        case .float16: .float16
        case .bfloat16: .bfloat16
        case .auto where files.format.hasSuffix("BF16"): .bfloat16
        case .auto where files.format.hasSuffix("F16"): .float16
        default: .float32
        }
    }
}
