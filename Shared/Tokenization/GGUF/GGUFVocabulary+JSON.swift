import Foundation
import ModelFiles

extension GGUFVocabulary {
    /// SentencePiece's stand-in for a space.
    static let metaspace = "\u{2581}"

    /// The equal `tokenizer.json`.
    var document: TokenizerDocument {
        let ids = tokens.indices.filter { !isFiller($0) }
        let added = ids.filter { isAdded($0) || $0 == roles.unknown && model == .llama }
        // Hugging Face's files list added tokens in the vocabulary where it was made with them, and not where they were
        // added behind it.
        let lastOther = ids.last { !isAdded($0) } ?? -1
        let vocabulary = ids.filter { !isAdded($0) || $0 < lastOther || $0 == roles.unknown && model == .llama }
        let postProcessor = TokenizerDocument.postProcessor(
            prefix: addsBOS ? wrapped(roles.bos) : [],
            suffix: addsEOS ? wrapped(roles.eos) : [],
            isByteLevel: model == .gpt2
        )
        var document = TokenizerDocument(
            addedTokens: added.map { id in
                TokenizerDocument.AddedToken(id: id, content: tokens[id], isSpecial: kinds[id] != .userDefined)
            },
            normalizer: preTokenizer.normalizerJSON,
            preTokenizer: preTokenizer.json,
            postProcessor: postProcessor,
            ignoresMerges: preTokenizer.ignoresMerges,
            vocabulary: vocabulary.map { (tokens[$0], $0) },
            merges: merges
        )
        if model == .llama { makeSentencePiece(&document) }
        return document
    }

    private func wrapped(_ id: Int?) -> [(id: Int, content: [UInt8])] { id.map { [($0, tokens[$0])] } ?? [] }

    /// As Llama 2's file has it: the space before a text comes from the normalizer and goes with the decoder.
    private func makeSentencePiece(_ document: inout TokenizerDocument) {
        let space = JSONNode.quoted(Self.metaspace)
        let replace = #"{"type": "Replace", "pattern": {"String": " "}, "content": \#(space)}"#
        let prepend = #"{"type": "Prepend", "prepend": \#(space)}"#
        document.normalizer =
            #"{"type": "Sequence", "normalizers": [\#((addsSpacePrefix ? [prepend] : []).appending(replace))]}"#
        document.preTokenizer = "null"
        let strip = #"{"type": "Strip", "content": " ", "start": 1, "stop": 0}"#
        let decoders = [
            #"{"type": "Replace", "pattern": {"String": \#(space)}, "content": " "}"#, #"{"type": "ByteFallback"}"#,
            #"{"type": "Fuse"}"#,
        ]
        document.decoder =
            #"{"type": "Sequence", "decoders": [\#(addsSpacePrefix ? decoders.appending(strip) : decoders.joined(separator: ", "))]}"#
        document.unknownToken = roles.unknown.map { tokens[$0] }
        document.fusesUnknown = true
        document.hasByteFallback = true
    }

    /// The equal `tokenizer_config.json`, with the class that `transformers` loads any `tokenizer.json` with.
    func configuration(chatTemplates: [(name: String, template: String)], maximumLength: Int?) -> Data {
        func token(_ id: Int?) -> String { id.map { JSONNode.quoted(tokens[$0]) } ?? "null" }
        var members: [(String, String)] = [
            ("bos_token", token(roles.bos)),
            ("clean_up_tokenization_spaces", "false"),
            ("eos_token", token(roles.eos)),
            ("model_max_length", "\(maximumLength ?? 1_000_000_000)"),
            ("pad_token", token(roles.padding)),
            ("tokenizer_class", "\"PreTrainedTokenizerFast\""),
            ("unk_token", token(roles.unknown)),
        ]
        if chatTemplates.count == 1, chatTemplates[0].name == "default" {
            members.append(("chat_template", JSONNode.quoted(chatTemplates[0].template)))
        } else if !chatTemplates.isEmpty {
            let list = chatTemplates.map {
                #"{"name": \#(JSONNode.quoted($0.name)), "template": \#(JSONNode.quoted($0.template))}"#
            }
            members.append(("chat_template", "[\(list.joined(separator: ", "))]"))
        }
        return ModelFolder.jsonObject(members)
    }
}

extension [String] {
    /// The texts and one more, with commas between.
    fileprivate func appending(_ text: String) -> String { (self + [text]).joined(separator: ", ") }
}
