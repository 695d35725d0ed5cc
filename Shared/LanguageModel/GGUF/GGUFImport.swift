public import Foundation
import ModelFiles
import Tokenization

/// Brings a GGUF file into the layout of a model folder.
public enum GGUFImport {
    /// Writes `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and, where the file has a
    /// chat template, `chat_template.jinja` into `folder`, and the file itself as `model.gguf`.
    ///
    /// What is written depends on the file's content alone. The weights stay as they are, quantised or not.
    /// - Parameters:
    ///   - file: A GGUF file with a model and its tokenizer.
    ///   - folder: Where to; made if needed.
    /// - Throws: `ModelFileError` or `TokenizationError` that names what is wrong with the file.
    public static func unpack(_ file: URL, into folder: URL) throws {
        let gguf = try GGUFFile(url: file)
        let configuration = try ModelConfiguration(gguf: gguf)
        let tokenizer = try GGUFTokenizer(gguf.metadata)
        // What cannot be read is not brought in.
        _ = try Tokenizer(json: tokenizer.json, configuration: tokenizer.configuration)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func write(_ data: Data, _ name: String) throws {
            try AtomicFile.write(data, to: folder.appendingPathComponent(name))
        }
        try configuration.save(to: folder)
        try GenerationConfiguration(configuration).save(to: folder)
        try write(tokenizer.json, "tokenizer.json")
        try write(tokenizer.configuration, "tokenizer_config.json")
        if let template = tokenizer.chatTemplate { try write(Data(template.utf8), "chat_template.jinja") }
        var copy = try AtomicFile(url: folder.appendingPathComponent(ModelFolder.ggufWeightsFile))
        try MappedFile(url: file).withBytes { try copy.append($0) }
        try copy.finish()
    }
}
