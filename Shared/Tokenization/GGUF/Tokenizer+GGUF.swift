package import ModelFiles

extension Tokenizer {
    /// The tokenizer as GGUF's metadata, for llama.cpp.
    ///
    /// - Parameters:
    ///   - vocabularySize: Rows of the model's embedding; tokens that only fill it up are added.
    ///   - place: Names the model in errors.
    /// - Returns: Keys and values, in the order in which they are written.
    /// - Throws: `ModelFileError` where llama.cpp has no tokenizer that does the same.
    package func ggufMetadata(vocabularySize: Int, place: String) throws -> [(key: String, value: GGUFValue)] {
        func unsupported(_ message: String) -> ModelFileError {
            ModelFileError(.unsupported, place: place, "cannot be written as GGUF: \(message)")
        }
        let pairs = model.pairs
        let added = model.rawTokens.tokens + model.normalizedTokens.tokens
        var kinds = [GGUFVocabulary.Kind](repeating: .normal, count: vocabularySize)
        var tokens: [[UInt8]] = []
        for id in 0..<vocabularySize {
            if let text = model.token(TokenID(id)) {
                tokens.append(text)
            } else {
                tokens.append(Array("[PAD\(id)]".utf8))
                kinds[id] = .unused
            }
        }
        for token in added { kinds[Int(token.id)] = token.isSpecial ? .control : .userDefined }
        var metadata: [(key: String, value: GGUFValue)] = []
        func set(_ key: String, _ value: GGUFValue) { metadata.append(("tokenizer.ggml." + key, value)) }
        if pairs.isByteLevel {
            guard model.preTokenizer.prefixSpace == false else { throw unsupported("ByteLevel add_prefix_space") }
            guard let name = preTokenizerName else {
                throw unsupported("llama.cpp has no pre-tokenizer that cuts words as this tokenizer does")
            }
            set("model", .text("gpt2"))
            set("pre", .text(name))
            set("tokens", .array(.string(tokens)))
            set("token_type", .array(.int32(kinds.map { Int32($0.rawValue) })))
            let merges = pairs.merges.map { tokens[Int($0.left)] + [0x20] + tokens[Int($0.right)] }
            set("merges", .array(.string(merges)))
        } else {
            guard let fallback = pairs.fallbackIDs else {
                throw unsupported("a SentencePiece tokenizer without byte fallback")
            }
            for id in fallback.compactMap({ $0 }) { kinds[Int(id)] = .byte }
            if let unknown = pairs.unknownID { kinds[Int(unknown)] = .unknown }
            // The score decides what is merged first: the earlier a token's first merge, the higher.
            var scores = [Float](repeating: -Float(pairs.merges.count) - 1, count: vocabularySize)
            for (rank, merge) in pairs.merges.enumerated().reversed() { scores[Int(merge.result)] = -Float(rank) }
            set("model", .text("llama"))
            set("pre", .text("default"))
            set("tokens", .array(.string(tokens)))
            set("scores", .array(.float32(scores)))
            set("token_type", .array(.int32(kinds.map { Int32($0.rawValue) })))
            set("add_space_prefix", .bool(model.putsSpaceBeforeText))
        }
        for (key, id) in [
            ("bos", bosTokenID), ("eos", eosTokenID), ("padding", padTokenID), ("unknown", pairs.unknownID),
        ] {
            if let id { set("\(key)_token_id", .uint32(UInt32(id))) }
        }
        let start = bosTokenID.map { startTokens == [$0] } ?? false
        guard startTokens.isEmpty || start else { throw unsupported("start tokens other than bos_token") }
        set("add_bos_token", .bool(start))
        set("add_eos_token", .bool(!model.suffix.isEmpty))
        return metadata
    }

    /// llama.cpp's name of the way in which words are cut; nil where it has none.
    private var preTokenizerName: String? {
        var parts = GGUFTokenizerStyle.PreTokenizerParts(pattern: .gpt2)
        var patterns: [PreTokenizerPattern] = []
        for split in model.preTokenizer.splits {
            switch split {
            case .pattern(let pattern): patterns.append(pattern)
            case .digits(let individual):
                guard individual, patterns.isEmpty else { return nil }
                parts.isolatesDigits = true
            }
        }
        guard patterns.count == 1 else { return nil }
        parts.pattern = patterns[0]
        // A composed form that is asked for and not made by llama.cpp changes rare texts only, as with Qwen2 itself.
        return GGUFTokenizerStyle.preTokenizers.first {
            $0.parts.isolatesDigits == parts.isolatesDigits && $0.parts.pattern == parts.pattern
        }?.names.first
    }
}
