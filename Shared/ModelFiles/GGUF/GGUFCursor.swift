/// Reads GGUF's numbers, texts and values one after the other; every count is held against the bytes that are left.
struct GGUFCursor {
    /// Arrays inside arrays inside arrays; files that people pass around have none at all.
    private static let maximumDepth = 4

    let bytes: UnsafeRawBufferPointer
    let place: String
    private(set) var position = 0

    init(bytes: UnsafeRawBufferPointer, place: String) {
        self.bytes = bytes
        self.place = place
    }

    var remaining: Int { bytes.count - position }

    func malformed(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: place, message) }

    private func truncated(_ what: String) -> ModelFileError {
        malformed("is truncated: \(what) goes beyond the end of the file at byte \(bytes.count)")
    }

    /// A little-endian integer.
    mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ what: @autoclosure () -> String) throws -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw truncated(what()) }
        defer { position += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    /// A count of things that take at least `size` bytes each.
    mutating func count(of size: Int, _ what: @autoclosure () -> String) throws -> Int {
        let declared = try integer(UInt64.self, what())
        guard declared <= UInt64(remaining / size) else {
            throw malformed("\(what()) is \(declared), more than the \(remaining) bytes that follow can hold")
        }
        return Int(declared)
    }

    /// A text: its length and its bytes.
    mutating func string(limit: Int = .max, _ what: @autoclosure () -> String) throws -> [UInt8] {
        let length = try count(of: 1, "the length of \(what())")
        guard length <= limit else { throw malformed("\(what()) has \(length) bytes, more than the limit of \(limit)") }
        defer { position += length }
        return Array(bytes[position..<position + length])
    }

    /// A name: a text in UTF-8 that is not empty.
    mutating func name(limit: Int, _ what: @autoclosure () -> String) throws -> String {
        let bytes = try string(limit: limit, what())
        guard !bytes.isEmpty, let name = String(validating: bytes, as: UTF8.self) else {
            throw malformed("\(what()) is \(bytes.isEmpty ? "empty" : "not UTF-8")")
        }
        return name
    }

    private mutating func valueType(_ what: @autoclosure () -> String) throws -> GGUFValueType {
        let number = try integer(UInt32.self, "the type of \(what())")
        guard let type = GGUFValueType(rawValue: number) else {
            throw malformed("\(what()) has the unknown value type \(number)")
        }
        return type
    }

    private mutating func bool(_ what: @autoclosure () -> String) throws -> Bool {
        let byte = try integer(UInt8.self, what())
        guard byte <= 1 else { throw malformed("\(what()) is a boolean of value \(byte), neither 0 nor 1") }
        return byte == 1
    }

    /// The value of `key`, its type first.
    mutating func value(_ key: String) throws -> GGUFValue {
        let what = "key \(key)"
        switch try valueType(what) {
        case .uint8: return .uint8(try integer(UInt8.self, what))
        case .int8: return .int8(try integer(Int8.self, what))
        case .uint16: return .uint16(try integer(UInt16.self, what))
        case .int16: return .int16(try integer(Int16.self, what))
        case .uint32: return .uint32(try integer(UInt32.self, what))
        case .int32: return .int32(try integer(Int32.self, what))
        case .uint64: return .uint64(try integer(UInt64.self, what))
        case .int64: return .int64(try integer(Int64.self, what))
        case .float32: return .float32(Float(bitPattern: try integer(UInt32.self, what)))
        case .float64: return .float64(Double(bitPattern: try integer(UInt64.self, what)))
        case .bool: return .bool(try bool(what))
        case .string: return .string(try string(what))
        case .array: return .array(try array(what, depth: 0))
        }
    }

    private mutating func array(_ what: String, depth: Int) throws -> GGUFArray {
        guard depth < Self.maximumDepth else {
            throw malformed("\(what) nests arrays deeper than \(Self.maximumDepth) levels")
        }
        let type = try valueType("the elements of \(what)")
        let count = try count(of: type.minimumByteCount, "the number of elements of \(what)")
        switch type {
        case .uint8: return .uint8(try numbers(count, what))
        case .int8: return .int8(try numbers(count, what))
        case .uint16: return .uint16(try numbers(count, what))
        case .int16: return .int16(try numbers(count, what))
        case .uint32: return .uint32(try numbers(count, what))
        case .int32: return .int32(try numbers(count, what))
        case .uint64: return .uint64(try numbers(count, what))
        case .int64: return .int64(try numbers(count, what))
        case .float32:
            let bits: [UInt32] = try numbers(count, what)
            return .float32(bits.map { Float(bitPattern: $0) })
        case .float64:
            let bits: [UInt64] = try numbers(count, what)
            return .float64(bits.map { Double(bitPattern: $0) })
        case .bool: return .bool(try (0..<count).map { try bool("element \($0) of \(what)") })
        case .string: return .string(try (0..<count).map { try string("element \($0) of \(what)") })
        case .array: return .array(try (0..<count).map { try array("element \($0) of \(what)", depth: depth + 1) })
        }
    }

    private mutating func numbers<T: FixedWidthInteger>(_ count: Int, _ what: String) throws -> [T] {
        try (0..<count).map { _ in try integer(T.self, what) }
    }
}
