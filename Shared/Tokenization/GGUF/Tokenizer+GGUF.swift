import Foundation
package import ModelFiles

extension Tokenizer {
    /// The metadata that says this tokenizer in a GGUF file, for llama.cpp and for Errata itself.
    ///
    /// llama.cpp knows no normalizers: what NFC would change it leaves as it is, in Qwen's own files too. And it puts
    /// SentencePiece's space after every special token. Where the keys of llama.cpp alone would not give this tokenizer
    /// back, its `tokenizer.json` is put beside them (`tokenizer.huggingface.json`, a key of the format's document).
    /// - Parameters:
    ///   - rows: The rows of the model's embedding; ids that are no tokens become fillers.
    ///   - bosTokenID: What starts a text where the tokenizer does not say.
    ///   - eosTokenIDs: What ends a text or turn: the first where the tokenizer does not say, the next as a turn's end.
    ///   - padTokenID: What fills a batch where the tokenizer does not say.
    ///   - chatTemplate: The chat template (Jinja); nil takes that of `tokenizer_config.json`.
    /// - Returns: Keys and values, the same for the same tokenizer.
    /// - Throws: `TokenizationError` where llama.cpp has nothing equal.
    package func ggufMetadata(
        rows: Int,
        bosTokenID: TokenID? = nil,
        eosTokenIDs: [TokenID] = [],
        padTokenID: TokenID? = nil,
        chatTemplate: String? = nil
    ) throws -> [(key: String, value: GGUFValue)] {
        typealias Key = GGUFVocabulary.Key
        guard vocabularySize <= rows else {
            throw Self.noEquivalent("the tokenizer has \(vocabularySize) tokens, the model \(rows) rows for them")
        }
        let (tokens, kinds) = ggufTokens(rows)
        var pairs: [(key: String, value: GGUFValue)] = []
        if model.pairs.isByteLevel {
            pairs += [(Key.model, .text("gpt2")), (Key.preTokenizer, .text(try ggufPreTokenizerName()))]
        } else {
            pairs += [(Key.model, .text("llama")), (Key.preTokenizer, .text("default"))]
        }
        pairs += [(Key.tokens, .array(.string(tokens))), (Key.kinds, .array(.int32(kinds.map { Int32($0.rawValue) })))]
        if model.pairs.isByteLevel {
            pairs.append((Key.merges, .array(.string(try ggufMerges()))))
        } else {
            pairs += try sentencePieceMetadata(tokens, kinds)
        }
        pairs += try ggufRoles(bos: bosTokenID, ends: eosTokenIDs, padding: padTokenID)
        pairs += try ggufChatTemplates(chatTemplate)
        let readBack = try GGUFTokenizer(GGUFMetadata(pairs, place: "GGUF export"))
        if readBack.tokenizer.fingerprint != fingerprint {
            pairs.append((Key.huggingFace, .string(Array(model.json))))
        }
        return pairs
    }

    private static func noEquivalent(_ message: String) -> TokenizationError {
        TokenizationError(.unsupported, place: "GGUF export", message)
    }

