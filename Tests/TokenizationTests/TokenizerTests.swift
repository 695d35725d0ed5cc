import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import Tokenization

private let corpus = [
    "Tom has 12 apples and buys 30 more apples. How many apples does Tom have?",
    "Anna's bakery sells 48 rolls; they've sold 19. I'll count: 48 - 19 = 29 rolls.",
    "Ça va? Ἑλλάς, 東京, नमस्ते, 🙂👩‍👩‍👧‍👦 \n\n  indented\t tabs \r\n end   ",
]

private let awkward =
    corpus + [
        "", " ", "\n", "   \n  x", "I'M you'RE it'ſ o'clock", "a\u{300}b \u{C0}", "१२३ ⅷ ²", "\u{85}\u{A0}\u{3000}x",
        "<|endoftext|>mid<|endoftext|>", "\u{0}\u{7F}\u{FFFD}",
    ]

private func trained(_ pattern: PreTokenizerPattern = .qwen2, size: Int = 320) throws -> Tokenizer {
    try BytePairTrainer(preTokenizer: pattern).train(corpus, vocabularySize: size)
}

@Test("a trained tokenizer gives back any text", arguments: PreTokenizerPattern.allCases)
func roundTrip(pattern: PreTokenizerPattern) throws {
    let tokenizer = try trained(pattern)
    for text in awkward {
        let decoded = tokenizer.decode(tokenizer.encode(text), skipSpecialTokens: false)
        #expect(sameBytes(decoded, text.precomposedStringWithCanonicalMapping))
    }
}

@Test("training is deterministic, keeps digits apart and knows its special tokens")
func training() throws {
    let first = try trained()
    let second = try trained()
    #expect(first.fingerprint == second.fingerprint)
    #expect(try trained(size: 265).fingerprint != first.fingerprint)
    #expect(first.vocabularySize <= 320)
    #expect(first.vocabularySize > 270)
    #expect(first.encode("12345").count == 5)
    let end = try #require(first.tokenID("<|endoftext|>"))
    #expect(Int(end) == first.vocabularySize - 1)
    #expect(first.eosTokenID == end && first.padTokenID == end && first.bosTokenID == nil)
    #expect(first.encode("a<|endoftext|>") == first.encode("a") + [end])
    #expect(first.encode(" apples").count == 1)
}

@Test("added tokens are whole, kept by decoding and no material for merges")
func addedTokens() throws {
    let tags = ["<Step1>", "</Step1>", "<Key>"]
    let texts = Array(repeating: "<Step1>Tom has 12.</Step1>\n<Key>Ça", count: 20)
    let tokenizer = try BytePairTrainer().train(texts, vocabularySize: 300, addedTokens: tags)
    for tag in tags {
        let id = try #require(tokenizer.tokenID(tag))
        #expect(tokenizer.encode(tag) == [id])
        #expect(!tokenizer.isSpecial(id))
    }
    let text = "x<Step1>Tom has 12.</Step1>\n<Key>Ça<Key2>"
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    #expect(tokenizer.tokenID("Step") == nil && tokenizer.tokenID("St") == nil)
    #expect(tokenizer.vocabularySize <= 300)
    #expect(tokenizer.eosTokenID == tokenizer.tokenID("<|endoftext|>"))
    #expect(try BytePairTrainer().train(texts, vocabularySize: 300).fingerprint != tokenizer.fingerprint)
    for bad in [["<Key>", "<Key>"], ["<|endoftext|>"], ["x"]] {
        #expect(throws: TokenizationError.self) {
            try BytePairTrainer().train(texts, vocabularySize: 300, addedTokens: bad)
        }
    }
    #expect(throws: TokenizationError.self) {
        try BytePairTrainer(eosToken: "<Key>").train(texts, vocabularySize: 300, addedTokens: ["<Key>"])
    }
}

@Test("a saved tokenizer loads again with the same fingerprint and ids")
func saving() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let tokenizer = try trained()
    try tokenizer.save(to: folder)
    let loaded = try Tokenizer(folder: folder)
    #expect(loaded.fingerprint == tokenizer.fingerprint)
    #expect(loaded.eosTokenID == tokenizer.eosTokenID)
    for text in awkward { #expect(loaded.encode(text) == tokenizer.encode(text)) }
}

@Test("a vocabulary without room for the bytes, or a repeated special token, is refused")
func badTraining() {
    #expect(throws: TokenizationError.self) {
        try BytePairTrainer().train(corpus, vocabularySize: 256)
    }
    #expect(throws: TokenizationError.self) {
        try BytePairTrainer().train(corpus, vocabularySize: 300, specialTokens: ["<s>", "<s>"])
    }
    #expect(throws: TokenizationError.self) {
        try BytePairTrainer(eosToken: "<end>").train(corpus, vocabularySize: 300)
    }
}

@Test("offsets cut the text into the tokens' own bytes")
func offsets() throws {
    let tokenizer = try trained()
    let text = corpus[2]
    let bytes = Array(text.utf8)
    let tokens = tokenizer.encodeWithOffsets(text)
    #expect(tokens.flatMap { Array(bytes[$0.range]) } == bytes)
    let special = tokenizer.encodeWithOffsets("ab<|endoftext|>c")
    #expect(special.contains { $0.range == 2..<15 && $0.id == tokenizer.eosTokenID })
}

