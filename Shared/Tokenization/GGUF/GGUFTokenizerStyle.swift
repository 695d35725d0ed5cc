import ModelFiles

/// Which of the tokenizers of llama.cpp a file names, and how `tokenizer.json` spells it.
struct GGUFTokenizerStyle {
    /// The names of pre-tokenizers that are known, with what they stand for.
    ///
    /// llama.cpp gives several names to one pattern; the first is the one that is written.
    static let preTokenizers: [(names: [String], parts: PreTokenizerParts)] = [
        (["smollm"], PreTokenizerParts(isolatesDigits: true, pattern: .gpt2)),
        (["qwen2", "deepseek-r1-qwen", "megrez"], PreTokenizerParts(pattern: .qwen2, composes: true)),
        (
            ["llama-bpe", "llama3", "llama-v3", "falcon3"],
            PreTokenizerParts(pattern: .llama3, ignoresMerges: true, addsBOS: true)
        ),
        (["gpt-2"], PreTokenizerParts(pattern: .gpt2)),
    ]

    /// What a byte-level tokenizer does before merges are made.
    struct PreTokenizerParts: Equatable {
        var isolatesDigits = false
        var pattern: PreTokenizerPattern
        /// Whether texts are brought into the composed form (NFC) first.
        var composes = false
        /// Whether a word that is a token needs no merges.
        var ignoresMerges = false
        /// Whether a start token is put before a text unless the file says otherwise.
        var addsBOS = false
    }

    private enum Model {
        /// Bytes spelled as characters, merged in the order of a list.
        case byteLevel(PreTokenizerParts, merges: [[UInt8]])
        /// SentencePiece's byte-pair encoding: merges follow from the scores.
        case sentencePiece(merges: [[UInt8]], prependsSpace: Bool)
    }

    private let model: Model
    let addsBOS: Bool
    let addsEOS: Bool

    init(_ metadata: GGUFMetadata, _ vocabulary: GGUFVocabulary) throws {
        let name = try metadata.string("tokenizer.ggml.model")
        let isPrefixed: Bool
        switch name {
        case "gpt2":
            guard let merges = try metadata.strings("tokenizer.ggml.merges") else {
                throw metadata.malformed(
                    "has a byte-level tokenizer without merges (tokenizer.ggml.merges); convert the model again with a newer "
                        + "llama.cpp"
                )
            }
            let parts = try Self.parts(metadata)
            isPrefixed = parts.addsBOS
            model = .byteLevel(parts, merges: merges)
        case "llama":
            guard let scores = try metadata.floats("tokenizer.ggml.scores"), scores.count == vocabulary.tokens.count
            else {
                throw metadata.malformed(
                    "has a SentencePiece tokenizer without a score for each token (tokenizer.ggml.scores)"
                )
            }
            isPrefixed = true
            model = .sentencePiece(
                merges: Self.merges(vocabulary, scores),
                prependsSpace: try metadata.bool("tokenizer.ggml.add_space_prefix") ?? true
            )
        default:
            throw metadata.unsupported(
                "tokenizer.ggml.model is \(name ?? "absent"); gpt2 (byte-level) and llama (SentencePiece) can be read"
            )
        }
        addsBOS = try metadata.bool("tokenizer.ggml.add_bos_token") ?? isPrefixed
        addsEOS = try metadata.bool("tokenizer.ggml.add_eos_token") ?? false
        if addsBOS, vocabulary.bos == nil {
            throw metadata.malformed("puts a start token before a text, but names none (tokenizer.ggml.bos_token_id)")
        }
        if addsEOS, vocabulary.eos == nil {
            throw metadata.malformed("puts an end token after a text, but names none (tokenizer.ggml.eos_token_id)")
        }
    }

    private static func parts(_ metadata: GGUFMetadata) throws -> PreTokenizerParts {
        guard let name = try metadata.string("tokenizer.ggml.pre") else {
            throw metadata.unsupported(
                "names no pre-tokenizer (tokenizer.ggml.pre), without which words cannot be told apart; convert the model "
                    + "again with a newer llama.cpp"
            )
        }
        guard let known = preTokenizers.first(where: { $0.names.contains(name) }) else {
            let names = preTokenizers.flatMap(\.names).joined(separator: ", ")
            throw metadata.unsupported("the pre-tokenizer \(name) is not supported; \(names) are")
        }
        return known.parts
    }

    /// The merges that SentencePiece's scores amount to, each `left right`, as `transformers` derives them.
    ///
    /// Every way in which a token is two others is a merge; the better the score of the token, the earlier.
    private static func merges(_ vocabulary: GGUFVocabulary, _ scores: [Float]) -> [[UInt8]] {
        var ids: [[UInt8]: Int] = [:]
        for (id, token) in vocabulary.tokens.enumerated() where vocabulary.kinds[id] == .normal {
            ids[token] = ids[token] ?? id
        }
        var found: [(left: [UInt8], right: [UInt8], score: Float, lengths: (Int, Int))] = []
        for (id, token) in vocabulary.tokens.enumerated() where vocabulary.kinds[id] == .normal && token.count > 1 {
            var splits: [(left: Int, right: Int)] = []
            for cut in 1..<token.count where token[cut] & 0xC0 != 0x80 {
                if let left = ids[Array(token[..<cut])], let right = ids[Array(token[cut...])] {
                    splits.append((left, right))
                }
            }
            for split in splits.sorted(by: { $0 < $1 }) {
                let (left, right) = (vocabulary.tokens[split.left], vocabulary.tokens[split.right])
                found.append((left, right, scores[id], (Self.scalars(left), Self.scalars(right))))
            }
        }
        // Stable: what is equal in score and lengths stays in the order of the vocabulary.
        let order = found.indices.sorted { first, second in
            let (a, b) = (found[first], found[second])
            if a.score != b.score { return a.score > b.score }
            if a.lengths != b.lengths { return a.lengths > b.lengths }
            return first < second
        }
        return order.map { found[$0].left + [0x20] + found[$0].right }
    }

