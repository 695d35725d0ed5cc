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

    /// The factors of the rotary frequencies, which follow from the configuration.
    static let ropeFactorsName = "rope_freqs.weight"

    /// Writes the folder of a file.
    ///
    /// - Parameters:
    ///   - file: The GGUF file.
    ///   - folder: A new or empty folder.
    ///   - weights: Whether the weights are copied or linked to.
    /// - Throws: `ModelFileError` that names the file, the key or tensor, and what is wrong with it.
    public static func write(of file: URL, to folder: URL, weights: Weights) throws {
        let gguf = try GGUFFile(url: file)
        let configuration = try ModelConfiguration(gguf: gguf)
        let tokenizer = try GGUFTokenizer(gguf.metadata)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try configuration.save(to: folder)
        try generation(configuration, gguf.metadata).save(to: folder)
        func put(_ data: Data, _ name: String) throws {
            try AtomicFile.write(data, to: folder.appendingPathComponent(name))
        }
        try put(tokenizer.tokenizer, ModelFolder.tokenizerFile)
        try put(tokenizer.configuration, ModelFolder.tokenizerConfigurationFile)
        if let template = tokenizer.chatTemplate { try put(Data(template.utf8), ModelFolder.chatTemplateFile) }
        let target = folder.appendingPathComponent(WeightFiles.ggufFile)
        switch weights {
        case .link:
            try FileManager.default.createSymbolicLink(at: target, withDestinationURL: file.resolvingSymlinksInPath())
        case .copy:
            var copy = try AtomicFile(url: target)
            try MappedFile(url: file).withBytes { try copy.append($0) }
            try copy.finish()
        }
    }

    /// The tokens that end an answer, the end of a turn among them where the file names one.
    private static func generation(
        _ configuration: ModelConfiguration,
        _ metadata: GGUFMetadata
    ) throws -> GenerationConfiguration {
        var generation = GenerationConfiguration(configuration)
        for name in ["eot", "eom"] {
            guard let id = try metadata.integer("tokenizer.ggml.\(name)_token_id"),
                (0..<configuration.vocabularySize).contains(id), let token = TokenID(exactly: id),
                !generation.eosTokenIDs.contains(token)
            else { continue }
            generation.eosTokenIDs.append(token)
        }
        return generation
    }
}
