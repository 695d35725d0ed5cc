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
    /// Files that make up a tokenizer; the first is required.
    public static let tokenizerFiles = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    ]

    /// Copies the tokenizer's files from one model folder to another, each atomically.
    ///
    /// - Throws: `ModelFileError` when `source` has no `tokenizer.json` or a file cannot be copied.
    public static func copyTokenizer(from source: URL, to destination: URL) throws {
        for (index, name) in tokenizerFiles.enumerated() {
            let file = source.appendingPathComponent(name)
            if index > 0, !FileManager.default.fileExists(atPath: file.path) { continue }
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