    private static func scalars(_ bytes: [UInt8]) -> Int { bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } }

    // MARK: JSON

    /// The content of `tokenizer.json`.
    func json(_ vocabulary: GGUFVocabulary) -> [UInt8] {
        var output = Array(
            "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [".utf8
        )
        var isFirst = true
        func separate(_ text: String) {
            output += (isFirst ? text : "," + text).utf8
            isFirst = false
        }
        for id in vocabulary.tokens.indices where vocabulary.isAdded(id) {
            separate("\n    {\"id\": \(id), \"content\": ")
            JSONNode.appendQuoted(vocabulary.tokens[id], to: &output)
            let isSpecial = vocabulary.kinds[id] != .userDefined
            output +=
                ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": \(isSpecial)}"
                .utf8
        }
        let (normalizer, preTokenizer, decoder, options, merges) = parts(vocabulary)
        output += "\n  ],\n  \"normalizer\": \(normalizer),\n  \"pre_tokenizer\": \(preTokenizer),\n".utf8
        output += "  \"post_processor\": \(postProcessor(vocabulary)),\n  \"decoder\": \(decoder),\n".utf8
        output += "  \"model\": {\"type\": \"BPE\", \"dropout\": null, \(options),\n    \"vocab\": {".utf8
        isFirst = true
        var seen: Set<[UInt8]> = []
        for (id, token) in vocabulary.tokens.enumerated() {
            guard vocabulary.kinds[id] != .unused, !vocabulary.isAdded(id) || id == vocabulary.unknown,
                seen.insert(token).inserted
            else { continue }
            separate("\n      ")
            JSONNode.appendQuoted(token, to: &output)
            output += ": \(id)".utf8
        }
        output += "\n    },\n    \"merges\": [".utf8
        isFirst = true
        for merge in merges {
            separate("\n      ")
            JSONNode.appendQuoted(merge, to: &output)
        }
        output += "\n    ]\n  }\n}\n".utf8
        return output
    }

    private func parts(
        _ vocabulary: GGUFVocabulary
    ) -> (normalizer: String, preTokenizer: String, decoder: String, options: String, merges: [[UInt8]]) {
        switch model {
        case .byteLevel(let parts, let merges):
            let usesOwn = parts.pattern == .gpt2
            var steps = [
                "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": \(usesOwn)}"
            ]
            if !usesOwn {
                steps.insert(
                    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \(JSONNode.quoted(parts.pattern.regularExpression))}, "
                        + "\"behavior\": \"Isolated\", \"invert\": false}",
                    at: 0
                )
            }
            if parts.isolatesDigits { steps.insert("{\"type\": \"Digits\", \"individual_digits\": true}", at: 0) }
            return (
                parts.composes ? "{\"type\": \"NFC\"}" : "null",
                "{\"type\": \"Sequence\", \"pretokenizers\": [\(steps.joined(separator: ", "))]}",
                "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true}",
                "\"unk_token\": null, \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": \(parts.ignoresMerges)",
                merges
            )
        case .sentencePiece(let merges, let prependsSpace):
            let mark = "\u{2581}"
            let replace = "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\(mark)\"}"
            let prepend = "{\"type\": \"Prepend\", \"prepend\": \"\(mark)\"}, "
            let strip = ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}"
            let unknown = vocabulary.unknown.map {
                JSONNode.quoted(String(decoding: vocabulary.tokens[$0], as: UTF8.self))
            }
            return (
                "{\"type\": \"Sequence\", \"normalizers\": [\(prependsSpace ? prepend : "")\(replace)]}",
                "null",
                "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"\(mark)\"}, "
                    + "\"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}\(prependsSpace ? strip : "")]}",
                "\"unk_token\": \(unknown ?? "null"), \"fuse_unk\": true, \"byte_fallback\": true, \"ignore_merges\": false",
                merges
            )
        }
    }

    private func postProcessor(_ vocabulary: GGUFVocabulary) -> String {
        let before = addsBOS ? vocabulary.bos : nil
        let after = addsEOS ? vocabulary.eos : nil
        guard before != nil || after != nil else { return "null" }
        func name(_ id: Int) -> String { JSONNode.quoted(String(decoding: vocabulary.tokens[id], as: UTF8.self)) }
        func special(_ id: Int?) -> [String] {
            id.map { ["{\"SpecialToken\": {\"id\": \(name($0)), \"type_id\": 0}}"] } ?? []
        }
        let single = special(before) + ["{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}"] + special(after)
        let pair =
            single + special(before).map { $0.replacingTypeID() } + ["{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}"]
        let tokens = Set([before, after].compactMap { $0 }).sorted().map {
            "\(name($0)): {\"id\": \(name($0)), \"ids\": [\($0)], \"tokens\": [\(name($0))]}"
        }
        return "{\"type\": \"TemplateProcessing\", \"single\": [\(single.joined(separator: ", "))], "
            + "\"pair\": [\(pair.joined(separator: ", "))], \"special_tokens\": {\(tokens.joined(separator: ", "))}}"
    }
}

extension String {
    /// The same part of a template for the second of two texts.
    fileprivate func replacingTypeID() -> String { replacing("\"type_id\": 0", with: "\"type_id\": 1") }
}
