package import Foundation
package import ModelFiles

/// The tokenizer of a GGUF file's metadata, as the `tokenizer.json` and `tokenizer_config.json` that are equal to it.
///
/// The same metadata gives the same bytes. Byte-level BPE (`gpt2`) and SentencePiece's BPE (`llama`) are read. Where the
/// file carries the original (`tokenizer.huggingface.json`), that is used, and must agree with the file's token list.
package struct GGUFTokenizer: Sendable {
    /// The content of a `tokenizer.json`.
    package let json: Data
    /// The content of a `tokenizer_config.json`: special tokens and chat templates.
    package let configuration: Data
    /// The chat template (Jinja), where the file has one.
    package let chatTemplate: String?
    /// What both files make.
    package let tokenizer: Tokenizer

    /// Reads the tokenizer of a file's metadata.
    ///
    /// - Throws: `TokenizationError` that names the file, the key or token, and the fault.
    package init(_ metadata: GGUFMetadata) throws {
        do {
            let vocabulary = try GGUFVocabulary(metadata)
            json = try Self.original(metadata, vocabulary) ?? vocabulary.document.json
            let templates = try Self.chatTemplates(metadata)
            chatTemplate = templates.first { $0.name == "default" }?.template
            configuration = vocabulary.configuration(
                chatTemplates: templates,
                maximumLength: try Self.contextLength(metadata)
            )
            tokenizer = try Tokenizer(json: json, configuration: configuration, place: metadata.place)
        } catch let error as ModelFileError {
            throw TokenizationError(error)
        }
    }

    /// The `tokenizer.json` that the file carries.
    private static func original(_ metadata: GGUFMetadata, _ vocabulary: GGUFVocabulary) throws -> Data? {
        let key = GGUFVocabulary.Key.huggingFace
        guard let text = try metadata.string(key) else { return nil }
        let json = Data(text.utf8)
        let place = "\(metadata.place), \(key)"
        let model = try TokenizerModel(json: json, place: place)
        guard model.vocabularySize <= vocabulary.tokens.count else {
            throw TokenizationError(
                .malformed,
                place: place,
                "has \(model.vocabularySize) tokens, the file's list \(vocabulary.tokens.count)"
            )
        }
        for (id, token) in vocabulary.tokens.enumerated() where !vocabulary.isFiller(id) {
            guard model.token(TokenID(id)) == token else {
                let other = model.token(TokenID(id)).map { String(decoding: $0, as: UTF8.self) } ?? "nothing"
                throw TokenizationError(
                    .malformed,
                    place: place,
                    "says that token \(id) is \(other), the file's list that it is \(String(decoding: token, as: UTF8.self))"
                )
            }
        }
        return json
    }

    private static func contextLength(_ metadata: GGUFMetadata) throws -> Int? {
        guard let architecture = try metadata.string("general.architecture") else { return nil }
        return try metadata.integer("\(architecture).context_length")
    }

    private static func chatTemplates(_ metadata: GGUFMetadata) throws -> [(name: String, template: String)] {
        let key = GGUFVocabulary.Key.chatTemplate
        var templates: [(name: String, template: String)] = []
        if let template = try metadata.string(key) { templates.append(("default", template)) }
        for name in try metadata.strings(GGUFVocabulary.Key.chatTemplates) ?? [] {
            let name = String(decoding: name, as: UTF8.self)
            guard let template = try metadata.string("\(key).\(name)") else {
                throw metadata.malformed(
                    "\(GGUFVocabulary.Key.chatTemplates) names \(name), but \(key).\(name) is missing"
                )
            }
            templates.append((name, template))
        }
        return templates
    }
}

extension Tokenizer {
    /// The tokenizer of a GGUF file's metadata.
    ///
    /// - Throws: `TokenizationError` that names the file, the key or token, and the fault.
    package init(gguf metadata: GGUFMetadata) throws {
        self = try GGUFTokenizer(metadata).tokenizer
    }
}

extension TokenizationError {
    /// The same fault, said by what reads files.
    init(_ error: ModelFileError) {
        let code: Code =
            switch error.code {
            case .inaccessible, .missing: .inaccessible
            case .malformed, .corrupt: .malformed
            case .unsupported: .unsupported
            }
        self.init(code, place: error.place, error.message)
    }
}
