import Foundation
import ModelFiles

extension BytePairTrainer {
    /// The `tokenizer.json` of a trained vocabulary, laid out as Qwen2's.
    func tokenizerJSON(
        tokens: [[UInt8]],
        merges: [(left: [UInt8], right: [UInt8])],
        specialTokens: [String],
        addedTokens: [String]
    ) -> Data {
        let added = (specialTokens + addedTokens).enumerated().map { index, token in
            """
            {"id": \(tokens.count + index), "content": \(JSONNode.quoted(token)), "single_word": false, \
            "lstrip": false, "rstrip": false, "normalized": false, "special": \(index < specialTokens.count)}
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
              "normalizer": {"type": "NFC"},
              "pre_tokenizer": \(preTokenizerJSON),
              "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, \
            "use_regex": false},
              "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
              "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": {
            """.utf8
        )
        for (id, token) in tokens.enumerated() {
            output += (id == 0 ? "\n      " : ",\n      ").utf8
            JSONNode.appendQuoted(token, to: &output)
            output += ": \(id)".utf8
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

    private var preTokenizerJSON: String {
        if preTokenizer == .gpt2 {
            return #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true}"#
        }
        return """
            {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": \(JSONNode.quoted(preTokenizer.regularExpression))}, \
            "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
              ]}
            """
    }

    /// The `tokenizer_config.json`, with the class that `transformers` loads any `tokenizer.json` with.
    func configurationJSON(_ specialTokens: [String]) -> Data {
        func quoted(_ token: String?) -> String { token.map { JSONNode.quoted($0) } ?? "null" }
        return Data(
            """
            {
              "tokenizer_class": "PreTrainedTokenizerFast",
              "bos_token": null,
              "eos_token": \(quoted(eosToken ?? specialTokens.first)),
              "pad_token": \(quoted(padToken ?? specialTokens.first)),
              "clean_up_tokenization_spaces": false,
              "model_max_length": 1000000000
            }

            """.utf8
        )
    }
}
