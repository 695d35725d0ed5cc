public import Foundation

/// Names and small helpers for a folder in Hugging Face layout.
public enum ModelFolder {
    /// The configuration of the decoder.
    public static let configurationFile = "config.json"
    /// Sampling defaults.
    public static let generationFile = "generation_config.json"
    /// Weights in one file.
    public static let weightsFile = "model.safetensors"
    /// Which shard holds which weight.
    public static let weightsIndexFile = "model.safetensors.index.json"
    /// Weights in one GGUF file, in place of safetensors.
    public static let ggufWeightsFile = "model.gguf"
    /// The configuration of a LoRA adapter.
    public static let adapterConfigurationFile = "adapter_config.json"
    /// The weights of a LoRA adapter.
    public static let adapterWeightsFile = "adapter_model.safetensors"
    /// The tokenizer; the only companion of the weights that a model cannot do without.
    public static let tokenizerFile = "tokenizer.json"
    /// Special tokens and, in older folders, the chat template.
    public static let tokenizerConfigurationFile = "tokenizer_config.json"
    /// How conversations are laid out, in Jinja.
    public static let chatTemplateFile = "chat_template.jinja"
    /// Files beside configuration and weights that a model keeps through training: how text becomes tokens, how it is
    /// asked, and how it answers.
    public static let companionFiles = [
        tokenizerFile, tokenizerConfigurationFile, chatTemplateFile, generationFile, "special_tokens_map.json",
        "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
    ]

    /// Copies the files that a model keeps through training from its folder to that of its successor, each atomically.
    ///
    /// - Throws: `ModelFileError` when `source` has no `tokenizer.json` or a file cannot be copied.
    public static func copyCompanions(from source: URL, to destination: URL) throws {
        for name in companionFiles {
            let file = source.appendingPathComponent(name)
            if name != tokenizerFile, !FileManager.default.fileExists(atPath: file.path) { continue }
            try AtomicFile.write(read(file, limit: 1 << 30), to: destination.appendingPathComponent(name))
        }
    }

    /// The content of a file that is expected to be small.
    package static func read(_ file: URL, limit: Int) throws -> Data {
        let mapped = try MappedFile(url: file)
        guard mapped.count <= limit else {
            throw ModelFileError(
                .malformed,
                place: file.path,
                "has \(mapped.count) bytes, more than the limit of \(limit)"
            )
        }
        return mapped.withBytes { Data($0) }
    }

    /// A JSON object with one member a line, keys in order.
    package static func jsonObject(_ members: [(String, String)]) -> Data {
        let lines = members.sorted { $0.0 < $1.0 }.map { "  \(JSONNode.quoted($0)): \($1)" }
        return Data("{\n\(lines.joined(separator: ",\n"))\n}\n".utf8)
    }
}
