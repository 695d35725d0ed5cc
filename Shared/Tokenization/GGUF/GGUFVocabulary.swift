import ModelFiles

/// What a GGUF file's metadata says about tokens, checked.
struct GGUFVocabulary {
    /// The models that tokens are made by.
    enum Model: String, CaseIterable {
        /// Byte-level BPE with a list of merges.
        case gpt2
        /// SentencePiece's BPE: merges follow from the tokens' scores.
        case llama
    }

    /// What kind of token each is, by its number in the file.
    enum Kind: Int {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// Ids of tokens with a use.
    struct Roles {
        var bos: Int?
        var eos: Int?
        var unknown: Int?
        var padding: Int?
    }

    let place: String
    let model: Model
    let preTokenizer: GGUFPreTokenizer
    /// Texts by id.
    let tokens: [[UInt8]]
    /// Kinds by id.
    let kinds: [Kind]
    let merges: [(left: [UInt8], right: [UInt8])]
    let roles: Roles
    let addsBOS: Bool
    let addsEOS: Bool
    /// Whether a space is put before texts (SentencePiece).
    let addsSpacePrefix: Bool

    init(_ metadata: GGUFMetadata) throws {
        place = metadata.place
        func malformed(_ message: String) -> TokenizationError {
            TokenizationError(.malformed, place: metadata.place, message)
        }
        guard let name = try metadata.string(Key.model) else {
            throw malformed("holds no tokenizer: \(Key.model) is missing")
        }
        guard let model = Model(rawValue: name) else {
            throw TokenizationError(
                .unsupported,
                place: place,
                "\(Key.model) \(name) is not supported; \(Model.allCases.map(\.rawValue).joined(separator: " and ")) are"
            )
        }
        self.model = model
        guard let tokens = try metadata.strings(Key.tokens), !tokens.isEmpty, tokens.count <= BytePairModel.maximumID
        else {
            throw malformed("\(Key.tokens) is missing, empty or has more than \(BytePairModel.maximumID) tokens")
        }
        for (id, token) in tokens.enumerated() where String(validating: token, as: UTF8.self) == nil {
            throw malformed("token \(id) of \(Key.tokens) is not UTF-8")
        }
        self.tokens = tokens
        var idByToken = ByteTable()
        for (id, token) in tokens.enumerated() where !token.isEmpty && !idByToken.insert(token, TokenID(id)) {
            throw malformed(
                "tokens \(idByToken.id(token) ?? 0) and \(id) of \(Key.tokens) are both \(String(decoding: token, as: UTF8.self))"
            )
        }
        roles = try Self.roles(metadata, model, count: tokens.count)
        kinds = try Self.kinds(metadata, tokens, roles)
        switch model {
        case .gpt2:
            preTokenizer = try GGUFPreTokenizer(
                name: metadata.string(Key.preTokenizer),
                architecture: metadata.string("general.architecture"),
                place: place
            )
            merges = try Self.merges(metadata)
        case .llama:
            preTokenizer = .none
            let scores = try metadata.floats(Key.scores)
            guard scores.map({ $0.count == tokens.count && !$0.contains(where: \.isNaN) }) ?? true else {
                throw malformed(
                    "\(Key.scores) has \(scores?.count ?? 0) numbers for \(tokens.count) tokens, or one is NaN"
                )
            }
            merges = SentencePieceMerges.merges(tokens, kinds, scores: scores)
            guard !merges.isEmpty else {
                throw malformed("no token is made of two others, so there is nothing to merge: is it a BPE vocabulary?")
            }
        }
        addsBOS = try metadata.bool(Key.addsBOS) ?? (model == .llama || preTokenizer.addsBOS)
        addsEOS = try metadata.bool(Key.addsEOS) ?? false
        addsSpacePrefix = try metadata.bool(Key.addsSpacePrefix) ?? (model == .llama)
        for (key, adds, id) in [(Key.addsBOS, addsBOS, roles.bos), (Key.addsEOS, addsEOS, roles.eos)]
        where adds && id == nil {
            throw malformed("\(key) is true, but the file does not say which token that is")
        }
    }

