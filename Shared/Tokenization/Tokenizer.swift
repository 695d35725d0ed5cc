public import Foundation
import ModelFiles

/// A byte-pair tokenizer in Hugging Face's `tokenizer.json` format.
///
/// Byte-level (GPT-2, Llama 3, Qwen2, SmolLM2) or metaspace with byte fallback (Llama 2). Ids and texts are those of the
/// `tokenizers` library.
public struct Tokenizer: Sendable {
    let model: TokenizerModel
    let configuration: Data?
    /// Token that starts a text, from `tokenizer_config.json`.
    public let bosTokenID: TokenID?
    /// Token that ends a text, from `tokenizer_config.json`.
    public let eosTokenID: TokenID?
    /// Token that fills a batch, from `tokenizer_config.json`.
    public let padTokenID: TokenID?
    /// Special tokens by the names that `tokenizer_config.json` gives them (`bos_token` and the like), for chat templates.
    public let specialTokens: [(name: String, text: String)]

    /// Reads `tokenizer.json` of a model folder, and `tokenizer_config.json` when it is there; of a GGUF file, or a folder
    /// that has nothing else, its metadata.
    ///
    /// - Throws: `TokenizationError` that names the file and the fault.
    public init(folder: URL) throws {
        if let url = ModelFolder.ggufAlone(folder, without: "tokenizer.json") {
            do {
                try self.init(gguf: GGUFFile(url: url).metadata)
            } catch let error as ModelFileError {
                throw TokenizationError(error)
            }
            return
        }
        let file = folder.appendingPathComponent("tokenizer.json")
        let configuration = folder.appendingPathComponent("tokenizer_config.json")
        let hasConfiguration = FileManager.default.fileExists(atPath: configuration.path)
        try self.init(
            model: TokenizerModel(json: Self.read(file), place: file.path),
            configuration: hasConfiguration ? Self.read(configuration) : nil,
            place: configuration.path
        )
    }

    /// Reads the content of a `tokenizer.json`; the tokens that start, end and fill a text are then unknown.
    public init(json: Data) throws {
        try self.init(json: json, configuration: nil)
    }

    /// Reads the contents of a `tokenizer.json` and, where given, a `tokenizer_config.json`.
    public init(json: Data, configuration: Data?) throws {
        try self.init(
            model: TokenizerModel(json: json, place: "tokenizer.json"),
            configuration: configuration,
            place: "tokenizer_config.json"
        )
    }

    /// Reads the contents of both files, which `place` stands for in errors.
    init(json: Data, configuration: Data, place: String) throws {
        try self.init(
            model: TokenizerModel(json: json, place: place),
            configuration: configuration,
            place: place
        )
    }

    private init(model: TokenizerModel, configuration: Data?, place: String) throws {
        self.model = model
        self.configuration = configuration
        guard let configuration else {
            (bosTokenID, eosTokenID, padTokenID) = (nil, nil, nil)
            specialTokens = []
            return
        }
        let root: JSONNode
        do {
            root = try JSONNode.parse(configuration)
        } catch {
            throw TokenizationError(.malformed, place: place, error.description)
        }
        func id(_ key: String) throws -> TokenID? {
            guard let node = root[key], !node.isNull else { return nil }
            guard let token = node.bytes ?? node["content"]?.bytes else {
                throw TokenizationError(.malformed, place: place, "\(key) is \(node.kind), not a token")
            }
            guard let id = model.id(token) else {
                throw TokenizationError(
                    .malformed,
                    place: place,
                    "\(key) \(String(decoding: token, as: UTF8.self)) is not in the vocabulary"
                )
            }
            return id
        }
        bosTokenID = try id("bos_token")
        eosTokenID = try id("eos_token")
        padTokenID = try id("pad_token")
        specialTokens = Self.specialTokens(root)
    }

    /// The tokens that a configuration names, each as a text or as an object with `content`.
    private static func specialTokens(_ root: JSONNode) -> [(name: String, text: String)] {
        let names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map { "\($0)_token" }
        var members = names.compactMap { name in root[name].map { (name, $0) } }
        // Names that a model adds to the usual ones.
        for member in root["extra_special_tokens"]?.object ?? [] {
            members.append((String(decoding: member.key, as: UTF8.self), member.value))
        }
        return members.compactMap { name, node in (node.string ?? node["content"]?.string).map { (name, $0) } }
    }

    /// The chat templates of `tokenizer_config.json` by name; a single one is the default.
    ///
    /// - Throws: `TokenizationError` when `chat_template` is neither a text nor a list of named ones.
    func chatTemplates(place: String) throws -> [String: String] {
        // The configuration was read when the tokenizer was made.
        guard let configuration, let node = try? JSONNode.parse(configuration)["chat_template"], !node.isNull else {
            return [:]
        }
        if let text = node.string { return ["default": text] }
        var result: [String: String] = [:]
        for item in node.array ?? [] {
            guard let name = item["name"]?.string, let template = item["template"]?.string else {
                throw TokenizationError(.malformed, place: place, "chat_template has an item without name or template")
            }
            result[name] = template
        }
        guard !result.isEmpty else {
            throw TokenizationError(
                .malformed,
                place: place,
                "chat_template is \(node.kind), not a text or a list of named templates"
            )
        }
        return result
    }

