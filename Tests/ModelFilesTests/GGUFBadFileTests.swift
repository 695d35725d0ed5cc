import DataSupport
import Foundation
import Testing

@testable import ModelFiles

/// The bytes of a GGUF file put together by hand, so that each claim can be false.
private struct FileBytes {
    var bytes: [UInt8] = []

    init(version: UInt32 = 3, tensors: UInt64 = 0, pairs: UInt64 = 0) {
        bytes += Array("GGUF".utf8)
        add(version)
        add(tensors)
        add(pairs)
    }

    mutating func add<T: FixedWidthInteger>(_ value: T) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    mutating func pair(_ key: String, type: UInt32, _ value: (inout FileBytes) -> Void) {
        add(key)
        add(type)
        value(&self)
    }

    mutating func tensor(_ name: String, shape: [UInt64] = [32], type: UInt32 = 0, offset: UInt64 = 0) {
        add(name)
        add(UInt32(shape.count))
        for extent in shape { add(extent) }
        add(type)
        add(offset)
    }

    /// Pads to the alignment and adds data.
    mutating func data(_ count: Int, alignment: Int = 32) {
        while bytes.count % alignment != 0 { bytes.append(0) }
        bytes += [UInt8](repeating: 0, count: count)
    }
}

private func expectRefusal(
    _ file: FileBytes,
    _ cause: String,
    _ code: ModelFileError.Code = .malformed,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    try withTemporaryFile { url in
        try Data(file.bytes).write(to: url)
        let error = #expect(throws: ModelFileError.self, sourceLocation: sourceLocation) { _ = try GGUFFile(url: url) }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.place == url.path, sourceLocation: sourceLocation)
        #expect(error?.message.contains(cause) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }
}

@Suite("Bad GGUF files")
struct GGUFBadFileTests {
    @Test("another magic number, version or byte order is refused by name")
    func versions() throws {
        var file = FileBytes()
        file.bytes[0] = UInt8(ascii: "X")
        try expectRefusal(file, "no GGUF file")
        try expectRefusal(FileBytes(version: 1), "version 1", .unsupported)
        try expectRefusal(FileBytes(version: 4), "version 4", .unsupported)
        try expectRefusal(FileBytes(version: 3 << 24), "big-endian", .unsupported)
    }

    @Test("version 2, whose layout is the same, is read")
    func version2() throws {
        try withTemporaryFile { url in
            var data = try Data(contentsOf: GGUFGoldens.url("written.gguf"))
            data[4] = 2
            try data.write(to: url)
            #expect(try GGUFFile(url: url).version == 2)
            #expect(try GGUFFile(url: url).floats("vector").count == 7)
        }
    }

    @Test("a file cut off at any byte before the end of its data is refused")
    func truncation() throws {
        let whole = try [UInt8](Data(contentsOf: GGUFGoldens.url("written.gguf")))
        let end = try GGUFFile(url: GGUFGoldens.url("written.gguf")).entries.map(\.byteRange.upperBound).max() ?? 0
        func header(_ length: Int) throws -> GGUFHeader {
            try whole[..<length].withUnsafeBytes { try GGUFHeader(bytes: $0, place: "cut") }
        }
        for length in 0..<end {
            let error = #expect(throws: ModelFileError.self) { _ = try header(length) }
            guard let error else { return }
            #expect(error.code == .malformed && error.message.count > 10, "\(length): \(error)")
        }
        #expect(try header(end).entries.count == 5)
    }

    @Test("counts and lengths that the file cannot hold cost no memory and are refused")
    func counts() throws {
        for count in [UInt64(1), 1000, 1 << 32, 1 << 62, .max] {
            try expectRefusal(FileBytes(tensors: count), "declares \(count) tensors")
            try expectRefusal(FileBytes(pairs: count), "\(count) metadata keys")
        }
        for length in [UInt64(200), 1 << 40, .max] {
            var file = FileBytes(pairs: 1)
            file.add(length)
            file.data(64)
            try expectRefusal(file, "length of metadata key 0 is \(length)")
            file = FileBytes(pairs: 1)
            file.pair("key", type: 8) { $0.add(length) }
            file.data(64)
            try expectRefusal(file, "length of key key is \(length)")
            file = FileBytes(pairs: 1)
            file.pair("key", type: 9) {
                $0.add(UInt32(8))
                $0.add(length)
            }
            file.data(64)
            try expectRefusal(file, "elements of key key is \(length)")
        }
    }

    @Test("unknown value types, odd booleans, deep arrays, and bad or repeated keys are refused by the key")
    func pairs() throws {
        func file(_ type: UInt32, key: String = "key", _ value: (inout FileBytes) -> Void) -> FileBytes {
            var file = FileBytes(pairs: 1)
            file.pair(key, type: type, value)
            file.data(64)
            return file
        }
        try expectRefusal(file(13) { $0.add(UInt64(0)) }, "key has the unknown value type 13")
        try expectRefusal(file(7) { $0.add(UInt8(2)) }, "boolean of value 2")
        try expectRefusal(
            file(9) {
                $0.add(UInt32(77))
                $0.add(UInt64(0))
            },
            "unknown value type 77"
        )
        try expectRefusal(file(8, key: "") { $0.add("x") }, "metadata key 0 is empty")
        try expectRefusal(
            file(9) { file in
                for _ in 0..<6 {
                    file.add(UInt32(9))
                    file.add(UInt64(1))
                }
            },
            "deeper than 4 levels"
        )
        var broken = file(8, key: "ab") { $0.add("x") }
        broken.bytes[32] = 0xFF
        try expectRefusal(broken, "not UTF-8")
        var repeated = FileBytes(pairs: 2)
        for _ in 0..<2 { repeated.pair("key", type: 7) { $0.add(UInt8(1)) } }
        repeated.data(64)
        try expectRefusal(repeated, "key key twice")
        var long = FileBytes(pairs: 1)
        long.pair(String(repeating: "k", count: 65_536), type: 7) { $0.add(UInt8(1)) }
        try expectRefusal(long, "limit of 65535")
    }

    @Test("an alignment that is no power of two is refused, another than 32 is used")
    func alignment() throws {
        func file(_ alignment: UInt32, offset: UInt64 = 0, dataAlignment: Int = 32) -> FileBytes {
            var file = FileBytes(tensors: 1, pairs: 1)
            file.pair("general.alignment", type: 4) { $0.add(alignment) }
            file.tensor("x", offset: offset)
            file.data(256, alignment: dataAlignment)
            return file
        }
        for alignment in [UInt32(0), 24, 1 << 21, .max] {
            try expectRefusal(file(alignment), "general.alignment is \(alignment)")
        }
        var file8 = file(8, offset: 8, dataAlignment: 8)
        let start = file8.bytes.count - 256
        file8.bytes.replaceSubrange(start + 8..<start + 12, with: [0, 0, 0x80, 0x3F])
        try withTemporaryFile { url in
            try Data(file8.bytes).write(to: url)
            #expect(try GGUFFile(url: url).floats("x")[0] == 1)
        }
    }

    @Test("tensors that overlap, are misaligned, lie outside the file, or have absurd shapes are refused by name")
    func tensors() throws {
        func file(data: Int = 256, _ tensors: [(inout FileBytes) -> Void]) -> FileBytes {
            var file = FileBytes(tensors: UInt64(tensors.count))
            for tensor in tensors { tensor(&file) }
            file.data(data)
            return file
        }
        try expectRefusal(file([{ $0.tensor("a") }, { $0.tensor("a", offset: 128) }]), "tensor a twice")
        try expectRefusal(file([{ $0.tensor("a", offset: 96) }, { $0.tensor("b") }]), "tensor a overlaps tensor b")
        try expectRefusal(file([{ $0.tensor("a", offset: 4) }]), "no multiple of the alignment")
        try expectRefusal(file([{ $0.tensor("a", offset: 160) }]), "truncated or its header lies")
        try expectRefusal(file([{ $0.tensor("a", offset: UInt64.max - 31) }]), "truncated or its header lies")
        try expectRefusal(file(data: 127, [{ $0.tensor("a") }]), "tensor a has 128 bytes")
        try expectRefusal(file([{ $0.tensor("a", shape: []) }]), "tensor a has 0 dimensions")
        try expectRefusal(file([{ $0.tensor("a", shape: [1, 1, 1, 1, 1]) }]), "5 dimensions")
        try expectRefusal(file([{ $0.tensor("a", shape: [0]) }]), "dimension of 0")
        try expectRefusal(file([{ $0.tensor("a", shape: [UInt64.max]) }]), "dimension of")
        try expectRefusal(file([{ $0.tensor("a", shape: [1 << 40, 1 << 40]) }]), "too large")
        try expectRefusal(file([{ $0.tensor("a", shape: [1 << 61, 2]) }]), "too large")
        try expectRefusal(file([{ $0.tensor("a", shape: [33], type: 2) }]), "rows of 33")
        try expectRefusal(file([{ $0.tensor("a", shape: [128, 2], type: 12) }]), "rows of 128")
        try expectRefusal(file([{ $0.tensor("a", type: 20) }]), "type IQ4_NL; F32, F16, Q4_0", .unsupported)
        try expectRefusal(file([{ $0.tensor("a", type: 999) }]), "unknown type 999", .unsupported)
        try expectRefusal(file([{ $0.tensor("", shape: [32]) }]), "name of tensor 0 is empty")
    }

    @Test("reading into room of another size and a tensor that is not there are errors")
    func reading() throws {
        let file = try GGUFFile(url: GGUFGoldens.url("written.gguf"))
        #expect(throws: ModelFileError.self) { _ = try file.floats("absent") }
        var room = [Float](repeating: 0, count: 6)
        #expect(throws: ModelFileError.self) {
            try room.withUnsafeMutableBufferPointer { try file.read("vector", into: $0) }
        }
    }

    @Test("20,000 mutated headers are read or refused, and never crash")
    func fuzz() throws {
        let original = try [UInt8](Data(contentsOf: GGUFGoldens.url("written.gguf")))
        let headerEnd = try GGUFFile(url: GGUFGoldens.url("written.gguf")).entries[0].byteRange.lowerBound
        var generator = Xorshift(state: 0x9E37_79B9_7F4A_7C15)
        var refused = 0
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let position = Int.random(in: 0..<headerEnd, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: bytes[position] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
                case 2:
                    bytes.removeSubrange(
                        position..<min(bytes.count, position + Int.random(in: 1...9, using: &generator))
                    )
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: position)
                }
            }
            do {
                // What is read is read to the end: entries must lie inside the bytes.
                let header = try bytes.withUnsafeBytes { try GGUFHeader(bytes: $0, place: "fuzz") }
                for entry in header.entries {
                    #expect(entry.byteRange.upperBound <= bytes.count)
                    bytes.withUnsafeBytes { raw in
                        var values = [Float](repeating: 0, count: entry.elementCount)
                        values.withUnsafeMutableBufferPointer {
                            entry.elementType.dequantize(
                                UnsafeRawBufferPointer(rebasing: raw[entry.byteRange]),
                                into: $0
                            )
                        }
                    }
                }
            } catch is ModelFileError {
                refused += 1
            }
        }
        #expect(refused > 10_000 && refused < 20_000)
    }
}

private struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
