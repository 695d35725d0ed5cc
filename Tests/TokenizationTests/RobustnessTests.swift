import DataSupport
import Foundation
import ModelFiles
import Testing

@testable import Tokenization

/// A copy of a JSON value with a few faults at random places, the deep ones as likely as the shallow ones.
private struct JSONMutator {
    var generator: SplitMix64

    mutating func mutate(_ node: JSONNode) -> JSONNode {
        if Int.random(in: 0..<5, using: &generator) > 0 {
            switch node {
            case .object(var members) where !members.isEmpty:
                let index = Int.random(in: 0..<members.count, using: &generator)
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: members.remove(at: index)
                case 1: members.append((members[index].key, mutate(members[index].value)))
                case 2: members[index].key = members[Int.random(in: 0..<members.count, using: &generator)].key
                default: members[index].value = mutate(members[index].value)
                }
                return .object(members)
            case .array(var values) where !values.isEmpty:
                let index = Int.random(in: 0..<values.count, using: &generator)
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: values.remove(at: index)
                case 1: values.insert(values[index], at: 0)
                case 2: values.swapAt(index, values.count - 1)
                default: values[index] = mutate(values[index])
                }
                return .array(values)
            default: break
            }
        }
        return fault(node)
    }

    private mutating func fault(_ node: JSONNode) -> JSONNode {
        if case .string(let text) = node, Bool.random(using: &generator) {
            return .string(text + text.reversed().filter { $0 < 0x80 })
        }
        if case .number(let text) = node, Bool.random(using: &generator) {
            return .number(text + [UInt8.random(in: 0x30...0x39, using: &generator)])
        }
        let faults: [JSONNode] = [
            .null, .bool(true), .bool(false), .string([]), .string([0x61]), .array([]), .object([]), .array([node]),
            .object([(Array("type".utf8), node)]), .number(Array("-1".utf8)), .number(Array("0".utf8)),
            .number(Array("3999999".utf8)), .number(Array("9223372036854775807".utf8)),
            .number(Array("1e400".utf8)), .string(Array("<0xFF>".utf8)), .string(Array("\u{2581}".utf8)),
        ]
        return faults[Int.random(in: 0..<faults.count, using: &generator)]
    }
}

private func write(_ node: JSONNode, to output: inout [UInt8]) {
    switch node {
    case .null: output += "null".utf8
    case .bool(let value): output += (value ? "true" : "false").utf8
    case .number(let text): output += text
    case .string(let text): JSONNode.appendQuoted(text, to: &output)
    case .array(let values):
        output += "[".utf8
        for (index, value) in values.enumerated() {
            if index > 0 { output += ",".utf8 }
            write(value, to: &output)
        }
        output += "]".utf8
    case .object(let members):
        output += "{".utf8
        for (index, member) in members.enumerated() {
            if index > 0 { output += ",".utf8 }
            JSONNode.appendQuoted(member.key, to: &output)
            output += ":".utf8
            write(member.value, to: &output)
        }
        output += "}".utf8
    }
}

/// Text of every kind of character, likely and unlikely.
private func randomText(_ generator: inout SplitMix64) -> String {
    let ranges: [ClosedRange<UInt32>] = [
        0x20...0x7E, 0x20...0x7E, 0x30...0x39, 0x09...0x0D, 0x00...0x1F, 0x80...0x24F, 0x300...0x36F, 0x370...0x5FF,
        0x600...0x6FF, 0x900...0xDFF, 0x1100...0x11FF, 0x2000...0x206F, 0x2150...0x218F, 0x3040...0x30FF,
        0x4E00...0x4FFF, 0xAC00...0xADFF, 0xE000...0xE00F, 0xFE00...0xFFFF, 0x1F300...0x1FAFF, 0xE0000...0xE007F,
        0x10FFF0...0x10FFFF,
    ]
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...24, using: &generator) {
        let range = ranges[Int.random(in: 0..<ranges.count, using: &generator)]
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &generator)) { text.append(scalar) }
        }
    }
    return String(text)
}

/// What a tokenizer that was read must do with any text, however odd the file was.
private func check(_ tokenizer: Tokenizer, _ text: String) {
    let ids = tokenizer.encode(text, addSpecialTokens: true)
    let areKnown = ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize }
    #expect(areKnown)
    let bounds = 0...text.utf8.count
    let areInside = tokenizer.encodeWithOffsets(text).allSatisfy {
        bounds.contains($0.range.lowerBound) && bounds.contains($0.range.upperBound)
    }
    #expect(areInside, "\(text.debugDescription)")
    _ = tokenizer.decode(ids + [-1, .max])
    var decoder = StreamingDecoder(tokenizer)
    for id in ids { _ = decoder.append(id) }
    _ = decoder.finish()
    _ = tokenizer.encodePlain(text)
}

