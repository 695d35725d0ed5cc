public import Foundation

/// One GGUF file (version 2 or 3, little endian), mapped into memory, with every claim of its header checked before any
/// tensor is touched.
public final class GGUFFile: Sendable {
    /// What the header says about one tensor.
    public struct Entry: Sendable, Equatable, TensorEntry {
        /// The tensor's name.
        public let name: String
        /// Its element type.
        public let elementType: GGUFElementType
        /// Its dimensions, outermost first (the file lists them the other way round).
        public let shape: [Int]
        /// Where its bytes lie in the file.
        public let byteRange: Range<Int>

        /// The product of the dimensions.
        public var elementCount: Int { byteRange.count / elementType.blockByteCount * elementType.blockSize }
    }

    /// The file.
    public let url: URL
    /// The version of the format.
    public let version: Int
    /// The keys and values.
    public let metadata: GGUFMetadata
    /// The tensors, in the order of their bytes.
    public var entries: [Entry] { tensors.entries }
    private let tensors: MappedTensors<Entry>

    /// Maps `url` and checks its header.
    ///
    /// - Throws: `ModelFileError` that names the file, the key or tensor, and what is wrong with it.
    public init(url: URL) throws {
        self.url = url
        let file = try MappedFile(url: url)
        let header = try file.withBytes { try GGUFHeader(bytes: $0, place: url.path) }
        version = header.version
        metadata = header.metadata
        tensors = MappedTensors(header.entries, of: file)
    }

    /// Whether `url` is a file, and no folder, that goes by the name of a GGUF file.
    public static func isNamed(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        return url.pathExtension.lowercased() == "gguf"
            && !(FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue)
    }

    /// The entry of a tensor, or nil.
    public func entry(_ name: String) -> Entry? { tensors.entry(name) }

    /// Calls `body` with a tensor's bytes (little-endian, not aligned).
    public func withBytes<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        try tensors.withBytes(name, body)
    }

    /// A tensor as floats, dequantised where it is quantised.
    public func floats(_ name: String) throws -> [Float] {
        try tensors.floats(name) { try read(name, into: $0) }
    }

    /// Reads a tensor into `destination`, which must have exactly its element count.
    public func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        let entry = try tensors.required(name, elementCount: destination.count)
        try withBytes(name) { entry.elementType.dequantize($0, into: destination) }
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
