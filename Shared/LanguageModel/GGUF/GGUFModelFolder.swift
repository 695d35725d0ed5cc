public import Foundation
import ModelFiles
import Tokenization

/// A GGUF file as a folder in Hugging Face layout: its weights as they are, and beside them what it says of
/// configuration, tokenizer and chat template.
public enum GGUFModelFolder {
    /// How the weights come into the folder.
    public enum Weights: Sendable {
        /// A link to the file, which must stay where it is.
        case link
        /// A copy.
        case copy
    }

    /// Writes the folder of a file: `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json`,
    /// `chat_template.jinja` where the file has one, and the weights as `model.gguf`.
    ///
    /// What is written depends on the file's content alone.
    /// - Parameters:
    ///   - file: The GGUF file.
    ///   - folder: A new or empty folder.
    ///   - weights: Whether the weights are copied or linked to.
    /// - Throws: `ModelFileError` or `TokenizationError` that names the file, the key or tensor, and what is wrong with it.
    public static func write(of file: URL, to folder: URL, weights: Weights) throws {
        let gguf = try GGUFFile(url: file)
        let configuration = try ModelConfiguration(gguf: gguf)
        let tokenizer = try GGUFTokenizer(gguf.metadata)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try configuration.save(to: folder)
        try GenerationConfiguration(configuration).save(to: folder)
        func put(_ data: Data, _ name: String) throws {
            try AtomicFile.write(data, to: folder.appendingPathComponent(name))
        }
        try put(tokenizer.json, ModelFolder.tokenizerFile)
        try put(tokenizer.configuration, ModelFolder.tokenizerConfigurationFile)
        if let template = tokenizer.chatTemplate { try put(Data(template.utf8), ModelFolder.chatTemplateFile) }
        let target = folder.appendingPathComponent(ModelFolder.ggufWeightsFile)
        switch weights {
        case .link:
            try FileManager.default.createSymbolicLink(at: target, withDestinationURL: file.resolvingSymlinksInPath())
        case .copy:
            var copy = try AtomicFile(url: target)
            try MappedFile(url: file).withBytes { try copy.append($0) }
            try copy.finish()
        }
    }
}
