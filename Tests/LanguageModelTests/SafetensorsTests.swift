import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import Testing

@testable import LanguageModel

private func file(header: String, data: [UInt8], declared: UInt64? = nil) -> Data {
    var bytes = withUnsafeBytes(of: (declared ?? UInt64(header.utf8.count)).littleEndian) { Data($0) }
    bytes += Data(header.utf8)
    bytes += Data(data)
    return bytes
}

private func open(_ data: Data) throws -> SafetensorsFile {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("x.safetensors")
        try data.write(to: url)
        return try SafetensorsFile(url: url)
    }
}

@Test("tensors written in each element type read back, rounded as the type demands")
func writeAndRead() throws {
    try withTemporaryFolder { folder in
        let values: [Float] = [0, -0.0, 1, -2.5, 3.14159, 1e-7, 65504, 65519, -.infinity, 6e-8]
        let url = folder.appendingPathComponent("model.safetensors")
        try SafetensorsWriter.write(
            [
                .init(name: "b", shape: [2, 5], values: values),
                .init(name: "a", shape: [10], values: values, elementType: .bfloat16),
                .init(name: "c", shape: [10], values: values, elementType: .float16),
                .init(name: "empty", shape: [0, 3], values: []),
                .init(name: "scalar", shape: [], values: [7]),
            ],
            to: url
        )
        let file = try SafetensorsFile(url: url)
        #expect(file.metadata == ["format": "pt"])
        #expect(file.entry("b")?.shape == [2, 5])
        #expect(try file.floats("b") == values)
        #expect(try file.floats("scalar") == [7])
        #expect(try file.floats("empty").isEmpty)
        for (value, half) in zip(values, try file.floats("c")) { #expect(half == Float(Float16(value))) }
        for (value, rounded) in zip(values, try file.floats("a")) {
            #expect(rounded == value || abs(rounded - value) <= abs(value) / 256)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.safetensors"])
    }
}

@Test("every half converts to the float of the same value and back")
func halves() {
    let bits = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: bits.count)
    bits.withUnsafeBytes { source in
        floats.withUnsafeMutableBufferPointer { FloatConversion.widenFloat16(source, into: $0) }
    }
    var wrong = 0
    for (bits, float) in zip(bits, floats) {
        let half = Float16(bitPattern: bits)
        if half.isNaN {
            wrong += float.isNaN ? 0 : 1
            continue
        }
        if float != Float(half) || FloatConversion.float16Bits(float) != bits { wrong += 1 }
    }
    #expect(wrong == 0)
    var generator = Xorshift(state: 3)
    for _ in 0..<20_000 {
        let value = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
        if value.isNaN { continue }
        if FloatConversion.float16Bits(value) != Float16(value).bitPattern { wrong += 1 }
    }
    #expect(wrong == 0)
}

@Test("bfloat16 rounds to nearest with ties to even")
func bfloat16Rounding() {
    func round(_ bits: UInt32) -> UInt16 { FloatConversion.bfloat16Bits(Float(bitPattern: bits)) }
    #expect(round(0x3F80_8000) == 0x3F80)
    #expect(round(0x3F81_8000) == 0x3F82)
    #expect(round(0x3F80_8001) == 0x3F81)
    #expect(round(0x7F80_0000) == 0x7F80)
    #expect(round(0x7F80_0001) & 0x7FFF > 0x7F80)
}

@Test("the goldens' shards hold the same weights as the single file")
func shards() throws {
    let single = try SafetensorsCheckpoint(folder: Golden.url("tiny-llama"))
    let sharded = try SafetensorsCheckpoint(folder: Golden.url("tiny-llama-sharded"))
    #expect(single.names == sharded.names)
    for name in single.names { #expect(try single.floats(name) == sharded.floats(name)) }
    let widened = try SafetensorsCheckpoint(folder: Golden.url("tiny-qwen2-bf16"))
    #expect(widened.entry(widened.names[0])?.elementType == .bfloat16)
    let values = try widened.floats(widened.names[0])
    #expect(values.allSatisfy { $0.isFinite })
}

@Test("an index that leaves the folder, or names a tensor that a shard lacks, is refused")
func badIndex() throws {
    for (map, cause) in [
        (#"{"w": "../model.safetensors"}"#, "no plain file name"), (#"{"w": "/etc/passwd"}"#, "no plain file name"),
        (#"{"w": "shard.safetensors"}"#, "does not hold it"), (#"{"w": 3}"#, "no file name"),
    ] {
        try withTemporaryFolder { folder in
            try SafetensorsWriter.write(
                [.init(name: "v", shape: [1], values: [1])],
                to: folder.appendingPathComponent("shard.safetensors")
            )
            try Data(#"{"weight_map": \#(map)}"#.utf8)
                .write(to: folder.appendingPathComponent("model.safetensors.index.json"))
            let error = #expect(throws: ModelFileError.self) { try SafetensorsCheckpoint(folder: folder) }
            #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
        }
    }
}

@Test(
    "a header that lies is refused with the cause",
    arguments: [
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "needs 8"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "truncated"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "data_offsets"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "data_offsets"),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "dimension"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "too large"),
        (#"{"a":{"dtype":"F9","shape":[1],"data_offsets":[0,4]}}"#, 4, "F9"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "belong to none"),
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
            6, "overlaps"
        ),
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}}"#,
            10, "gap"
        ),
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8, "twice"
        ),
        ("[]", 0, "not an object"), ("{", 0, "not valid JSON"),
    ]
)
func lyingHeaders(header: String, count: Int, cause: String) throws {
    let data = file(header: header, data: [UInt8](repeating: 0, count: count))
    let error = #expect(throws: ModelFileError.self) { try open(data) }
    #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
}

@Test("absurd header sizes, short and absent files are refused")
func sizes() {
    #expect(throws: ModelFileError.self) { try open(file(header: "{}", data: [], declared: .max)) }
    #expect(throws: ModelFileError.self) { try open(file(header: "{}", data: [], declared: 3)) }
    #expect(throws: ModelFileError.self) { try open(Data()) }
    #expect(throws: ModelFileError.self) { try open(Data([1, 2, 3])) }
    #expect(throws: ModelFileError.self) { try SafetensorsFile(url: URL(fileURLWithPath: "/nonexistent/x")) }
    #expect(throws: ModelFileError.self) { try SafetensorsFile(url: FileManager.default.temporaryDirectory) }
}

@Test("mutated files are read or refused, never worse")
func mutatedFiles() throws {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("x.safetensors")
        try SafetensorsWriter.write(
            [.init(name: "a", shape: [2, 2], values: [1, 2, 3, 4]), .init(name: "b", shape: [1], values: [5])],
            to: url
        )
        let original = try Array(Data(contentsOf: url))
        var generator = Xorshift(state: 99)
        var refused = 0
        for _ in 0..<1500 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0..<20, using: &generator)) }
            try Data(bytes).write(to: url)
            do {
                let file = try SafetensorsFile(url: url)
                for entry in file.entries { _ = try? file.floats(entry.name) }
            } catch is ModelFileError {
                refused += 1
            }
        }
        #expect(refused > 500)
    }
}

@Test("a name used twice or values that do not fill the shape are not written, and leave no file")
func badWrites() throws {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("x.safetensors")
        let item = SafetensorsWriter.Item(name: "a", shape: [1], values: [1])
        #expect(throws: ModelFileError.self) { try SafetensorsWriter.write([item, item], to: url) }
        #expect(throws: ModelFileError.self) {
            try SafetensorsWriter.write([.init(name: "a", shape: [2], values: [1])], to: url)
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left.isEmpty)
    }
}