@Suite("Robustness of the tokenizer")
struct RobustnessTests {
    @Test("a real file with faults is read or refused with its place, never worse", arguments: Golden.names)
    func faults(name: String) throws {
        let file = try Data(contentsOf: Golden.url("\(name)/tokenizer.json"))
        let root = try JSONNode.parse(file)
        var mutator = JSONMutator(generator: SplitMix64(state: 11))
        var texts = SplitMix64(state: 12)
        var (read, refused) = (0, 0)
        let deadline = ContinuousClock.now + .seconds(2)
        // The first hundred are always tried; more only where the machine is quick.
        for round in 0..<2000 where round < 100 || ContinuousClock.now < deadline {
            var node = root
            for _ in 0...Int.random(in: 0...2, using: &mutator.generator) { node = mutator.mutate(node) }
            var bytes: [UInt8] = []
            write(node, to: &bytes)
            if round % 4 == 0 {
                let position = Int.random(in: 0..<bytes.count, using: &mutator.generator)
                bytes[position] = UInt8.random(in: 0...255, using: &mutator.generator)
            }
            do {
                let tokenizer = try Tokenizer(json: Data(bytes))
                read += 1
                check(tokenizer, randomText(&texts) + "<s>Tom's 12 apples</s>")
            } catch let error as TokenizationError {
                refused += 1
                #expect(!error.message.isEmpty && error.place == "tokenizer.json")
            }
        }
        #expect(read > 10 && refused > 10, "\(read) read, \(refused) refused")
    }

    @Test(
        "byte-level tokenizers give any text back",
        arguments: [("llama3-4096", false), ("qwen2-512", true), ("smollm2-2048", false)]
    )
    func roundTrip(name: String, isComposed: Bool) throws {
        let tokenizer = try Golden.load(name).tokenizer
        var generator = SplitMix64(state: 5)
        for _ in 0..<2000 {
            let text = randomText(&generator)
            let expected = isComposed ? String(decoding: composed(text), as: UTF8.self) : text
            for ids in [tokenizer.encode(text), tokenizer.encodePlain(text)] {
                #expect(
                    sameBytes(tokenizer.decode(ids, skipSpecialTokens: false), expected),
                    "\(text.debugDescription)"
                )
            }
            check(tokenizer, text)
        }
    }

    @Test("nesting, sizes and broken bytes beyond all bounds are refused with their cause")
    func absurd() throws {
        func refuse(_ json: [UInt8], _ cause: String) {
            let error = #expect(throws: TokenizationError.self) { try Tokenizer(json: Data(json)) }
            #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
        }
        let model = #""model": {"vocab": {"a": 0}, "merges": []}"#
        var deep = #"{"type": "Sequence", "normalizers": ["#
        for _ in 0..<200 { deep += #"{"type": "Sequence", "normalizers": ["# }
        refuse(Array("{\"normalizer\": \(deep)".utf8), "nested deeper than 64 levels")
        refuse(Array(#"{"model": {"vocab": {"a": 4000001}, "merges": []}}"#.utf8), "0...4000000")
        refuse(
            Array("{\(model), \"added_tokens\": [{\"id\": 4000001, \"content\": \"b\"}]}".utf8),
            "0...4000000"
        )
        refuse(
            Array(#"{"model": {"vocab": {""#.utf8) + [0xC0, 0x80] + Array(#"": 0}, "merges": []}}"#.utf8),
            "not valid"
        )
        refuse(Array(#"{"model": {"vocab": {""#.utf8) + [0xED, 0xA0, 0x80] + Array(#"": 0}}}"#.utf8), "not valid")
        refuse(
            Array(
                "{\(model), \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                    .appending("[{\"SpecialToken\": {\"id\": \"x\"}}], \"special_tokens\": {\"x\": {\"ids\": [7]}}}}")
                    .utf8
            ),
            "no ids in the vocabulary"
        )
        refuse(
            Array(#"{"model": {"vocab": {"a": 0, "b": 1, "ab": 2, "aba": 3}, "merges": ["a b", "ab a", "a b"]}}"#.utf8),
            "merge 2 repeats merge 0"
        )
    }

    @Test("SmolLM's pre-tokenizer: every digit alone, then GPT-2's words")
    func smolLM() throws {
        let spellings = ByteAlphabet.spellings.map { String(decoding: $0, as: UTF8.self) }
        let more = ["12", "Ġ1", "Ġa", "ab", "'s", "Ġab"]
        let vocabulary = (spellings + more).enumerated().map { "\(JSONNode.quoted($1)): \($0)" }.joined(separator: ",")
        let json = """
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
               {"type": "Digits", "individual_digits": true},
               {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "vocab": {\(vocabulary)},
               "merges": ["1 2", "Ġ 1", "Ġ a", "a b", "' s", "Ġa b"]}}
            """
        let tokenizer = try Tokenizer(json: Data(json.utf8))
        func tokens(_ text: String) -> [String] { tokenizer.encode(text).compactMap { tokenizer.token($0) } }
        #expect(tokens("12 12") == ["1", "2", "Ġ", "1", "2"])
        #expect(tokens("x1 ab's  ab") == ["x", "1", "Ġab", "'s", "Ġ", "Ġab"])
        #expect(tokens("ab١ab").first == "ab" && tokens("ab١ab").last == "ab")
        #expect(tokenizer.decode(tokenizer.encode("x1 ab's  12")) == "x1 ab's  12")
    }
}
