import DataSupport
import Foundation
import Testing

@testable import ModelFiles

@Suite("GGUF element types")
struct GGUFTypeTests {
    private static let names = [
        "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
        "Q4_0.quantized", "Q4_1.quantized", "Q5_0.quantized", "Q5_1.quantized", "Q8_0.quantized",
    ]

    @Test("every type is dequantised to the bits that gguf-py gives", arguments: names)
    func bits(name: String) throws {
        let file = try GGUFFile(url: GGUFGoldens.url("types.gguf"))
        let entry = try #require(file.entry(name))
        #expect(entry.elementType.name == name.split(separator: ".")[0])
        #expect(entry.shape == file.entry("\(name).floats")?.shape)
        let expected = try file.floats("\(name).floats")
        let values = try file.floats(name)
        #expect(values.map(\.bitPattern) == expected.map(\.bitPattern))
        #expect(Set(values).count > 8)
    }

    @Test("all types that can be read are among the goldens")
    func coverage() throws {
        let file = try GGUFFile(url: GGUFGoldens.url("types.gguf"))
        #expect(Set(file.entries.map(\.elementType)) == Set(GGUFElementType.allCases))
    }

    @Test("metadata of every type is read, integers in whatever width is wanted")
    func metadata() throws {
        let metadata = try GGUFFile(url: GGUFGoldens.url("types.gguf")).metadata
        #expect(try metadata.string("general.architecture") == "test")
        #expect(try metadata.integer("test.uint8") == 200)
        #expect(try metadata.integer("test.int8") == -100)
        #expect(try metadata.integer("test.uint16") == 60_000)
        #expect(try metadata.integer("test.int16") == -30_000)
        #expect(try metadata.integer("test.uint32") == 4_000_000_000)
        #expect(try metadata.integer("test.int32") == -2_000_000_000)
        #expect(metadata["test.uint64"] == .uint64(1 << 63 + 5))
        #expect(try metadata.integer("test.int64") == -(1 << 62))
        #expect(try metadata.double("test.float32") == 1e-5)
        #expect(try metadata.double("test.float64") == 0.1)
        #expect(try metadata.double("test.uint8") == 200)
        #expect(try metadata.bool("test.bool") == true)
        #expect(try metadata.string("test.string") == "naïve 🦊")
        #expect(try metadata.string("test.absent") == nil)
        #expect(metadata["test.array.uint64"] == .array(.uint64([0, .max])))
        #expect(try metadata.integers("test.array.int64") == [.min, .max])
        #expect(try metadata.integers("test.array.uint8") == [0, 255])
        #expect(try metadata.floats("test.array.float32") == [0.5, -1.25])
        #expect(metadata["test.array.float64"] == .array(.float64([0.1, -1e300])))
        #expect(metadata["test.array.bool"] == .array(.bool([true, false])))
        #expect(try metadata.strings("test.array.string") == ["", "a", "é"].map { Array($0.utf8) })
    }

    @Test("a value of another kind, or one that does not fit, is refused by the name of its key")
    func kinds() throws {
        let metadata = try GGUFFile(url: GGUFGoldens.url("types.gguf")).metadata
        func expectRefusal<T>(_ key: String, _ read: (String) throws -> T) {
            let error = #expect(throws: ModelFileError.self) { _ = try read(key) }
            #expect(error?.message.contains(key) == true)
        }
        expectRefusal("test.string", metadata.integer)
        expectRefusal("test.float32", metadata.integer)
        expectRefusal("test.uint64", metadata.integer)
        expectRefusal("test.bool", metadata.double)
        expectRefusal("test.int8", metadata.bool)
        expectRefusal("test.int8", metadata.string)
        expectRefusal("test.array.int8", metadata.strings)
        expectRefusal("test.array.uint64", metadata.integers)
        expectRefusal("test.array.string", metadata.floats)
        expectRefusal("test.absent", metadata.requiredInteger)
    }
}
