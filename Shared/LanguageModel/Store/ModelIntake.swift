public import Foundation
import ModelFiles
import Tokenization

/// Brings a model into the store: chooses the files that make it up and checks, without reading its weights, that it can
/// be computed with.
public struct ModelIntake {
    /// What was noticed and does not stand in the way, in words.
    public private(set) var notes: [String] = []
    private let source: URL
    private let isGGUF: Bool
    private var files: [String] = []

    /// Checks a model.
    ///
    /// - Parameter source: A folder in Hugging Face layout, or a GGUF file.
    /// - Throws: `ModelFileError` or `TokenizationError` that says what is missing, malformed or not supported.
    public init(_ source: URL) throws {
        self.source = source
        let opened = try ModelSource(source)
        defer { opened.close() }
        isGGUF = opened.isGGUF
        let folder = opened.folder
        if !isGGUF { try Self.refuseOtherFormats(folder) }
        let configuration = try ModelConfiguration(folder: folder)
        _ = try CausalLanguageModel.inspect(folder: folder)
        let tokenizer = try Tokenizer(folder: folder)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw ModelFileError(
                .malformed,
                place: source.path,
                "the tokenizer has \(tokenizer.vocabularySize) tokens, the model only \(configuration.vocabularySize); they "
                    + "do not belong together"
            )
        }
        if tokenizer.eosTokenID == nil, configuration.eosTokenIDs.isEmpty {
            notes.append("names no end-of-text token, without which it cannot be trained or asked")
        }
        do {
            _ = try ChatTemplate(folder: folder, tokenizer: tokenizer)
        } catch {
            notes.append("conversations need a template of yours: \(error)")
        }
        if !isGGUF { try chooseFiles(of: folder) }
    }

    /// Puts the model into a store; one that is there already is left as it is.
    public func add(to store: ModelStore) throws -> StoredModel {
        guard isGGUF else { return try store.add(source, files: files) }
        return try store.make { try GGUFModelFolder.write(of: source.absoluteURL, to: $0, weights: .copy) }
    }

    private mutating func chooseFiles(of folder: URL) throws {
        let present = Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
        let weights = try WeightFiles.names(in: folder)
        files = ([ModelFolder.configurationFile] + ModelFolder.companionFiles).filter(present.contains) + weights
        let others = present.subtracting(files).filter { !$0.hasPrefix(".") }.sorted()
        if !others.isEmpty { notes.append("left out: \(others.joined(separator: ", "))") }
    }

    private static func refuseOtherFormats(_ folder: URL) throws {
        func has(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path)
        }
        guard !has(ModelFolder.configurationFile) else {
            if !has(ModelFolder.tokenizerFile), has("tokenizer.model") {
                throw ModelFileError(
                    .unsupported,
                    place: folder.path,
                    "has a tokenizer.model, but no \(ModelFolder.tokenizerFile); write one with transformers: "
                        + "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
                )
            }
            return
        }
        if has(ModelFolder.adapterConfigurationFile) {
            throw ModelFileError(
                .unsupported,
                place: folder.path,
                "is a LoRA adapter, not a model; merge it into its model first (PEFT's merge_and_unload) and add that"
            )
        }
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        if let gguf = files.filter({ $0.hasSuffix(".gguf") }).min() {
            throw ModelFileError(
                .missing,
                place: folder.path,
                "has no \(ModelFolder.configurationFile); to add its GGUF file, name that: "
                    + folder.appendingPathComponent(gguf).path
            )
        }
        throw ModelFileError(
            .missing,
            place: folder.path,
            "has no \(ModelFolder.configurationFile); give a folder in Hugging Face layout or a .gguf file"
        )
    }
}
