import Foundation
import Reasoning
import Testing
import Tokenization

@testable import Distillation

@Suite("A student's start token")
struct StudentCodecTests {
    /// The codec of a trained tokenizer that names a start token, with a post-processor that puts it or without one.
    private func codec(putsStart: Bool, configuration more: String = "") throws -> StudentCodec {
        let folder = FileManager.default.temporaryDirectory.appending(path: "codec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let trained = try BytePairTrainer(eosToken: "<|endoftext|>")
            .train(["Q: 1 + 1?"], vocabularySize: 257 + 1, addedTokens: ["<|im_start|>"])
        try trained.save(to: folder)
        let file = folder.appending(path: "tokenizer.json")
        var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let start = try #require(trained.tokenID("<|im_start|>"))
        if putsStart {
            json["post_processor"] = [
                "type": "TemplateProcessing",
                "single": [
                    ["SpecialToken": ["id": "<|im_start|>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]],
                ],
                "special_tokens": [
                    "<|im_start|>": ["id": "<|im_start|>", "ids": [Int(start)], "tokens": ["<|im_start|>"]]
                ],
            ]
        }
        try JSONSerialization.data(withJSONObject: json).write(to: file)
        try Data(#"{"bos_token": "<|im_start|>", "eos_token": "<|endoftext|>"\#(more)}"#.utf8)
            .write(to: folder.appending(path: "tokenizer_config.json"))
        return try StudentCodec(try Tokenizer(folder: folder))
    }

    @Test(
        "a start token that the files only name is not put before a prompt",
        arguments: ["", #", "add_bos_token": true"#, #", "add_bos_token": false"#]
    )
    func named(configuration: String) throws {
        let codec = try codec(putsStart: false, configuration: configuration)
        let start = try #require(codec.tokenizer.bosTokenID)
        #expect(codec.tokenizer.startTokens.isEmpty)
        #expect(try !codec.prompt(.chainOfThought, question: "1 + 1?").contains(start))
        #expect(try !codec.correctionPrompt(question: "1 + 1?", attempt: ["2"]).contains(start))
    }

    @Test("a start token that the tokenizer puts stands before a prompt, once")
    func put() throws {
        let codec = try codec(putsStart: true)
        let start = try #require(codec.tokenizer.bosTokenID)
        #expect(codec.tokenizer.startTokens == [start])
        for prompt in [
            try codec.prompt(.chainOfThought, question: "1 + 1?"),
            try codec.correctionPrompt(question: "1 + 1?", attempt: ["2"]),
        ] {
            #expect(prompt.first == start)
            #expect(prompt.filter { $0 == start }.count == 1)
        }
        #expect(!codec.response("2").contains(start))
    }
}
