package import Foundation
package import ModelFiles

/// The tokenizer that a GGUF file's metadata describes, as the files of a Hugging Face folder.
///
/// What the metadata leaves to the reader (the pattern behind the name of a pre-tokenizer, the merges of a SentencePiece
/// vocabulary) is filled in as llama.cpp and `transformers` do. The same metadata gives the same bytes.
package struct GGUFTokenizer: Sendable {
    /// The content of `tokenizer.json`.
    package let tokenizer: Data
    /// The content of `tokenizer_config.json`.
    package let configuration: Data
    /// The content of `chat_template.jinja`; nil where the file has none.
    package let chatTemplate: String?

    /// The files of a tokenizer.
    ///
    /// - Throws: `ModelFileError` that names the key and what is wrong with it or not supported.
    package init(_ metadata: GGUFMetadata) throws {
        let vocabulary = try GGUFVocabulary(metadata)
        let style = try GGUFTokenizerStyle(metadata, vocabulary)
        tokenizer = Data(style.json(vocabulary))
        configuration = Self.configuration(vocabulary, style)
        chatTemplate = try metadata.string("tokenizer.chat_template")
    }

    private static func configuration(_ vocabulary: GGUFVocabulary, _ style: GGUFTokenizerStyle) -> Data {
        func token(_ id: Int?) -> String? {
            id.map { JSONNode.quoted(String(decoding: vocabulary.tokens[$0], as: UTF8.self)) }
        }
        let members: [(String, String?)] = [
            ("tokenizer_class", "\"PreTrainedTokenizerFast\""),
            ("bos_token", token(vocabulary.bos)),
            ("eos_token", token(vocabulary.eos)),
            ("unk_token", token(vocabulary.unknown)),
            ("pad_token", token(vocabulary.pad)),
            ("add_bos_token", style.addsBOS ? "true" : "false"),
            ("add_eos_token", style.addsEOS ? "true" : "false"),
            ("clean_up_tokenization_spaces", "false"),
        ]
        return ModelFolder.jsonObject(members.compactMap { key, value in value.map { (key, $0) } })
    }
}

/// The tokens of a GGUF file, their kinds, and those with a task.
struct GGUFVocabulary {
    /// What kind a token is, by llama.cpp's numbers.
    enum Kind: Int {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    let tokens: [[UInt8]]
    let kinds: [Kind]
    let bos: Int?
    let eos: Int?
    let unknown: Int?
    let pad: Int?

    init(_ metadata: GGUFMetadata) throws {
        guard let tokens = try metadata.strings("tokenizer.ggml.tokens"), !tokens.isEmpty else {
            throw metadata.malformed(
                "has no tokens (tokenizer.ggml.tokens); a model without a tokenizer cannot be asked"
            )
        }
        guard tokens.count <= BytePairModel.maximumID else {
            throw metadata.malformed("has \(tokens.count) tokens, more than the limit of \(BytePairModel.maximumID)")
        }
        if let index = tokens.firstIndex(where: { String(validating: $0, as: UTF8.self) == nil }) {
            throw metadata.malformed("token \(index) is not UTF-8")
        }
        self.tokens = tokens
        if let numbers = try metadata.integers("tokenizer.ggml.token_type") {
            guard numbers.count == tokens.count else {
                throw metadata.malformed(
                    "tokenizer.ggml.token_type has \(numbers.count) entries for \(tokens.count) tokens"
                )
            }
            kinds = try numbers.enumerated().map { index, number in
                guard let kind = Kind(rawValue: number) else {
                    throw metadata.malformed("token \(index) has the unknown type \(number)")
                }
                return kind
            }
        } else {
            kinds = [Kind](repeating: .normal, count: tokens.count)
        }
        func id(_ name: String) throws -> Int? {
            let key = "tokenizer.ggml.\(name)_token_id"
            // Some converters write -1, or its bits, for none.
            guard let id = try metadata.integer(key), id >= 0, id != Int(UInt32.max) else { return nil }
            guard tokens.indices.contains(id) else {
                throw metadata.malformed("\(key) is \(id), but there are \(tokens.count) tokens")
            }
            return id
        }
        bos = try id("bos")
        eos = try id("eos")
        unknown = try id("unknown") ?? kinds.firstIndex(of: .unknown)
        pad = try id("padding")
    }

    /// Whether a token is found in the text before merges are made.
    ///
    /// Tokens that only fill the vocabulary up are left out.
    func isAdded(_ id: Int) -> Bool {
        kinds[id] == .control || kinds[id] == .userDefined || id == unknown && kinds[id] != .normal
    }
}
