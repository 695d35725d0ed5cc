import DataSupport
import Foundation
import Testing

@testable import ModelFiles

@Suite("Model files of anyone", .timeLimit(.minutes(5)))
struct ReaderFuzzTests {
    private static let texts = [
        #"{"a": [1, -2.5e-3, true, false, null, "x\n\u00e9\ud83d\ude00"], "b": {"c": {}, "d": []}}"#,
        #"{"model": {"type": "BPE", "vocab": {"\u00e0": 0, "a\u0300": 1, "\u0000": 2}, "merges": [["a", "b"], "c d"]}}"#,
        #"[[[[[[0]]]]], "\\\"\/\b\f\r\t", 1E+2, -0]"#, "\u{FEFF}  7 ",
    ].map { [UInt8]($0.utf8) }

    @Test("mutated JSON is refused, or read as what is read of it when it is written again")
    func documents() throws {
        var mutator = ByteMutator(seed: 1, words: ["\"k\":", ",", "\\u", "e", "-", "0"])
        let rounds = ByteMutator.rounds(6_000)
        var read = 0
        for _ in 0..<rounds {
            let bytes = mutator.mutant(of: Self.texts)
            let node: JSONNode
            do throws(JSONSyntaxError) {
                node = try JSONNode.parse(bytes)
            } catch {
                #expect((0...bytes.count).contains(error.offset) && !error.message.isEmpty)
                continue
            }
            read += 1
            let again = try JSONNode.parse(Self.written(node))
            #expect(again == node)
            _ = (node.integer, node.double, node.string, node["a"], node.kind)
            var canonical: [UInt8] = []
            node.appendCanonical(to: &canonical)
            #expect(!canonical.isEmpty)
        }
        #expect(read > 100 && read < rounds)
    }

    /// The node as JSON.
    private static func written(_ node: JSONNode) -> [UInt8] {
        var bytes: [UInt8] = []
        func list(_ opening: Character, _ closing: Character, _ count: Int, _ write: (Int) -> Void) {
            bytes += String(opening).utf8
            for index in 0..<count {
                if index > 0 { bytes += ",".utf8 }
                write(index)
            }
            bytes += String(closing).utf8
        }
        switch node {
        case .array(let values): list("[", "]", values.count) { bytes += written(values[$0]) }
        case .object(let members):
            list("{", "}", members.count) { index in
                JSONNode.appendQuoted(members[index].key, to: &bytes)
                bytes += ":".utf8
                bytes += written(members[index].value)
            }
        default: node.appendCanonical(to: &bytes)
        }
        return bytes
    }

    @Test("JSON of more values than the limit is refused as soon as it is passed")
    func values() throws {
        func parse(_ text: String, limit: Int) throws {
            try Array(text.utf8).withUnsafeBufferPointer { bytes in
                var parser = JSONParser(bytes: bytes, maximumValues: limit)
                _ = try parser.document()
            }
        }
        try parse("[0, [], {\"a\": 1}]", limit: 5)
        let error = #expect(throws: JSONSyntaxError.self) { try parse("[0, [], {\"a\": 1}, 2]", limit: 5) }
        #expect(error?.message.contains("more values") == true && error?.offset == 17)
    }

    private static let header =
        #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#
        + #""b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"c":{"dtype":"F16","shape":[0,7],"data_offsets":[22,22]}}"#

    /// A safetensors file of a header.
    private static func file(_ header: [UInt8], declared: UInt64? = nil, data: Int = 22) -> [UInt8] {
        let length = (declared ?? UInt64(header.count)).littleEndian
        return withUnsafeBytes(of: length) { Array($0) } + header + [UInt8](repeating: 0x3F, count: data)
    }

    @Test("mutated safetensors headers are refused, or claim nothing that lies outside the file")
    func safetensors() throws {
        let sample = [UInt8](Self.header.utf8)
        func entries(_ bytes: [UInt8]) throws -> [SafetensorsFile.Entry] {
            try bytes.withUnsafeBytes { try SafetensorsHeader(bytes: $0, place: "fuzz").entries }
        }
        #expect(try entries(Self.file(sample)).count == 3)
        var mutator = ByteMutator(
            seed: 2,
            words: [
                "\"shape\":[]", "\"data_offsets\":[0,0]", "\"dtype\":\"F64\"", "\"a\":{", "[9223372036854775807,0,2]",
            ]
        )
        let rounds = ByteMutator.rounds(6_000)
        var refused = 0
        for round in 0..<rounds {
            let header = mutator.mutant(of: [sample])
            // Most with the length that they have: a length that is wrong hides all other faults.
            let bytes = round % 8 == 0 ? mutator.mutant(of: [Self.file(header)]) : Self.file(header)
            do {
                for entry in try entries(bytes) {
                    #expect(entry.byteRange.upperBound <= bytes.count)
                    let count = entry.shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
                    #expect(count == entry.elementCount)
                }
            } catch is ModelFileError {
                refused += 1
            }
        }
        #expect(refused > rounds / 4 && refused < rounds)
    }

    @Test("a length of a header that no file has is refused", arguments: [UInt64.max, 1 << 63, 100_000_001, 1 << 32])
    func lengths(declared: UInt64) {
        let bytes = Self.file([UInt8](Self.header.utf8), declared: declared)
        #expect(throws: ModelFileError.self) {
            _ = try bytes.withUnsafeBytes { try SafetensorsHeader(bytes: $0, place: "fuzz") }
        }
    }
}
