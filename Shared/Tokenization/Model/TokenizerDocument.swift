import Foundation
import ModelFiles

/// The parts of a `tokenizer.json` with a BPE model, to be written as one.
///
/// The text depends on the parts alone: members stand in a fixed order, one token and one merge a line.
struct TokenizerDocument {
    struct AddedToken {
        var id: Int
        var content: [UInt8]
        var isSpecial: Bool
    }

    static let byteLevel =
        #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}"#

    var addedTokens: [AddedToken]
    // The text pipeline, each part as JSON.
    var normalizer: String
    var preTokenizer: String
    var postProcessor = Self.byteLevel
    var decoder = Self.byteLevel
    // The model.
    var unknownToken: [UInt8]?
    var fusesUnknown = false
    var hasByteFallback = false
    var ignoresMerges = false
    var vocabulary: [(token: [UInt8], id: Int)]
    var merges: [(left: [UInt8], right: [UInt8])]

    var json: Data {
        let added = addedTokens.map { token in
            """
            {"id": \(token.id), "content": \(JSONNode.quoted(token.content)), "single_word": false, \
            "lstrip": false, "rstrip": false, "normalized": false, "special": \(token.isSpecial)}
            """
        }
        var output = Array(
            """
            {
              "version": "1.0",
              "truncation": null,
              "padding": null,
              "added_tokens": [
                \(added.joined(separator: ",\n    "))
              ],
              "normalizer": \(normalizer),
              "pre_tokenizer": \(preTokenizer),
              "post_processor": \(postProcessor),
              "decoder": \(decoder),
              "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": \(unknownToken.map { JSONNode.quoted($0) } ?? "null"),
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": \(fusesUnknown),
                "byte_fallback": \(hasByteFallback),
                "ignore_merges": \(ignoresMerges),
                "vocab": {
            """.utf8
        )
        for (index, entry) in vocabulary.enumerated() {
            output += (index == 0 ? "\n      " : ",\n      ").utf8
            JSONNode.appendQuoted(entry.token, to: &output)
            output += ": \(entry.id)".utf8
        }
        output += "\n    },\n    \"merges\": [".utf8
        for (rank, merge) in merges.enumerated() {
            output += (rank == 0 ? "\n      [" : ",\n      [").utf8
            JSONNode.appendQuoted(merge.left, to: &output)
            output += ", ".utf8
            JSONNode.appendQuoted(merge.right, to: &output)
            output += "]".utf8
        }
        output += "\n    ]\n  }\n}\n".utf8
        return Data(output)
    }

    /// A post-processor that wraps a text in tokens, after `byteLevel` where the model is one.
    static func postProcessor(
        prefix: [(id: Int, content: [UInt8])],
        suffix: [(id: Int, content: [UInt8])],
        isByteLevel: Bool
    ) -> String {
        guard !prefix.isEmpty || !suffix.isEmpty else { return isByteLevel ? byteLevel : "null" }
        func items(_ tokens: [(id: Int, content: [UInt8])], _ type: Int) -> [String] {
            tokens.map { #"{"SpecialToken": {"id": \#(JSONNode.quoted($0.content)), "type_id": \#(type)}}"# }
        }
        func wrapped(_ name: String, _ type: Int) -> [String] {
            items(prefix, type) + [#"{"Sequence": {"id": "\#(name)", "type_id": \#(type)}}"#] + items(suffix, type)
        }
        var seen: Set<Int> = []
        let tokens = (prefix + suffix).filter { seen.insert($0.id).inserted }.map { token in
            let name = JSONNode.quoted(token.content)
            return #"\#(name): {"id": \#(name), "ids": [\#(token.id)], "tokens": [\#(name)]}"#
        }
        let template = """
            {"type": "TemplateProcessing", "single": [\(wrapped("A", 0).joined(separator: ", "))], \
            "pair": [\((wrapped("A", 0) + wrapped("B", 1)).joined(separator: ", "))], \
            "special_tokens": {\(tokens.joined(separator: ", "))}}
            """
        return isByteLevel ? #"{"type": "Sequence", "processors": [\#(byteLevel), \#(template)]}"# : template
    }
}

extension JSONNode {
    /// `bytes` (UTF-8) as a quoted JSON string.
    static func quoted(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        appendQuoted(bytes, to: &output)
        return String(decoding: output, as: UTF8.self)
    }
}

extension PreTokenizerPattern {
    /// The `pre_tokenizer` of `tokenizer.json` that cuts by this pattern and spells words in the byte alphabet.
    func preTokenizerJSON(splitsDigits: Bool = false) -> String {
        if splitsDigits {
            // SmolLM's: the pattern is GPT-2's.
            return """
                {"type": "Sequence", "pretokenizers": [
                    {"type": "Digits", "individual_digits": true},
                    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
                  ]}
                """
        }
        if self == .gpt2 {
            return #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}"#
        }
        return """
            {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": \(JSONNode.quoted(regularExpression))}, \
            "behavior": "Isolated", "invert": false},
                \(TokenizerDocument.byteLevel)
              ]}
            """
    }
}