    private func ggufTokens(_ rows: Int) -> ([[UInt8]], [GGUFVocabulary.Kind]) {
        let added = Dictionary(
            (model.rawTokens.tokens + model.normalizedTokens.tokens).map { ($0.id, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let isSentencePiece = !model.pairs.isByteLevel
        let bytes = Set((model.pairs.fallbackIDs ?? []).compactMap { $0 })
        var tokens: [[UInt8]] = []
        var kinds: [GGUFVocabulary.Kind] = []
        for id in TokenID(0)..<TokenID(clamping: rows) {
            guard let token = model.token(id) else {
                tokens.append(Array("[PAD\(id)]".utf8))
                kinds.append(.unused)
                continue
            }
            tokens.append(token)
            if isSentencePiece, id == model.pairs.unknownID {
                kinds.append(.unknown)
            } else if let added = added[id] {
                kinds.append(added.isSpecial ? .control : .userDefined)
            } else {
                kinds.append(isSentencePiece && bytes.contains(id) ? .byte : .normal)
            }
        }
        return (tokens, kinds)
    }

    private func ggufPreTokenizerName() throws -> String {
        let preTokenizer = model.preTokenizer
        let isPlain = model.normalizer.steps.allSatisfy { step in
            if case .composed = step { return true }
            return false
        }
        guard isPlain, !preTokenizer.prefixSpace else {
            throw Self.noEquivalent("llama.cpp has no byte-level tokenizer that changes text otherwise than by NFC")
        }
        let ignores = model.pairs.ignoresMerges
        if let name = GGUFPreTokenizer.name(preTokenizer.splits, ignoresMerges: ignores) { return name }
        // Where merges make every token, it is the same whether they are ignored or not.
        if let name = GGUFPreTokenizer.name(preTokenizer.splits, ignoresMerges: !ignores),
            model.pairs.mergesMakeEveryToken
        {
            return name
        }
        throw Self.noEquivalent(
            "llama.cpp has no pre-tokenizer that cuts text as this tokenizer's does; it has GPT-2's, also after single "
                + "digits, Llama 3's and Qwen2's patterns"
        )
    }

    private func ggufMerges() throws -> [[UInt8]] {
        try model.pairs.merges.map { merge in
            let (left, right) = (model.pairs.tokens[Int(merge.left)] ?? [], model.pairs.tokens[Int(merge.right)] ?? [])
            guard !left.contains(0x20), !right.contains(0x20) else {
                throw Self.noEquivalent("a merge has a space in it, which separates the two parts of a merge in GGUF")
            }
            return left + [0x20] + right
        }
    }

    private func sentencePieceMetadata(
        _ tokens: [[UInt8]],
        _ kinds: [GGUFVocabulary.Kind]
    ) throws -> [(key: String, value: GGUFValue)] {
        let pairs = model.pairs
        guard let fallback = pairs.fallbackIDs, !fallback.contains(nil), pairs.unknownID != nil,
            !pairs.ignoresMerges || pairs.mergesMakeEveryToken
        else {
            throw Self.noEquivalent(
                "llama.cpp's SentencePiece needs a token for unknown text and one for each byte (byte_fallback)"
            )
        }
        guard let scores = SentencePieceMerges.scores(tokens, kinds, merges: pairs.merges) else {
            throw Self.noEquivalent(
                "llama.cpp's SentencePiece merges by a score of each token, and no scores give this tokenizer's merges"
            )
        }
        return [
            (GGUFVocabulary.Key.scores, .array(.float32(scores))),
            (GGUFVocabulary.Key.addsSpacePrefix, .bool(try sentencePieceAddsSpace(tokens, kinds))),
        ]
    }

    /// Whether a space is put before texts; throws where spaces are treated in a way that SentencePiece's are not.
    private func sentencePieceAddsSpace(_ tokens: [[UInt8]], _ kinds: [GGUFVocabulary.Kind]) throws -> Bool {
        let mark = Array(GGUFVocabulary.metaspace.utf8)
        var prepends = false
        var replaces = false
        var isKnown = model.preTokenizer.splits.isEmpty && !model.preTokenizer.prefixSpace
        for step in model.normalizer.steps {
            switch step {
            case .prepend(let prefix): (prepends, isKnown) = (true, isKnown && prefix == mark && !replaces && !prepends)
            case .replace(let pattern, let content):
                (replaces, isKnown) = (true, isKnown && pattern == [0x20] && content == mark && !replaces)
            case .composed: isKnown = false
            }
        }
        if let metaspace = model.preTokenizer.metaspace {
            isKnown = isKnown && model.normalizer.steps.isEmpty && metaspace.replacement == mark
            (prepends, replaces) = (metaspace.prepend != .never, true)
            // SentencePiece does not cut at spaces; it is the same where no token holds one but at its beginning.
            if metaspace.splits {
                isKnown =
                    isKnown
                    && zip(tokens, kinds).allSatisfy { token, kind in
                        kind != .normal || !Array(token.dropFirst()).containsSequence(mark)
                    }
            }
        }
        guard isKnown, replaces else {
            throw Self.noEquivalent(
                "llama.cpp's SentencePiece writes spaces as \(GGUFVocabulary.metaspace) and changes text in no other way"
            )
        }
        return prepends
    }

    private func ggufRoles(
        bos: TokenID?,
        ends: [TokenID],
        padding: TokenID?
    ) throws -> [(key: String, value: GGUFValue)] {
        typealias Key = GGUFVocabulary.Key
        let start = bosTokenID ?? model.prefix.first ?? bos
        let end = eosTokenID ?? model.suffix.last ?? ends.first
        guard model.prefix.isEmpty || model.prefix == start.map({ [$0] }),
            model.suffix.isEmpty || model.suffix == end.map({ [$0] })
        else {
            throw Self.noEquivalent(
                "llama.cpp puts the start token before a text and the end token behind it, and no others"
            )
        }
        let unknown = model.pairs.unknownID ?? configuredTokenID("unk_token")
        let ids: [(String, TokenID?)] = [
            (Key.bos, start), (Key.eos, end), (Key.endOfTurn, ends.first { $0 != end }), (Key.unknown, unknown),
            (Key.padding, padTokenID ?? padding),
        ]
        return try ids.compactMap { key, id in
            guard let id else { return nil }
            guard model.token(id) != nil else { throw Self.noEquivalent("\(key) would be \(id), which is no token") }
            return (key, .uint32(UInt32(bitPattern: id)))
        } + [(Key.addsBOS, .bool(!model.prefix.isEmpty)), (Key.addsEOS, .bool(!model.suffix.isEmpty))]
    }

    private var configurationRoot: JSONNode? { configuration.flatMap { try? JSONNode.parse($0) } }

    private func configuredTokenID(_ key: String) -> TokenID? {
        guard let node = configurationRoot?[key] else { return nil }
        return (node.bytes ?? node["content"]?.bytes).flatMap { model.id($0) }
    }

    private func ggufChatTemplates(_ given: String?) throws -> [(key: String, value: GGUFValue)] {
        typealias Key = GGUFVocabulary.Key
        let node = configurationRoot?["chat_template"]
        var templates: [(name: String, template: String)] = []
        if let text = node?.string { templates.append(("default", text)) }
        for entry in node?.array ?? [] {
            guard let name = entry["name"]?.string, let template = entry["template"]?.string else { continue }
            templates.append((name, template))
        }
        if let given { templates = [("default", given)] + templates.filter { $0.name != "default" } }
        let others = templates.filter { $0.name != "default" }
        var pairs: [(key: String, value: GGUFValue)] = []
        if !others.isEmpty {
            pairs.append((Key.chatTemplates, .array(.string(others.map { Array($0.name.utf8) }))))
            pairs += others.map { ("\(Key.chatTemplate).\($0.name)", .text($0.template)) }
        }
        pairs += templates.filter { $0.name == "default" }.prefix(1).map { (Key.chatTemplate, .text($0.template)) }
        return pairs
    }
}
