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
            TokenizerDocument.AddedToken(
                id: tokens.count + index,
                content: Array(token.utf8),
                isSpecial: index < specialTokens.count
            )
        }
        return TokenizerDocument(
            addedTokens: added,
            normalizer: #"{"type": "NFC"}"#,
            preTokenizer: preTokenizer.preTokenizerJSON(),
            vocabulary: tokens.enumerated().map { ($1, $0) },
            merges: merges
        ).json
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