    private static func read(_ file: URL) throws -> Data {
        do {
            let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int ?? 0
            guard size <= 1 << 28 else {
                throw TokenizationError(.malformed, place: file.path, "has \(size) bytes, more than the limit of 2^28")
            }
            return try Data(contentsOf: file)
        } catch let error as TokenizationError {
            throw error
        } catch {
            throw TokenizationError(.inaccessible, place: file.path, "cannot be read: \(error.localizedDescription)")
        }
    }

    /// One more than the largest id: the rows that an embedding needs.
    public var vocabularySize: Int { model.vocabularySize }

    /// SHA-256, in hexadecimal, of everything that decides about ids; the same for the same tokenizer however its
    /// file is laid out.
    public var fingerprint: String { model.fingerprint }

    /// What the tokenizer puts before a text; this alone decides whether a prompt begins with a start token.
    ///
    /// It is what the post-processor of `tokenizer.json` says. As in `transformers`, `add_bos_token` of
    /// `tokenizer_config.json` has no say beside that file, and neither has it that a start token has a name: SmolLM2
    /// names one and puts none.
    public var startTokens: [TokenID] { model.prefix }

    /// The ids of `text`.
    ///
    /// Special tokens that are spelled out in it become their ids. `addSpecialTokens` wraps the ids as the file's template
    /// says, with ``startTokens`` before them.
    public func encode(_ text: String, addSpecialTokens: Bool = false) -> [TokenID] {
        var ids = addSpecialTokens ? startTokens : []
        var text = text
        text.withUTF8 { bytes in
            ids.reserveCapacity(ids.count + bytes.count / 3)
            model.encode(bytes, keepsOffsets: false) { id, _ in ids.append(id) }
        }
        if addSpecialTokens { ids += model.suffix }
        return ids
    }

    /// The ids of a text to be continued: ``startTokens``, once, and the text.
    ///
    /// Special tokens that are spelled out in it become their ids; a text that spells the start token gets no second one.
    public func encodePrompt(_ text: String) -> [TokenID] {
        let ids = encode(text)
        return ids.starts(with: startTokens) ? ids : startTokens + ids
    }

    /// The ids of a text that goes on where another ends.
    ///
    /// Llama 2's tokenizers put a space before the beginning of a text; before a continuation it would be one that is
    /// not there. Special tokens that are spelled out become their ids.
    /// - Parameters:
    ///   - text: What goes on.
    ///   - prompt: The ids of what it goes on from, as ``encodePrompt(_:)`` gives them.
    /// - Returns: The ids of `text` alone.
    public func encode(_ text: String, continuing prompt: [TokenID]) -> [TokenID] {
        // After nothing but start tokens the text is the beginning.
        guard prompt.count > model.prefix.count, let last = prompt.last else { return encode(text) }
        var ids: [TokenID] = []
        var text = text
        text.withUTF8 { bytes in
            // Any origin but 0 says that this is not where the whole begins.
            model.encode(bytes, origin: 1, continues: !model.isAddedToken(last), keepsOffsets: false) { id, _ in
                ids.append(id)
            }
        }
        return ids
    }

    /// The ids of `text` in which nothing is a special token, whatever it spells: for text from outside.
    public func encodePlain(_ text: String) -> [TokenID] {
        var ids: [TokenID] = []
        var text = text
        text.withUTF8 { bytes in
            model.encode(bytes, excluding: model.isSpecial, keepsOffsets: false) { id, _ in ids.append(id) }
        }
        return ids
    }

    /// The ids of `text`, each with the range of UTF-8 bytes that it stands for.
    ///
    /// Where normalisation changed the text, a token points to the whole characters that it came from; a token that
    /// stands for nothing (a prepended space) has an empty range.
    public func encodeWithOffsets(_ text: String) -> [(id: TokenID, range: Range<Int>)] {
        var result: [(id: TokenID, range: Range<Int>)] = []
        var text = text
        text.withUTF8 { bytes in
            model.encode(bytes, keepsOffsets: true) { id, range in result.append((id, range)) }
        }
        return result
    }

    /// The text of `ids`; unknown ids are passed over and broken UTF-8 becomes replacement characters.
    public func decode(_ ids: [TokenID], skipSpecialTokens: Bool = true) -> String {
        let tokens = ids.compactMap { model.text(of: $0, skipSpecialTokens: skipSpecialTokens) }
        return String(decoding: model.decoder.decode(tokens), as: UTF8.self)
    }

    /// The id of a token as the vocabulary spells it, or nil.
    public func tokenID(_ token: String) -> TokenID? { model.id(Array(token.utf8)) }

    /// A token as the vocabulary spells it, or nil for an unknown id.
    public func token(_ id: TokenID) -> String? { model.token(id).map { String(decoding: $0, as: UTF8.self) } }

    /// Whether `id` is a special token, which decoding leaves out by default.
    public func isSpecial(_ id: TokenID) -> Bool { model.isSpecialToken(id) }

    /// Writes `tokenizer.json`, and `tokenizer_config.json` where there is one, into `folder`, each atomically.
    public func save(to folder: URL) throws {
        do {
            try model.json.write(to: folder.appendingPathComponent("tokenizer.json"), options: .atomic)
            try configuration?.write(to: folder.appendingPathComponent("tokenizer_config.json"), options: .atomic)
        } catch {
            throw TokenizationError(
                .inaccessible,
                place: folder.path,
                "cannot save the tokenizer: \(error.localizedDescription)"
            )
        }
    }
}
