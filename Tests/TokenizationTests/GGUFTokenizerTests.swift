import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import Tokenization

private struct Texts: Decodable {
    let texts: [String]
    let ids: [String: [[TokenID]]]

    static func load() throws -> Texts {
        try JSONDecoder().decode(Texts.self, from: Data(contentsOf: GGUFGoldens.url("ids.json")))
    }
}

private func metadata(_ name: String) throws -> GGUFMetadata {
    try GGUFFile(url: GGUFGoldens.url("\(name).gguf")).metadata
}

private let names = ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "gpt-2", "spm", "spm-no-prefix"]

@Suite("Tokenizers from GGUF")
struct GGUFTokenizerTests {
    @Test(
        "ids are those of the tokenizers library, for digits before bytes, Qwen, Llama 3, GPT-2 and SentencePiece",
        arguments: names
    )
    func ids(name: String) throws {
        let goldens = try Texts.load()
        let tokenizer = try Tokenizer(gguf: metadata(name))
        let expected = try #require(goldens.ids[name])
        #expect(expected.count == goldens.texts.count)
        for (text, ids) in zip(goldens.texts, expected) {
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test("a GGUF file may stand where a folder does, and a model.gguf for the files of one")
    func places() throws {
        let file = GGUFGoldens.url("tiny-llama.gguf")
        let tokenizer = try Tokenizer(folder: file)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(at: file, to: folder.appendingPathComponent("model.gguf"))
        #expect(try Tokenizer(folder: folder).fingerprint == tokenizer.fingerprint)
        try tokenizer.save(to: folder)
        #expect(try Tokenizer(folder: folder).fingerprint == tokenizer.fingerprint)
        try FileManager.default.removeItem(at: folder.appendingPathComponent("model.gguf"))
        try FileManager.default.removeItem(at: folder.appendingPathComponent("tokenizer.json"))
        #expect(throws: TokenizationError.self) { _ = try Tokenizer(folder: folder) }
    }

    @Test("the same file gives the same bytes, with special tokens and the chat template in the configuration")
    func configuration() throws {
        let first = try GGUFTokenizer(metadata("tiny-llama"))
        let second = try GGUFTokenizer(metadata("tiny-llama"))
        #expect(first.json == second.json && first.configuration == second.configuration)
        let tokenizer = try Tokenizer(json: first.json, configuration: first.configuration)
        #expect(tokenizer.bosTokenID == tokenizer.tokenID("<|im_start|>"))
        #expect(tokenizer.eosTokenID == tokenizer.tokenID("<|im_end|>"))
        #expect(tokenizer.padTokenID == tokenizer.tokenID("<|endoftext|>"))
        #expect(
            ["<|im_start|>", "<|im_end|>", "<|endoftext|>"].allSatisfy {
                tokenizer.tokenID($0).map(tokenizer.isSpecial) == true
            }
        )
        #expect(tokenizer.tokenID("<tool>").map(tokenizer.isSpecial) == false)
        #expect(tokenizer.startTokens.isEmpty)
        let template = try #require(first.chatTemplate)
        #expect(template.hasPrefix("{% for message in messages %}"))
        let root = try JSONNode.parse(first.configuration)
        #expect(root["chat_template"]?.string == template)
        #expect(root["model_max_length"]?.integer == 256)
    }

    @Test("a start token goes before texts where the file says so")
    func startTokens() throws {
        let llama3 = try Tokenizer(gguf: metadata("tiny-qwen3"))
        #expect(llama3.startTokens == [try #require(llama3.bosTokenID)])
        let sentencePiece = try Tokenizer(gguf: metadata("spm"))
        #expect(sentencePiece.startTokens == [1])
        #expect(sentencePiece.encode("the", addSpecialTokens: true).first == 1)
        // Llama 3's texts begin with one where the file says nothing, GPT-2's do not.
        for (name, starts) in [("tiny-qwen3", true), ("gpt-2", false)] {
            let silent = try metadata(name).replacing("tokenizer.ggml.add_bos_token", nil)
            #expect(try Tokenizer(gguf: silent).startTokens.isEmpty != starts)
        }
        let ended = try metadata("gpt-2").replacing("tokenizer.ggml.add_eos_token", .bool(true))
        let tokenizer = try Tokenizer(gguf: ended)
        #expect(tokenizer.encode("a", addSpecialTokens: true).last == tokenizer.eosTokenID)
    }

    @Test("fillers are no tokens, and ids behind the last one need no embedding")
    func fillers() throws {
        let plain = try metadata("gpt-2")
        let tokens = try #require(try plain.strings("tokenizer.ggml.tokens"))
        let kinds = try #require(try plain.integers("tokenizer.ggml.token_type"))
        let padded =
            plain
            .replacing(
                "tokenizer.ggml.tokens",
                .array(.string(tokens + [Array("[PAD320]".utf8), Array("[PAD321]".utf8)]))
            )
            .replacing("tokenizer.ggml.token_type", .array(.int32((kinds + [5, 5]).map { Int32($0) })))
        let tokenizer = try Tokenizer(gguf: padded)
        #expect(tokenizer.vocabularySize == 320)
        #expect(tokenizer.tokenID("[PAD320]") == nil)
        #expect(try tokenizer.fingerprint == Tokenizer(gguf: plain).fingerprint)
    }

    @Test("several chat templates become a list, the default among them")
    func chatTemplates() throws {
        let several = try metadata("gpt-2")
            .replacing("tokenizer.chat_templates", .array(.string([Array("tools".utf8)])))
            .replacing("tokenizer.chat_template.tools", .text("{{ tools }}"))
        let tokenizer = try GGUFTokenizer(several)
        let list = try #require(try JSONNode.parse(tokenizer.configuration)["chat_template"]?.array)
        #expect(list.map { $0["name"]?.string } == ["default", "tools"])
        #expect(list[1]["template"]?.string == "{{ tools }}")
        #expect(list[0]["template"]?.string == tokenizer.chatTemplate)
        let lost = several.replacing("tokenizer.chat_template.tools", nil)
        expectRefusal(lost, "tokenizer.chat_template.tools is missing")
    }

    @Test("SentencePiece without scores, or with scores that are all the same, goes by the order of ids")
    func withoutScores() throws {
        let plain = try metadata("spm")
        let fingerprint = try Tokenizer(gguf: plain).fingerprint
        #expect(try Tokenizer(gguf: plain.replacing("tokenizer.ggml.scores", nil)).fingerprint == fingerprint)
        let count = try #require(try plain.floats("tokenizer.ggml.scores")).count
        let same = plain.replacing("tokenizer.ggml.scores", .array(.float32([Float](repeating: -1000, count: count))))
        #expect(try Tokenizer(gguf: same).fingerprint == fingerprint)
    }

    @Test(
        "files that do not name their pre-tokenizer are read where the family leaves no doubt",
        arguments: [nil, "default"]
    )
    func unnamed(name: String?) throws {
        func unnamed(_ file: String) throws -> GGUFMetadata {
            try metadata(file).replacing("tokenizer.ggml.pre", name.map { .text($0) })
        }
        #expect(
            try Tokenizer(gguf: unnamed("tiny-qwen2")).fingerprint
                == Tokenizer(gguf: metadata("tiny-qwen2")).fingerprint
        )
        expectRefusal(try unnamed("tiny-llama"), "names no pre-tokenizer (tokenizer.ggml.pre)", .unsupported)
    }

