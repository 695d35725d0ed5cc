public import Foundation

/// Writes GGUF files of version 3: metadata and tensors are streamed to a temporary file that is renamed into place.
public enum GGUFWriter {
    /// One tensor to write.
    ///
    /// Its values are asked for when their turn comes, so nothing is copied up front.
    public struct Item {
        /// The tensor's name.
        public let name: String
        /// Its dimensions, outermost first.
        public let shape: [Int]
        /// What to store: F32, F16, BF16 or Q8_0.
        public let elementType: GGUFElementType
        let withValues: ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void

        /// A tensor whose values `withValues` lends to the closure that it is given.
        public init(
            name: String,
            shape: [Int],
            elementType: GGUFElementType = .float32,
            withValues: @escaping ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
        ) {
            self.name = name
            self.shape = shape
            self.elementType = elementType
            self.withValues = withValues
        }

        /// A tensor from an array.
        public init(name: String, shape: [Int], values: [Float], elementType: GGUFElementType = .float32) {
            self.init(name: name, shape: shape, elementType: elementType) { body in
                try values.withUnsafeBufferPointer(body)
            }
        }
    }

    /// Where the data and each tensor begin: at multiples of so many bytes, the format's default.
    private static let alignment = GGUFHeader.defaultAlignment

    /// Writes `metadata` and `items`, in the order given, to `url`; an existing file is replaced only by a whole one.
    ///
    /// Rounding is llama.cpp's: F16 and BF16 to nearest, ties to even; Q8_0 with a scale of max|x| / 127 a block, ties
    /// away from zero.
    /// - Throws: `ModelFileError` for a key or name that is empty, too long or used twice, a type or shape that cannot be
    ///   written, a count that differs from the shape, a finite value that is too large for its type, one that is not
    ///   finite where Q8_0 is asked for, or a file system error.
    public static func write(
        _ items: [Item],
        metadata: [(key: String, value: GGUFValue)],
        to url: URL
    ) throws {
        let head = try head(items, metadata, place: url.path)
        var file = try AtomicFile(url: url)
        try head.withUnsafeBytes { try file.append($0) }
        for item in items {
            try item.withValues { values in
                guard values.count == item.elementCount else {
                    throw ModelFileError(
                        .malformed,
                        place: url.path,
                        "tensor \(item.name) has \(values.count) values, but shape \(item.shape) needs "
                            + "\(item.elementCount)"
                    )
                }
                try append(values, of: item, place: url.path, to: &file)
            }
            let padding = [UInt8](repeating: 0, count: padding(item.byteCount))
            try padding.withUnsafeBytes { try file.append($0) }
        }
        try file.finish()
    }

    private static func append(
        _ values: UnsafeBufferPointer<Float>,
        of item: Item,
        place: String,
        to file: inout AtomicFile
    ) throws {
        switch item.elementType {
        case .float16, .bfloat16:
            try file.append(
                values,
                tensor: item.name,
                place: place,
                type: item.elementType.name,
                bits: item.elementType == .float16 ? FloatConversion.float16Bits : FloatConversion.bfloat16Bits
            )
        case .q80: try appendQ80(values, tensor: item.name, place: place, to: &file)
        default: try file.append(UnsafeRawBufferPointer(values))
        }
    }

    private static func appendQ80(
        _ values: UnsafeBufferPointer<Float>,
        tensor: String,
        place: String,
        to file: inout AtomicFile
    ) throws {
        let (size, type) = (GGUFElementType.q80.blockSize, GGUFElementType.q80.name)
        var chunk: [UInt8] = []
        for start in stride(from: 0, to: values.count, by: size) {
            let block = values[start..<start + size]
            var largest: Float = 0
            for value in block {
                guard value.isFinite else {
                    throw ModelFileError(
                        .malformed,
                        place: place,
                        "tensor \(tensor) has the value \(value), which \(type) cannot hold"
                    )
                }
                largest = max(largest, value.magnitude)
            }
            let scale = largest / 127
            let bits = FloatConversion.float16Bits(scale)
            guard bits & 0x7FFF != 0x7C00 else {
                throw NarrowNumbers.overflow(largest, tensor: tensor, place: place, type: type)
            }
            // Where the inverse is infinite, the scale has become zero in half precision, and so have the values.
            let inverse = scale == 0 || !(1 / scale).isFinite ? 0 : 1 / scale
            chunk.append(UInt8(truncatingIfNeeded: bits))
            chunk.append(UInt8(truncatingIfNeeded: bits >> 8))
            for value in block {
                chunk.append(UInt8(bitPattern: Int8(clamping: Int((value * inverse).rounded()))))
            }
            if chunk.count >= 1 << 16 {
                try chunk.withUnsafeBytes { try file.append($0) }
                chunk.removeAll(keepingCapacity: true)
            }
        }
        try chunk.withUnsafeBytes { try file.append($0) }
    }

