public import Foundation

/// Writes safetensors files: header and data are streamed to a temporary file that is renamed into place.
public enum SafetensorsWriter {
    /// One tensor to write.
    ///
    /// Its values are asked for when their turn comes, so nothing is copied up front.
    public struct Item {
        /// The tensor's name.
        public let name: String
        /// Its dimensions, outermost first.
        public let shape: [Int]
        /// What to store; float32, bfloat16 or float16.
        public let elementType: SafetensorsFile.ElementType
        let withValues: ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void

        /// A tensor whose values `withValues` lends to the closure that it is given.
        public init(
            name: String,
            shape: [Int],
            elementType: SafetensorsFile.ElementType = .float32,
            withValues: @escaping ((UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
        ) {
            self.name = name
            self.shape = shape
            self.elementType = elementType
            self.withValues = withValues
        }

        /// A tensor from an array.
        public init(
            name: String,
            shape: [Int],
            values: [Float],
            elementType: SafetensorsFile.ElementType = .float32
        ) {
            self.init(name: name, shape: shape, elementType: elementType) { body in
                try values.withUnsafeBufferPointer(body)
            }
        }
    }

    /// Writes `items`, in the order of their names, to `url`; an existing file is replaced only by a whole one.
    ///
    /// - Throws: `ModelFileError` for a name used twice, an element type that cannot be written, a count that differs
    ///   from the shape, a finite value that is too large for its type, or a file system error.
    public static func write(_ items: [Item], metadata: [String: String] = ["format": "pt"], to url: URL) throws {
        let ordered = items.sorted { $0.name < $1.name }
        let header = try header(ordered, metadata: metadata, place: url.path)
        var file = try AtomicFile(url: url)
        try header.withUnsafeBytes { try file.append($0) }
        for item in ordered {
            try item.withValuesChecked(place: url.path) { values in
                try append(values, of: item, place: url.path, to: &file)
            }
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
        case .bfloat16, .float16:
            try file.append(
                values,
                tensor: item.name,
                place: place,
                type: item.elementType.rawValue,
                bits: item.elementType == .bfloat16 ? FloatConversion.bfloat16Bits : FloatConversion.float16Bits
            )
        default: try file.append(UnsafeRawBufferPointer(values))
        }
    }

    private static func header(_ items: [Item], metadata: [String: String], place: String) throws -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "{")]
        if !metadata.isEmpty {
            let members = metadata.sorted { $0.key < $1.key }
                .map { "\(JSONNode.quoted($0.key)):\(JSONNode.quoted($0.value))" }
            text += Array("\"__metadata__\":{\(members.joined(separator: ","))}".utf8)
        }
        var offset = 0
        var previous: String?
        for item in items {
            guard item.name != previous, item.name != "__metadata__" else {
                throw ModelFileError(.malformed, place: place, "tensor name \(item.name) is used twice or reserved")
            }
            previous = item.name
            guard [.float32, .bfloat16, .float16].contains(item.elementType), item.shape.allSatisfy({ $0 >= 0 }) else {
                throw ModelFileError(
                    .unsupported,
                    place: place,
                    "tensor \(item.name) cannot be written as \(item.elementType.rawValue) of shape \(item.shape)"
                )
            }
            let end = offset + item.elementCount * item.elementType.byteCount
            let separator = text.count > 1 ? "," : ""
            let shape = item.shape.map(String.init).joined(separator: ",")
            text += Array(
                """
                \(separator)\(JSONNode.quoted(item.name)):{"dtype":"\(item.elementType.rawValue)",\
                "shape":[\(shape)],"data_offsets":[\(offset),\(end)]}
                """.utf8
            )
            offset = end
        }
        text.append(UInt8(ascii: "}"))
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }
}

extension SafetensorsWriter.Item {
    fileprivate var elementCount: Int { shape.reduce(1, *) }

    fileprivate func withValuesChecked(
        place: String,
        _ body: (UnsafeBufferPointer<Float>) throws -> Void
    ) throws {
        try withValues { values in
            guard values.count == elementCount else {
                throw ModelFileError(
                    .malformed,
                    place: place,
                    "tensor \(name) has \(values.count) values, but shape \(shape) needs \(elementCount)"
                )
            }
            try body(values)
        }
    }
}
