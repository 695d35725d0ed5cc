import DataSupport
import Foundation
import Testing

@testable import ModelFiles

@Suite("Writing GGUF")
struct GGUFWriterTests {
    @Test("metadata and tensors are written to the bytes that gguf-py writes")
    func sameBytes() throws {
        let golden = GGUFGoldens.url("written.gguf")
        let file = try GGUFFile(url: golden)
        let vector = try file.floats("vector")
        let rows = try file.floats("F32")
        let items: [GGUFWriter.Item] = [
            .init(name: "vector", shape: [7], values: vector),
            .init(name: "F32", shape: [5, 64], values: rows),
            .init(name: "F16", shape: [5, 64], values: rows, elementType: .float16),
            .init(name: "BF16", shape: [5, 64], values: rows, elementType: .bfloat16),
            .init(name: "Q8_0", shape: [4, 64], values: Array(rows.prefix(256)), elementType: .q80),
        ]
        try withTemporaryFile { url in
            try GGUFWriter.write(items, metadata: file.metadata.pairs, to: url)
            #expect(try Data(contentsOf: url) == Data(contentsOf: golden))
        }
    }

    @Test("nested and empty arrays come back as they were written")
    func arrays() throws {
        let pairs: [(key: String, value: GGUFValue)] = [
            ("a", .array(.array([.string([[0x61], []]), .array([.uint8([1])]), .int32([])]))), ("b", .array(.bool([]))),
        ]
        try withTemporaryFile { url in
            try GGUFWriter.write([], metadata: pairs, to: url)
            let read = try GGUFFile(url: url).metadata.pairs
            #expect(read.map(\.key) == pairs.map(\.key))
            #expect(read.map(\.value) == pairs.map(\.value))
        }
    }

    @Test("blocks too small for a scale in half precision become zeros")
    func tinyBlocks() throws {
        var values = [Float](repeating: 0x1p-133, count: 32)
        values[3] = -0x1p-128
        try withTemporaryFile { url in
            try GGUFWriter.write(
                [.init(name: "x", shape: [1, 32], values: values, elementType: .q80)],
                metadata: [],
                to: url
            )
            #expect(try GGUFFile(url: url).floats("x").allSatisfy { $0 == 0 })
        }
    }

    @Test(
        "a finite value that would become infinite is refused by the tensor's name",
        arguments: [
            (GGUFElementType.float16, Float(65_520)), (.float16, -1e30), (.bfloat16, 3.4e38), (.q80, 1e7),
        ]
    )
    func overflow(type: GGUFElementType, value: Float) throws {
        var values = [Float](repeating: 1, count: 64)
        values[40] = value
        try withTemporaryFile { url in
            let error = #expect(throws: ModelFileError.self) {
                try GGUFWriter.write(
                    [.init(name: "big", shape: [64], values: values, elementType: type)],
                    metadata: [],
                    to: url
                )
            }
            #expect(error?.message.contains("tensor big") == true)
            #expect(error?.message.contains(type.name) == true)
            #expect(!FileManager.default.fileExists(atPath: url.path))
        }
    }

    @Test("an infinite value stays infinite in 16 bits, and Q8_0 refuses it")
    func infinity() throws {
        var values = [Float](repeating: 1, count: 32)
        values[0] = -.infinity
        try withTemporaryFile { url in
            try GGUFWriter.write(
                [.init(name: "x", shape: [32], values: values, elementType: .float16)],
                metadata: [],
                to: url
            )
            #expect(try GGUFFile(url: url).floats("x") == values)
            let error = #expect(throws: ModelFileError.self) {
                try GGUFWriter.write(
                    [.init(name: "x", shape: [32], values: values, elementType: .q80)],
                    metadata: [],
                    to: url
                )
            }
            #expect(error?.message.contains("tensor x") == true)
        }
    }

    @Test(
        "safetensors, too, refuse a finite value that would become infinite",
        arguments: [
            (SafetensorsFile.ElementType.float16, Float(70_000)), (.bfloat16, -3.4e38),
        ]
    )
    func safetensorsOverflow(type: SafetensorsFile.ElementType, value: Float) throws {
        try withTemporaryFile { url in
            let error = #expect(throws: ModelFileError.self) {
                try SafetensorsWriter.write(
                    [.init(name: "big", shape: [2], values: [1, value], elementType: type)],
                    to: url
                )
            }
            #expect(error?.message.contains("tensor big has the value") == true)
        }
    }

    @Test("names used twice, shapes that do not fit and types that cannot be written are refused")
    func refusals() throws {
        func expectRefusal(
            _ items: [GGUFWriter.Item],
            pairs: [(key: String, value: GGUFValue)] = [],
            _ cause: String
        ) throws {
            try withTemporaryFile { url in
                let error = #expect(throws: ModelFileError.self) {
                    try GGUFWriter.write(items, metadata: pairs, to: url)
                }
                #expect(error?.message.contains(cause) == true, "\(error?.message ?? "")")
            }
        }
        let item = GGUFWriter.Item(name: "x", shape: [2], values: [1, 2])
        try expectRefusal([item, item], "x")
        try expectRefusal([], pairs: [("k", .bool(true)), ("k", .bool(true))], "k")
        try expectRefusal([], pairs: [("general.alignment", .uint32(8))], "general.alignment")
        try expectRefusal([.init(name: "x", shape: [3], values: [1, 2])], "has 2 values")
        try expectRefusal([.init(name: "x", shape: [], values: [1])], "shape []")
        try expectRefusal(
            [.init(name: "x", shape: [2, 16], values: .init(repeating: 0, count: 32), elementType: .q80)],
            "Q8_0"
        )
        try expectRefusal(
            [.init(name: "x", shape: [32], values: .init(repeating: 0, count: 32), elementType: .q40)],
            "Q4_0"
        )
    }
}

/// Calls `body` with the place of a file that is not there yet and is gone afterwards.
func withTemporaryFile<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.appendingPathComponent("test.gguf"))
}
