/// The keys and values of a GGUF file, read in the types that a reader wants.
///
/// An integer may be stored in any of the format's widths; a value of another kind is an error that names the key.
public struct GGUFMetadata: Sendable {
    /// The pairs in the file's order.
    public let pairs: [(key: String, value: GGUFValue)]
    /// The file, for messages.
    public let place: String
    private let indexByKey: [String: Int]

    /// Metadata from pairs; of a key that is repeated the first counts, and ``GGUFFile`` refuses such files.
    public init(_ pairs: [(key: String, value: GGUFValue)], place: String) {
        self.pairs = pairs
        self.place = place
        indexByKey = Dictionary(pairs.enumerated().map { ($1.key, $0) }) { first, _ in first }
    }

    /// The value of a key, or nil.
    public subscript(key: String) -> GGUFValue? { indexByKey[key].map { pairs[$0].value } }

    /// A fault of this metadata.
    package func malformed(_ message: String) -> ModelFileError {
        ModelFileError(.malformed, place: place, message)
    }

    /// Something that Errata does not do.
    package func unsupported(_ message: String) -> ModelFileError {
        ModelFileError(.unsupported, place: place, message)
    }

    private func value<T>(_ key: String, _ kind: String, _ read: (GGUFValue) -> T?) throws -> T? {
        guard let value = self[key] else { return nil }
        guard let result = read(value) else { throw malformed("\(key) is \(value.kind), not \(kind)") }
        return result
    }

    /// An integer of any width; nil where the key is absent.
    public func integer(_ key: String) throws -> Int? { try value(key, "an integer that fits", \.integer) }

    /// A finite number; nil where the key is absent.
    ///
    /// A single-precision value becomes the double with the same shortest decimal form: 1e-5 is written 1e-05, and not
    /// 9.999999747378752e-06.
    public func double(_ key: String) throws -> Double? { try value(key, "a finite number", \.double) }

    /// A boolean; nil where the key is absent.
    public func bool(_ key: String) throws -> Bool? {
        try value(key, "a boolean") { value in
            if case .bool(let value) = value { return value }
            return nil
        }
    }

    /// A text; nil where the key is absent.
    public func string(_ key: String) throws -> String? {
        try value(key, "a string in UTF-8") { value in
            if case .string(let bytes) = value { return String(validating: bytes, as: UTF8.self) }
            return nil
        }
    }

    /// Texts as bytes; nil where the key is absent.
    public func strings(_ key: String) throws -> [[UInt8]]? {
        try value(key, "an array of strings") { value in
            guard case .array(let array) = value else { return nil }
            if case .string(let values) = array { return values }
            return array.count == 0 ? [] : nil
        }
    }

    /// Integers of any width; nil where the key is absent.
    public func integers(_ key: String) throws -> [Int]? {
        try value(key, "an array of integers that fit") { value in
            if case .array(let array) = value { return array.integers }
            return nil
        }
    }

    /// Numbers, rounded to single precision where they are stored in double; nil where the key is absent.
    public func floats(_ key: String) throws -> [Float]? {
        try value(key, "an array of numbers") { value in
            if case .array(let array) = value { return array.floats }
            return nil
        }
    }

    /// An integer that must be there.
    public func requiredInteger(_ key: String) throws -> Int {
        guard let value = try integer(key) else { throw malformed("\(key) is missing") }
        return value
    }
}

extension GGUFValue {
    fileprivate var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(exactly: value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(exactly: value)
        case .float32, .float64, .bool, .string, .array: nil
        }
    }

    fileprivate var double: Double? {
        let result: Double?
        switch self {
        case .float32(let value): result = Double(value.description)
        case .float64(let value): result = value
        default: result = integer.map { Double($0) }
        }
        return result.flatMap { $0.isFinite ? $0 : nil }
    }
}

extension GGUFArray {
    fileprivate var integers: [Int]? {
        func narrowed<T: BinaryInteger>(_ values: [T]) -> [Int]? {
            let result = values.compactMap { Int(exactly: $0) }
            return result.count == values.count ? result : nil
        }
        return switch self {
        case .uint8(let values): narrowed(values)
        case .int8(let values): narrowed(values)
        case .uint16(let values): narrowed(values)
        case .int16(let values): narrowed(values)
        case .uint32(let values): narrowed(values)
        case .int32(let values): narrowed(values)
        case .uint64(let values): narrowed(values)
        case .int64(let values): narrowed(values)
        case .float32, .float64, .bool, .string, .array: count == 0 ? [] : nil
        }
    }

    fileprivate var floats: [Float]? {
        switch self {
        case .float32(let values): values
        case .float64(let values): values.map { Float($0) }
        default: integers?.map { Float($0) }
        }
    }
}