    private static func padding(_ count: Int) -> Int { (alignment - count % alignment) % alignment }

    /// Everything before the data, padding included.
    private static func head(
        _ items: [Item],
        _ metadata: [(key: String, value: GGUFValue)],
        place: String
    ) throws -> [UInt8] {
        func failure(_ code: ModelFileError.Code, _ message: String) -> ModelFileError {
            ModelFileError(code, place: place, message)
        }
        var bytes = GGUFHeader.magic
        bytes.append(little: UInt32(3))
        bytes.append(little: UInt64(items.count))
        bytes.append(little: UInt64(metadata.count))
        func check(_ name: String, _ seen: inout Set<String>) throws {
            guard (1...GGUFHeader.maximumNameLength).contains(name.utf8.count), seen.insert(name).inserted else {
                throw failure(.malformed, "the name \(name.prefix(80)) is empty, too long or used twice")
            }
        }
        var keys: Set<String> = [GGUFHeader.alignmentKey]
        for (key, value) in metadata {
            try check(key, &keys)
            bytes.append(text: Array(key.utf8))
            bytes.append(little: value.type.rawValue)
            bytes.append(value)
        }
        var names: Set<String> = []
        var offset = 0
        for item in items {
            try check(item.name, &names)
            guard [.float32, .float16, .bfloat16, .q80].contains(item.elementType),
                (1...GGUFHeader.maximumDimensions).contains(item.shape.count), item.shape.allSatisfy({ $0 > 0 }),
                let columns = item.shape.last, columns.isMultiple(of: item.elementType.blockSize)
            else {
                throw failure(
                    .unsupported,
                    "tensor \(item.name) cannot be written as \(item.elementType.name) of shape \(item.shape)"
                )
            }
            bytes.append(text: Array(item.name.utf8))
            bytes.append(little: UInt32(item.shape.count))
            for extent in item.shape.reversed() { bytes.append(little: UInt64(extent)) }
            bytes.append(little: item.elementType.rawValue)
            bytes.append(little: UInt64(offset))
            offset += item.byteCount + padding(item.byteCount)
        }
        bytes += [UInt8](repeating: 0, count: padding(bytes.count))
        return bytes
    }
}

extension GGUFWriter.Item {
    fileprivate var elementCount: Int { shape.reduce(1, *) }

    fileprivate var byteCount: Int { elementCount / elementType.blockSize * elementType.blockByteCount }
}

extension [UInt8] {
    fileprivate mutating func append<T: FixedWidthInteger>(little value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(text: [UInt8]) {
        append(little: UInt64(text.count))
        append(contentsOf: text)
    }

    fileprivate mutating func append(_ value: GGUFValue) {
        switch value {
        case .uint8(let value): append(little: value)
        case .int8(let value): append(little: value)
        case .uint16(let value): append(little: value)
        case .int16(let value): append(little: value)
        case .uint32(let value): append(little: value)
        case .int32(let value): append(little: value)
        case .uint64(let value): append(little: value)
        case .int64(let value): append(little: value)
        case .float32(let value): append(little: value.bitPattern)
        case .float64(let value): append(little: value.bitPattern)
        case .bool(let value): append(value ? 1 : 0)
        case .string(let text): append(text: text)
        case .array(let array): append(array)
        }
    }

    fileprivate mutating func append(_ array: GGUFArray) {
        append(little: array.elementType.rawValue)
        append(little: UInt64(array.count))
        switch array {
        case .uint8(let values): append(contentsOf: values)
        case .int8(let values): for value in values { append(little: value) }
        case .uint16(let values): for value in values { append(little: value) }
        case .int16(let values): for value in values { append(little: value) }
        case .uint32(let values): for value in values { append(little: value) }
        case .int32(let values): for value in values { append(little: value) }
        case .uint64(let values): for value in values { append(little: value) }
        case .int64(let values): for value in values { append(little: value) }
        case .float32(let values): for value in values { append(little: value.bitPattern) }
        case .float64(let values): for value in values { append(little: value.bitPattern) }
        case .bool(let values): for value in values { append(value ? 1 : 0) }
        case .string(let values): for value in values { append(text: value) }
        case .array(let values): for value in values { append(value) }
        }
    }
}