    @Test("an id of -1, or its bits, says that there is no such token")
    func absentRoles() throws {
        for value in [GGUFValue.int32(-1), .uint32(.max)] {
            let tokenizer = try Tokenizer(gguf: metadata("gpt-2").replacing("tokenizer.ggml.padding_token_id", value))
            #expect(tokenizer.padTokenID == nil && tokenizer.eosTokenID != nil)
        }
    }

    @Test("what contradicts itself or is not supported is refused by its key")
    func refusals() throws {
        let gpt2 = try metadata("gpt-2")
        let spm = try metadata("spm")
        let tokens = try #require(try gpt2.strings("tokenizer.ggml.tokens"))
        func with(_ key: String, _ value: GGUFValue?) -> GGUFMetadata { gpt2.replacing("tokenizer.ggml.\(key)", value) }
        expectRefusal(with("merges", nil), "tokenizer.ggml.merges is missing: without merges")
        expectRefusal(with("model", nil), "holds no tokenizer")
        expectRefusal(with("model", .text("bert")), "tokenizer.ggml.model bert is not supported", .unsupported)
        expectRefusal(with("pre", .text("tekken")), "tokenizer.ggml.pre tekken is not supported", .unsupported)
        expectRefusal(with("pre", .uint32(1)), "tokenizer.ggml.pre is an integer")
        expectRefusal(with("tokens", nil), "tokenizer.ggml.tokens is missing")
        expectRefusal(with("tokens", .array(.string([]))), "tokenizer.ggml.tokens is missing, empty")
        expectRefusal(
            with("tokens", .array(.string([[0xFF]] + tokens.dropFirst()))),
            "token 0 of tokenizer.ggml.tokens is not UTF-8"
        )
        expectRefusal(with("tokens", .array(.string(tokens.dropLast() + [tokens[40]]))), "tokens 40 and 319")
        expectRefusal(with("token_type", .array(.int32([1, 2]))), "2 numbers for 320 tokens")
        expectRefusal(
            with("token_type", .array(.int32([9] + [Int32](repeating: 1, count: 319)))),
            "token 0 has the unknown type 9"
        )
        expectRefusal(with("bos_token_id", .uint32(320)), "tokenizer.ggml.bos_token_id is 320")
        expectRefusal(with("eos_token_id", .int32(-2)), "tokenizer.ggml.eos_token_id is -2")
        expectRefusal(with("merges", .array(.string([Array("ab".utf8)]))), "merge 0")
        expectRefusal(with("merges", .array(.string([Array("a ".utf8)]))), "merge 0")
        expectRefusal(with("merges", .array(.string([Array("q zz".utf8)]))), "not in the vocabulary")
        expectRefusal(
            with("add_bos_token", .bool(true)).replacing("tokenizer.ggml.bos_token_id", nil),
            "which token that is"
        )
        expectRefusal(spm.replacing("tokenizer.ggml.scores", .array(.float32([1]))), "1 numbers")
        let flat = [Int32](repeating: 6, count: try #require(try spm.strings("tokenizer.ggml.tokens")).count)
        expectRefusal(spm.replacing("tokenizer.ggml.token_type", .array(.int32(flat))), "nothing to merge")
    }
}

private func expectRefusal(
    _ metadata: GGUFMetadata,
    _ cause: String,
    _ code: TokenizationError.Code = .malformed,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let error = #expect(throws: TokenizationError.self, sourceLocation: sourceLocation) {
        _ = try Tokenizer(gguf: metadata)
    }
    #expect(error?.message.contains(cause) == true, "\(error?.description ?? "")", sourceLocation: sourceLocation)
    #expect(error?.code == code, sourceLocation: sourceLocation)
    #expect(error?.place == metadata.place, sourceLocation: sourceLocation)
}

extension GGUFMetadata {
    /// The same with another value under a key, or none.
    func replacing(_ key: String, _ value: GGUFValue?) -> GGUFMetadata {
        var changed = pairs.filter { $0.key != key }
        if let value { changed.append((key, value)) }
        return GGUFMetadata(changed, place: place)
    }
}
