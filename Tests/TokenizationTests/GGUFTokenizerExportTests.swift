import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import Tokenization

private func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(gguf: GGUFFile(url: GGUFGoldens.url("\(name).gguf")).metadata)
}

private func exported(_ tokenizer: Tokenizer, rows: Int? = nil, chatTemplate: String? = nil) throws -> GGUFMetadata {
    GGUFMetadata(
        try tokenizer.ggufMetadata(rows: rows ?? tokenizer.vocabularySize, chatTemplate: chatTemplate),
        place: "export"
    )
}

private let original = "tokenizer.huggingface.json"

@Suite("Tokenizers to GGUF")
struct GGUFTokenizerExportTests {
    @Test(
        "a tokenizer that came from GGUF goes back with the same tokens, kinds, merges, scores and ids",
        arguments: ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "gpt-2", "spm", "spm-no-prefix"]
    )
    func roundTrip(name: String) throws {
        let before = try GGUFFile(url: GGUFGoldens.url("\(name).gguf")).metadata
        let tokenizer = try tokenizer(name)
        let after = try exported(tokenizer)
        for key in ["model", "pre", "tokens", "token_type", "merges", "bos_token_id", "eos_token_id"] {
            #expect(after["tokenizer.ggml.\(key)"] == before["tokenizer.ggml.\(key)"], "\(key)")
        }
        #expect(after["tokenizer.chat_template"] == before["tokenizer.chat_template"])
        #expect(after[original] == nil)
        #expect(try Tokenizer(gguf: after).fingerprint == tokenizer.fingerprint)
    }

    @Test("trained tokenizers of every pattern come back the same", arguments: PreTokenizerPattern.allCases)
    func trained(pattern: PreTokenizerPattern) throws {
        let texts = ["the shells are on the sand, aren't they?", "12 and 345 make 357", "cafe\u{301} naïve"]
        let tokenizer = try BytePairTrainer(preTokenizer: pattern).train(
            texts,
            vocabularySize: 300,
            addedTokens: ["<note>"]
        )
        let metadata = try exported(tokenizer, rows: 310)
        let expected = ["gpt2": "gpt-2", "llama3": "smaug-bpe", "qwen2": "qwen2"][pattern.rawValue]
        #expect(try metadata.string("tokenizer.ggml.pre") == expected)
        #expect(try metadata.strings("tokenizer.ggml.tokens")?.count == 310)
        #expect(try metadata.strings("tokenizer.ggml.tokens")?.last == Array("[PAD309]".utf8))
        // They all compose; of llama.cpp's names only Qwen2's says so.
        #expect((metadata[original] == nil) == (pattern == .qwen2))
        let again = try Tokenizer(gguf: metadata)
        #expect(again.fingerprint == tokenizer.fingerprint)
        for text in texts + ["<note>x<|endoftext|>"] { #expect(again.encode(text) == tokenizer.encode(text)) }
    }

    @Test("properties of added tokens that GGUF has no place for survive")
    func addedTokens() throws {
        let plain = try tokenizer("gpt-2")
        let json = String(decoding: plain.model.json, as: UTF8.self).replacingOccurrences(
            of: #""content": "<tool>", "single_word": false, "lstrip": false"#,
            with: #""content": "<tool>", "single_word": false, "lstrip": true"#
        )
        let stripping = try Tokenizer(json: Data(json.utf8), configuration: plain.configuration)
        #expect(stripping.encode("a   <tool>") != plain.encode("a   <tool>"))
        let metadata = try exported(stripping)
        #expect(try Tokenizer(gguf: metadata).encode("a   <tool>") == stripping.encode("a   <tool>"))
        // The original must not say other tokens than the list.
        let tokens = try #require(try metadata.strings("tokenizer.ggml.tokens"))
        let lying = metadata.replacing(
            "tokenizer.ggml.tokens",
            .array(.string(tokens.enumerated().map { $0 == 300 ? Array("zzz".utf8) : $1 }))
        ).replacing("tokenizer.ggml.merges", .array(.string([])))
        let error = #expect(throws: TokenizationError.self) { _ = try Tokenizer(gguf: lying) }
        #expect(error?.message.contains("says that token 300 is") == true, "\(error?.description ?? "")")
    }

    @Test("what the tokenizer does not say of start and end tokens comes from the model's configuration")
    func roles() throws {
        let bare = try Tokenizer(json: tokenizer("gpt-2").model.json)
        let metadata = GGUFMetadata(
            try bare.ggufMetadata(rows: 320, bosTokenID: 316, eosTokenIDs: [317, 315], padTokenID: 315),
            place: "export"
        )
        #expect(try metadata.integer("tokenizer.ggml.bos_token_id") == 316)
        #expect(try metadata.integer("tokenizer.ggml.eos_token_id") == 317)
        #expect(try metadata.integer("tokenizer.ggml.eot_token_id") == 315)
        #expect(try metadata.integer("tokenizer.ggml.padding_token_id") == 315)
        #expect(throws: TokenizationError.self) { _ = try bare.ggufMetadata(rows: 320, eosTokenIDs: [4000]) }
    }

    @Test("a chat template that is given stands in the tokenizer's place, and others stay")
    func chatTemplates() throws {
        let plain = try tokenizer("gpt-2")
        #expect(try exported(plain, chatTemplate: "mine").string("tokenizer.chat_template") == "mine")
        let several = try Tokenizer(
            json: plain.model.json,
            configuration: Data(
                #"{"chat_template": [{"name": "default", "template": "d"}, {"name": "rag", "template": "r"}]}"#.utf8
            )
        )
        let metadata = try exported(several)
        #expect(try metadata.string("tokenizer.chat_template") == "d")
        #expect(try metadata.string("tokenizer.chat_template.rag") == "r")
        #expect(metadata["tokenizer.chat_templates"] == .array(.string([Array("rag".utf8)])))
        #expect(try GGUFTokenizer(metadata).chatTemplate == "d")
    }

    @Test("what llama.cpp has nothing equal for is refused")
    func refusals() throws {
        func expectRefusal(
            _ tokenizer: Tokenizer,
            rows: Int? = nil,
            _ cause: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let error = #expect(throws: TokenizationError.self, sourceLocation: sourceLocation) {
                _ = try tokenizer.ggufMetadata(rows: rows ?? tokenizer.vocabularySize)
            }
            #expect(error?.code == .unsupported, sourceLocation: sourceLocation)
            #expect(
                error?.message.contains(cause) == true,
                "\(error?.description ?? "")",
                sourceLocation: sourceLocation
            )
        }
        func changed(_ name: String, _ text: String, _ replacement: String) throws -> Tokenizer {
            let json = String(decoding: try tokenizer(name).model.json, as: UTF8.self)
            #expect(json.contains(text))
            return try Tokenizer(json: Data(json.replacingOccurrences(of: text, with: replacement).utf8))
        }
        expectRefusal(try tokenizer("gpt-2"), rows: 319, "has 320 tokens, the model 319 rows")
        expectRefusal(
            try changed("tiny-llama", "\"individual_digits\": true", "\"individual_digits\": false"),
            "no pre-tokenizer"
        )
        expectRefusal(
            try changed("gpt-2", "\"add_prefix_space\": false", "\"add_prefix_space\": true"),
            "changes text otherwise"
        )
        // A way to make a token that is no merge, and merges that make one token at two ranks.
        let document = try JSONNode.parse(tokenizer("spm").model.json)
        let merges = try #require(document["model"]?["merges"]?.array)
        func line(_ index: Int) throws -> String {
            let parts = (merges[index].array ?? []).compactMap(\.string)
            try #require(parts.count == 2)
            return "\n      [\(JSONNode.quoted(parts[0])), \(JSONNode.quoted(parts[1]))],"
        }
        expectRefusal(try changed("spm", line(0), ""), "no scores give")
        let results = merges.map { ($0.array ?? []).compactMap(\.string).joined() }
        let twice = try #require(results.indices.first { $0 > 0 && results[$0] == results[$0 - 1] })
        let apart = try changed("spm", line(twice) + line(twice + 1), line(twice + 1) + line(twice))
        expectRefusal(apart, "no scores give")
        expectRefusal(try changed("spm", "\"byte_fallback\": true", "\"byte_fallback\": false"), "one for each byte")
        expectRefusal(try changed("spm", "\"prepend\": \"▁\"", "\"prepend\": \"_\""), "writes spaces as")
        let wrapped = try changed(
            "spm",
            #"{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Seq"#,
            #"{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Seq"#
        )
        expectRefusal(wrapped, "and no others")
    }

    @Test("Llama 2's other layout, where the pre-tokenizer writes the spaces, goes out and comes back")
    func metaspace() throws {
        let json = String(decoding: try tokenizer("spm").model.json, as: UTF8.self)
        let start = try #require(json.range(of: "\"normalizer\": "))
        let end = try #require(json.range(of: ",\n  \"post_processor\""))
        let text = json.replacingCharacters(
            in: start.lowerBound..<end.lowerBound,
            with: """
                "normalizer": null,
                  "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}
                """
        )
        let tokenizer = try Tokenizer(json: Data(text.utf8))
        let metadata = try exported(tokenizer)
        #expect(try metadata.string("tokenizer.ggml.model") == "llama")
        #expect(try metadata.bool("tokenizer.ggml.add_space_prefix") == true)
        #expect(metadata[original] != nil)
        #expect(try Tokenizer(gguf: metadata).fingerprint == tokenizer.fingerprint)
    }
}
