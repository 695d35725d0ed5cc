import Foundation
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

private struct PaddedGolden: Decodable {
    struct Batch: Decodable {
        let inputIds: [[Int32]]
        let attentionMask: [[Int32]]
        let newTokens: [[Int32]]
    }
    let batchLeftPadded: Batch
}

private func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(folder: try Golden.url("tok/\(name)"))
}

@Suite("Streams of text")
struct TextStreamTests {
    @Test("a batch of uneven prompts gives PyTorch's tokens", arguments: ["tiny-qwen2", "tiny-llama"])
    func paddedBatch(name: String) throws {
        let golden = try Golden.json("\(name).generate.json", as: PaddedGolden.self).batchLeftPadded
        let prompts = zip(golden.inputIds, golden.attentionMask).map { ids, mask in
            zip(ids, mask).filter { $1 == 1 }.map { $0.0 }
        }
        #expect(Set(prompts.map(\.count)).count > 1)
        let results = try Golden.model(name)
            .generate(prompts: prompts, parameters: GenerationParameters(maximumNewTokens: 32), batchSize: 3)
        #expect(results.map(\.tokens) == golden.newTokens)
    }

    @Test("tokens are told as they are drawn, in order, without the stop token; throwing ends the generation")
    func tokens() throws {
        struct Enough: Error {}
        let model = try Golden.model("tiny-qwen2")
        let prompts: [[TokenID]] = [[1, 2, 3], [40, 50], [7]]
        let free = try model.generate(prompts: prompts, parameters: GenerationParameters(maximumNewTokens: 9))
        let parameters = GenerationParameters(maximumNewTokens: 9, stopTokens: [free[1].tokens[4]])
        var told: [Int: [TokenID]] = [:]
        let results = try model.generate(
            prompts: prompts,
            parameters: parameters,
            batchSize: 2,
            onToken: { index, token in
                told[index, default: []].append(token)
            }
        )
        #expect(results[1].finishReason == .stop)
        for (index, result) in results.enumerated() { #expect(told[index, default: []] == result.tokens) }
        var count = 0
        #expect(throws: Enough.self) {
            try model.generate(
                prompts: [[1]],
                parameters: GenerationParameters(maximumNewTokens: 50),
                onToken: { _, _ in
                    count += 1
                    if count == 3 { throw Enough() }
                }
            )
        }
        #expect(count == 3)
    }

    @Test("pieces join to the text before the first stop string, and never hold half a character")
    func stopStrings() throws {
        let tokenizer = try tokenizer("qwen2-512")
        let text = "Ein Käse, 東京 🙂!\n\n#### 42\r\nrest"
        let ids = tokenizer.encode(text)
        for (stops, expected) in [
            ([], text), (["####"], "Ein Käse, 東京 🙂!\n\n"), (["\n\n###", "京"], "Ein Käse, 東"),
            (["\n\n"], "Ein Käse, 東京 🙂!"),
            (["\nrest"], "Ein Käse, 東京 🙂!\n\n#### 42\r"), (["####x", "42x", "zzz"], text), (["restx"], text),
            (["Ein"], ""), ([""], text),
        ] as [([String], String)] {
            var stream = TextStream(tokenizer, stopStrings: stops)
            var pieces: [String] = []
            for id in ids { pieces.append(stream.append(id)) }
            #expect(stream.isStopped == (expected != text))
            pieces.append(stream.finish())
            #expect(!pieces.contains { $0.unicodeScalars.contains("\u{FFFD}") })
            #expect(Array(pieces.joined().utf8) == Array(expected.utf8), "\(stops)")
        }
    }

    @Test("a continuation keeps the space before its first word")
    func continuation() throws {
        let tokenizer = try tokenizer("llama2-metaspace-4096")
        let ids = tokenizer.encodePrompt("The sum of them is here")
        let words = tokenizer.encodePrompt("The sum of")
        try #require(ids.starts(with: words))
        var stream = TextStream(tokenizer, continuing: words)
        let text = ids.dropFirst(words.count).map { stream.append($0) }.joined() + stream.finish()
        #expect(text == " them is here")
    }

    @Test(
        "streamed tokens are what decoding them at once gives, whatever they are",
        arguments: [
            "llama2-legacy-4096", "llama2-metaspace-4096", "llama3-4096", "qwen2-4096", "qwen2-512", "smollm2-2048",
        ]
    )
    func equalsDecoding(name: String) throws {
        let tokenizer = try tokenizer(name)
        var generator = SeededGenerator(seed: 7)
        // Bytes of characters that the vocabulary lacks, whole and broken, among others.
        let broken = tokenizer.encode("é🙂𝕏")
        for _ in 0..<2000 {
            let ids = (0..<Int(generator.next() % 12)).map { _ in
                generator.next() % 2 == 0
                    ? TokenID(generator.next() % UInt64(tokenizer.vocabularySize))
                    : broken[Int(generator.next() % UInt64(broken.count))]
            }
            var stream = TextStream(tokenizer)
            let text = ids.map { stream.append($0) }.joined() + stream.finish()
            #expect(Array(text.utf8) == Array(tokenizer.decode(ids).utf8), "\(ids)")
        }
    }

    @Test("a broken run of byte tokens is one replacement character a byte, its whole characters included")
    func brokenBytes() throws {
        for name in ["llama2-legacy-4096", "llama2-metaspace-4096"] {
            let tokenizer = try tokenizer(name)
            func byte(_ value: String) throws -> TokenID { try #require(tokenizer.tokenID("<0x\(value)>")) }
            for (bytes, expected) in [
                (["68"], "h"), (["68", "FF"], "\u{FFFD}\u{FFFD}"), (["F0", "9F", "99", "82"], "🙂"),
                (["F0", "9F", "99", "82", "C3"], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"), (["C3"], "\u{FFFD}"),
            ] {
                let ids = try bytes.map(byte)
                var stream = TextStream(tokenizer)
                let text = ids.map { stream.append($0) }.joined() + stream.finish()
                #expect(Array(text.utf8) == Array(expected.utf8))
                #expect(Array(tokenizer.decode(ids).utf8) == Array(expected.utf8))
            }
            // What a prompt ends with is no part of its continuation.
            let word = Array(tokenizer.encode("xsum").suffix(1))
            let smile = try ["F0", "9F", "99", "82"].map(byte)
            var stream = TextStream(tokenizer, continuing: word + smile)
            #expect(word.map { stream.append($0) }.joined() + stream.finish() == tokenizer.decode(word))
            // Half a character is the continuation's to complete.
            stream = TextStream(tokenizer, continuing: word + Array(smile.prefix(2)))
            #expect(smile.suffix(2).map { stream.append($0) }.joined() + stream.finish() == "🙂")
        }
    }

    @Test("a stop string after a carriage return ends a generation")
    func byteStops() throws {
        let model = try Golden.model("tiny-qwen2")
        let result = try model.generate(
            prompts: [[1, 2]],
            parameters: GenerationParameters(maximumNewTokens: 6, stopStrings: ["\n"]),
            decode: { $0.count < 3 ? "" : "a\r\nb" }
        )[0]
        #expect(result.tokens.count == 3)
        #expect(result.finishReason == .stop)
    }
}