@Test("text that normalisation shortens keeps the ranges of its characters")
func normalisedOffsets() throws {
    let tokens = try trained().encodeWithOffsets("xa\u{300}y")
    #expect(tokens.first?.range == 0..<1)
    #expect(tokens.last?.range.upperBound == 5)
    #expect(tokens.dropFirst().dropLast().allSatisfy { $0.range == 1..<4 })
}

@Test("long and short words merge alike, and long ones in bounded time")
func longWords() throws {
    let tokenizer = try BytePairTrainer().train(
        [String(repeating: "abcab", count: 50) + " abc ab cab"],
        vocabularySize: 300
    )
    let model = tokenizer.model.pairs
    for length in [2, 30, 31, 32, 33, 64, 257] {
        let word = (0..<length).map { UInt8(ascii: "a") + UInt8($0 * $0 % 3) }
        var scratch = MergeScratch()
        var ids: [TokenID] = []
        word.withUnsafeBufferPointer { model.encode($0, scratch: &scratch) { id, _ in ids.append(id) } }
        #expect(ids == naiveMerge(word, model))
    }
    let long = String(repeating: "abcab", count: 40_000)
    #expect(tokenizer.decode(tokenizer.encode(long)) == long)
}

private func naiveMerge(_ word: [UInt8], _ model: BytePairModel) -> [TokenID] {
    var ids = word.compactMap { model.vocabulary.id(ByteAlphabet.spellings[Int($0)]) }
    for merge in model.merges {
        var index = 0
        while index + 1 < ids.count {
            if ids[index] == merge.left, ids[index + 1] == merge.right {
                ids.replaceSubrange(index...index + 1, with: [merge.result])
            }
            index += 1
        }
    }
    return ids
}

@Test("canonically equivalent tokens stay apart")
func canonicalEquivalence() throws {
    let json =
        #"{"model": {"type": "BPE", "vocab": {"à": 0, "a\u0300": 1, "a": 2, "\u0300": 3}, "merges": [["a", "\u0300"]]}}"#
    let tokenizer = try Tokenizer(json: Data(json.utf8))
    #expect(tokenizer.encode("\u{E0}") == [0])
    #expect(tokenizer.encode("a\u{300}") == [1])
}

@Test(
    "a bad tokenizer is refused with its cause",
    arguments: [
        (#"{"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b", "a b"]}}"#, "repeats merge 0"),
        (#"{"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}"#, "needs the token ab"),
        (#"{"model": {"vocab": {"a": 0, "": 1}, "merges": [["a", ""]]}}"#, "cycle"),
        (#"{"model": {"vocab": {"a": 0, "a": 1}, "merges": []}}"#, "listed twice"),
        (#"{"model": {"vocab": {"a": 0, "b": 0}, "merges": []}}"#, "share the id 0"),
        (#"{"model": {"vocab": {"a": 99999999999}, "merges": []}}"#, "no integer"),
        (#"{"model": {"type": "WordPiece", "vocab": {}}}"#, "WordPiece"),
        (#"{"normalizer": {"type": "BertNormalizer"}}"#, "BertNormalizer"),
        (#"{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x+"}}}"#, "x+"),
        (
            #"{"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"id": 0, "content": "b"}]}"#,
            "shares the id"
        ),
        (#"{"model": {"vocab": {"a": 0}, "merges": [], "unk_token": "u"}}"#, "unk_token u"),
        ("[1]", "not a JSON object"),
        (#"{"model": "#, "not valid JSON"),
    ]
)
func badTokenizers(json: String, cause: String) throws {
    let error = #expect(throws: TokenizationError.self) { try Tokenizer(json: Data(json.utf8)) }
    #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
}

@Test("mutated tokenizers are read or refused, never worse")
func mutatedTokenizers() throws {
    let original = Array(try trained(size: 262).model.json)
    var generator = SplitMix64(state: 7)
    var refused = 0
    for _ in 0..<150 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let position = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: position)
            case 2: bytes.removeSubrange(position..<min(bytes.count, position + 40))
            default: bytes.insert(contentsOf: bytes[position..<min(bytes.count, position + 9)], at: position)
            }
        }
        do {
            let tokenizer = try Tokenizer(json: Data(bytes))
            _ = tokenizer.decode(tokenizer.encode(corpus[2]) + [-1, .max, 300])
        } catch is TokenizationError {
            refused += 1
        }
    }
    #expect(refused > 50)
}

@Test("the JSON reader is strict and bounded")
func jsonReader() throws {
    for text in ["", "01", "1.", "[1,]", "{\"a\" 1}", "\"\\ud800\"", "\"\u{1}\"", "nul", "1 2", "-", "\"\\x\""] {
        #expect(throws: JSONSyntaxError.self) { try JSONNode.parse(text.utf8) }
    }
    #expect(throws: JSONSyntaxError.self) { try JSONNode.parse(String(repeating: "[", count: 100_000).utf8) }
    #expect(throws: JSONSyntaxError.self) { try JSONNode.parse([0x22, 0xFF, 0x22]) }
    let node = try JSONNode.parse(#" {"a": [1, -2.5e1, "\ud83d\ude42\n", null, true]} "#.utf8)
    let values = try #require(node["a"]?.array)
    #expect(values[0].integer == 1 && values[1].double == -25 && values[2].string == "🙂\n")
    #expect(values[3].isNull && values[4].bool == true && values[1].integer == nil)
}