    private static func roles(_ metadata: GGUFMetadata, _ model: Model, count: Int) throws -> Roles {
        func id(_ key: String, else usual: Int? = nil) throws -> Int? {
            guard let id = try metadata.integer(key) else { return usual.flatMap { $0 < count ? $0 : nil } }
            // Some converters write -1, or its bits, for none.
            if id == -1 || id == Int(UInt32.max) { return nil }
            guard (0..<count).contains(id) else {
                throw metadata.malformed("\(key) is \(id), outside the \(count) tokens of \(Key.tokens)")
            }
            return id
        }
        // SentencePiece's usual ids, which llama.cpp takes where the file has none.
        let isLlama = model == .llama
        return Roles(
            bos: try id(Key.bos, else: isLlama ? 1 : nil),
            eos: try id(Key.eos, else: isLlama ? 2 : nil),
            unknown: try id(Key.unknown, else: isLlama ? 0 : nil),
            padding: try id(Key.padding)
        )
    }

    private static func kinds(_ metadata: GGUFMetadata, _ tokens: [[UInt8]], _ roles: Roles) throws -> [Kind] {
        guard let numbers = try metadata.integers(Key.kinds) else {
            var kinds = [Kind](repeating: .normal, count: tokens.count)
            for id in [roles.bos, roles.eos, roles.unknown, roles.padding].compactMap({ $0 }) { kinds[id] = .control }
            return kinds
        }
        guard numbers.count == tokens.count else {
            throw metadata.malformed("\(Key.kinds) has \(numbers.count) numbers for \(tokens.count) tokens")
        }
        return try numbers.enumerated().map { id, number in
            // 0 stands for "undefined" in old files.
            guard let kind = number == 0 ? .normal : Kind(rawValue: number) else {
                throw metadata.malformed("token \(id) has the unknown type \(number) in \(Key.kinds)")
            }
            return kind
        }
    }

    private static func merges(_ metadata: GGUFMetadata) throws -> [(left: [UInt8], right: [UInt8])] {
        guard let texts = try metadata.strings(Key.merges) else {
            throw metadata.malformed(
                "\(Key.merges) is missing: without merges a gpt2 vocabulary cannot cut text; convert the model again"
            )
        }
        return try texts.enumerated().map { rank, text in
            guard let space = text.dropFirst().firstIndex(of: 0x20), space + 1 < text.count,
                String(validating: text, as: UTF8.self) != nil
            else {
                throw metadata.malformed("merge \(rank) of \(Key.merges) is no pair of tokens with a space between")
            }
            return (Array(text[..<space]), Array(text[(space + 1)...]))
        }
    }

    /// Whether a token only fills the embedding's rows up: it stands for no text.
    func isFiller(_ id: Int) -> Bool {
        tokens[id].isEmpty
            || kinds[id] == .unused && tokens[id].starts(with: Array("[PAD".utf8))
                && tokens[id].last == UInt8(ascii: "]")
    }

    /// Whether a token is found in texts as a whole.
    func isAdded(_ id: Int) -> Bool {
        switch kinds[id] {
        case .control, .userDefined, .unknown: true
        case .normal, .unused, .byte: false
        }
    }

    /// The keys of the metadata.
    enum Key {
        static let model = "tokenizer.ggml.model"
        static let preTokenizer = "tokenizer.ggml.pre"
        static let tokens = "tokenizer.ggml.tokens"
        static let kinds = "tokenizer.ggml.token_type"
        static let scores = "tokenizer.ggml.scores"
        static let merges = "tokenizer.ggml.merges"
        static let bos = "tokenizer.ggml.bos_token_id"
        static let eos = "tokenizer.ggml.eos_token_id"
        static let endOfTurn = "tokenizer.ggml.eot_token_id"
        static let unknown = "tokenizer.ggml.unknown_token_id"
        static let padding = "tokenizer.ggml.padding_token_id"
        static let addsBOS = "tokenizer.ggml.add_bos_token"
        static let addsEOS = "tokenizer.ggml.add_eos_token"
        static let addsSpacePrefix = "tokenizer.ggml.add_space_prefix"
        static let chatTemplate = "tokenizer.chat_template"
        static let chatTemplates = "tokenizer.chat_templates"
        static let huggingFace = "tokenizer.huggingface.json"
    }
}
