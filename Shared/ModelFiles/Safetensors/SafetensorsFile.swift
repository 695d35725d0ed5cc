public import Foundation

/// One safetensors file, mapped into memory, with every claim of its header checked before any tensor is touched.
public final class SafetensorsFile: Sendable {
    /// Element types of the format, by their names in the header.
    public enum ElementType: String, Sendable, CaseIterable {
        /// IEEE single precision.
        case float32 = "F32"
        /// The upper half of a single.
        case bfloat16 = "BF16"
        /// IEEE half precision.
        case float16 = "F16"
        /// IEEE double precision; readable as bytes only.
        case float64 = "F64"
        /// Signed 64-bit integers; readable as bytes only.
        case int64 = "I64"
        /// Signed 32-bit integers; readable as bytes only.
        case int32 = "I32"
        /// Signed 16-bit integers; readable as bytes only.
        case int16 = "I16"
        /// Signed bytes; readable as bytes only.
        case int8 = "I8"
        /// Unsigned bytes; readable as bytes only.
        case uint8 = "U8"
        /// Booleans, one byte each; readable as bytes only.
        case bool = "BOOL"

        /// Bytes of one element.
        public var byteCount: Int {
            switch self {
            case .float64, .int64: 8
            case .float32, .int32: 4
            case .bfloat16, .float16, .int16: 2
            case .int8, .uint8, .bool: 1
            }
        }

        /// PyTorch's name of a type that weights can be saved in; nil for the others.
        public var torchName: String? {
            switch self {
            case .float32: "float32"
            case .bfloat16: "bfloat16"
            case .float16: "float16"
            default: nil
            }
        }
    }

    /// What the header says about one tensor.
    public struct Entry: Sendable, Equatable, TensorEntry {
        /// The tensor's name.
        public let name: String
        /// Its element type.
        public let elementType: ElementType
        /// Its dimensions, outermost first.
        public let shape: [Int]
        /// Where its bytes lie in the file.
        public let byteRange: Range<Int>

        /// The product of the dimensions.
        public var elementCount: Int { byteRange.count / elementType.byteCount }
    }

    /// The file.
    public let url: URL
    /// The tensors, in the order of their bytes.
    public var entries: [Entry] { tensors.entries }
    /// The free-form strings under `__metadata__`.
    public let metadata: [String: String]
    private let tensors: MappedTensors<Entry>

    /// Maps `url` and checks its header.
    ///
    /// - Throws: `ModelFileError` that names the file, the tensor and what is wrong with it.
    public init(url: URL) throws {
        self.url = url
        let file = try MappedFile(url: url)
        let header = try file.withBytes { try SafetensorsHeader(bytes: $0, place: url.path) }
        tensors = MappedTensors(header.entries, of: file)
        metadata = header.metadata
    }

    /// The entry of a tensor, or nil.
    public func entry(_ name: String) -> Entry? { tensors.entry(name) }

    /// Calls `body` with a tensor's bytes (little-endian, not aligned).
    public func withBytes<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        try tensors.withBytes(name, body)
    }

    /// A tensor as floats, widened when it is stored in 16 bits.
    public func floats(_ name: String) throws -> [Float] {
        try tensors.floats(name) { try read(name, into: $0) }
    }

    /// Reads a tensor into `destination`, which must have exactly its element count.
    public func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        let entry = try tensors.required(name, elementCount: destination.count)
        try withBytes(name) { bytes in
            switch entry.elementType {
            case .float32: FloatConversion.copyFloat32(bytes, into: destination)
            case .bfloat16: FloatConversion.widenBFloat16(bytes, into: destination)
            case .float16: FloatConversion.widenFloat16(bytes, into: destination)
            default:
                throw ModelFileError(
                    .unsupported,
                    place: url.path,
                    "tensor \(name) has element type \(entry.elementType.rawValue); F32, BF16 and F16 can be read"
                )
            }
        }
    }

    /// A bfloat16 tensor where it lies in the mapped file; nil where it does not lie at an even address.
    ///
    /// Its values are read as they are, so only on processors that store the low byte first.
    package func mappedBFloat16(_ name: String) throws -> MappedBFloat16? {
        let entry = try tensors.required(name)
        return entry.elementType == .bfloat16 ? tensors.mappedBFloat16(entry) : nil
    }

    /// Lets go of the memory that reading a tensor took, where it will not be read again soon.
    package func release(_ name: String) {
        tensors.release(name)
    }
}
