import DataSupport
import Foundation
import Testing

@testable import Tokenization

/// The goldens of the `tokenizers` library: see `Tests/Goldens/README.md`.
enum Golden {
    static let names = [
        "qwen2-512", "qwen2-4096", "llama3-4096", "llama2-legacy-4096", "llama2-metaspace-4096", "smollm2-2048",
    ]

    static func url(_ path: String) throws -> URL { try TestData.golden("tok/\(path)") }

    struct Item {
        let text: String
        let ids: [TokenID]
        let idsSpecial: [TokenID]
        let decoded: String
        let decodedSkipSpecial: String
    }

    struct Strings {
        let vocabSize: Int
        let items: [Item]
    }

    /// What the file of a tokenizer holds: one entry a text, without what is the same as what stands before it.
    private struct Stored: Decodable {
        struct Item: Decodable {
            let ids: [TokenID]
            let idsSpecial: [TokenID]?
            let decoded: String?
            let decodedSkipSpecial: String?
        }
        let vocabSize: Int
        let items: [Item]
    }

    static func load(_ name: String) throws -> (tokenizer: Tokenizer, strings: Strings) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let texts = try decoder.decode([String].self, from: Data(contentsOf: url("strings.json")))
        let stored = try decoder.decode(Stored.self, from: Data(contentsOf: url("\(name).ids.json")))
        try #require(texts.count == stored.items.count)
        let items = zip(texts, stored.items).map { text, item in
            let decoded = item.decoded ?? text
            return Item(
                text: text,
                ids: item.ids,
                idsSpecial: item.idsSpecial ?? item.ids,
                decoded: decoded,
                decodedSkipSpecial: item.decodedSkipSpecial ?? decoded
            )
        }
        return (try Tokenizer(folder: url(name)), Strings(vocabSize: stored.vocabSize, items: items))
    }
}

func sameBytes(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

@Test("a continuation has the tokens that it has in the whole text", arguments: Golden.names)
func continuations(name: String) throws {
    let (tokenizer, _) = try Golden.load(name)
    let special = name.hasPrefix("llama2") ? "</s>" : name.hasPrefix("llama3") ? "<|eot_id|>" : "<|im_end|>"
    // The prompts end where no token reaches over: what is put before a text's beginning is all that could differ.
    for prompt in ["What is 2 + 3?\n", "Über\n\n", "x\(special)", ""] {
        for text in ["Answer: the sum is 5.", "5", " five", "\(special)The", "é", ""] {
            let ids = tokenizer.encodePrompt(prompt)
            let whole = ids + tokenizer.encode(text, continuing: ids)
            #expect(whole == tokenizer.encodePrompt(prompt + text), "\([prompt, text])")
        }
    }
}

@Test("ids and texts are those of the reference library", arguments: Golden.names)
func goldenStrings(name: String) throws {
    let (tokenizer, strings) = try Golden.load(name)
    #expect(tokenizer.vocabularySize == strings.vocabSize)
    #expect(strings.items.count == 360)
    for item in strings.items {
        #expect(tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
        let special = tokenizer.encode(item.text, addSpecialTokens: true)
        #expect(special == item.idsSpecial, "\(item.text.debugDescription)")
        let decoded = tokenizer.decode(item.ids, skipSpecialTokens: false)
        #expect(sameBytes(decoded, item.decoded), "\(item.text.debugDescription)")
        #expect(sameBytes(tokenizer.decode(item.ids), item.decodedSkipSpecial), "\(item.text.debugDescription)")
    }
}

@Test("streamed pieces join to the whole text and are never half a character", arguments: Golden.names)
func streamedGoldens(name: String) throws {
    let (tokenizer, strings) = try Golden.load(name)
    for item in strings.items {
        let ids = tokenizer.encode(item.text, addSpecialTokens: true)
        var decoder = StreamingDecoder(tokenizer)
        var text = ""
        for id in ids {
            let piece = decoder.append(id)
            if !item.text.unicodeScalars.contains("\u{FFFD}") {
                #expect(!piece.unicodeScalars.contains("\u{FFFD}"), "\(item.text.debugDescription)")
            }
            text.unicodeScalars.append(contentsOf: piece.unicodeScalars)
        }
        text.unicodeScalars.append(contentsOf: decoder.finish().unicodeScalars)
        #expect(sameBytes(text, tokenizer.decode(ids)), "\(item.text.debugDescription)")
    }
}

@Test("offsets have the same ids, grow, and stay inside the text", arguments: Golden.names)
func goldenOffsets(name: String) throws {
    let (tokenizer, strings) = try Golden.load(name)
    for item in strings.items {
        let tokens = tokenizer.encodeWithOffsets(item.text)
        #expect(tokens.map(\.id) == item.ids)
        var position = 0
        for token in tokens {
            #expect(token.range.lowerBound >= 0 && token.range.upperBound <= item.text.utf8.count)
            #expect(token.range.upperBound >= position)
            position = token.range.upperBound
        }
        if let last = tokens.last, item.text.utf8.allSatisfy({ $0 < 0x80 }) {
            #expect(last.range.upperBound == item.text.utf8.count)
        }
    }
}
