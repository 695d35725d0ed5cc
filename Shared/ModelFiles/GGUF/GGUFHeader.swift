/// The head of a GGUF file: metadata and tensor list, parsed and checked against the size of the file.
struct GGUFHeader {
    static let magic: [UInt8] = Array("GGUF".utf8)
    static let defaultAlignment = 32
    /// The longest key and tensor name that the format's document allows.
    static let maximumNameLength = 65_535
    static let maximumDimensions = 4
    static let alignmentKey = "general.alignment"

    let version: Int
    let metadata: GGUFMetadata
    let alignment: Int
    private(set) var entries: [GGUFFile.Entry] = []

    init(bytes: UnsafeRawBufferPointer, place: String) throws {
        var cursor = GGUFCursor(bytes: bytes, place: place)
        version = try Self.version(&cursor)
        let tensorCount = try cursor.integer(UInt64.self, "the number of tensors")
        let pairCount = try cursor.integer(UInt64.self, "the number of metadata keys")
        // A key takes 8 bytes for its length, 1 for itself, 4 for the type and 1 for the value; a tensor takes 8 for the
        // length of its name, 1 for that, 4 for the number of dimensions, 8 for one, 4 for the type, 8 for the offset.
        let (pairs, tensors) = (UInt64(cursor.remaining / 14), UInt64(cursor.remaining / 33))
        guard pairCount <= pairs, tensorCount <= tensors else {
            throw cursor.malformed(
                "declares \(tensorCount) tensors and \(pairCount) metadata keys, more than the \(cursor.remaining) bytes "
                    + "that follow can hold"
            )
        }
        metadata = try Self.metadata(Int(pairCount), &cursor)
        alignment = try Self.alignment(metadata)
        let infos = try Self.tensorInfos(Int(tensorCount), &cursor)
        guard !infos.isEmpty else { return }
        let dataStart = (cursor.position + alignment - 1) / alignment * alignment
        entries = try infos.map { info in
            try info.entry(dataStart: dataStart, fileSize: bytes.count, alignment: alignment, place: place)
        }
        entries.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        for (previous, entry) in zip(entries, entries.dropFirst())
        where entry.byteRange.lowerBound < previous.byteRange.upperBound {
            throw cursor.malformed("tensor \(entry.name) overlaps tensor \(previous.name)")
        }
    }

    private static func version(_ cursor: inout GGUFCursor) throws -> Int {
        guard cursor.bytes.prefix(4).elementsEqual(magic) else {
            throw cursor.malformed("is no GGUF file: it does not begin with the letters GGUF")
        }
        _ = try cursor.integer(UInt32.self, "the magic number")
        let version = try cursor.integer(UInt32.self, "the version")
        func unsupported(_ message: String) -> ModelFileError {
            ModelFileError(.unsupported, place: cursor.place, message)
        }
        switch version {
        case 2, 3: return Int(version)
        case 1: throw unsupported("has version 1 of GGUF, of 2023; versions 2 and 3 can be read: convert it again")
        case _ where version.byteSwapped <= 0xFFFF && version > 0xFFFF:
            throw unsupported("is a big-endian GGUF file; little-endian ones can be read")
        default: throw unsupported("has version \(version) of GGUF; versions 2 and 3 can be read")
        }
    }

    private static func metadata(_ count: Int, _ cursor: inout GGUFCursor) throws -> GGUFMetadata {
        var pairs: [(key: String, value: GGUFValue)] = []
        var seen: Set<String> = []
        for index in 0..<count {
            let key = try cursor.name(limit: maximumNameLength, "metadata key \(index)")
            guard seen.insert(key).inserted else { throw cursor.malformed("has the key \(key) twice") }
            pairs.append((key, try cursor.value(key)))
        }
        return GGUFMetadata(pairs, place: cursor.place)
    }

    private static func alignment(_ metadata: GGUFMetadata) throws -> Int {
        guard let alignment = try metadata.integer(alignmentKey) else { return defaultAlignment }
        guard (1...1 << 20).contains(alignment), alignment & (alignment - 1) == 0 else {
            throw metadata.malformed("\(alignmentKey) is \(alignment), no power of two from 1 to 2^20")
        }
        return alignment
    }

    private static func tensorInfos(_ count: Int, _ cursor: inout GGUFCursor) throws -> [TensorInfo] {
        var infos: [TensorInfo] = []
        var seen: Set<String> = []
        for index in 0..<count {
            let name = try cursor.name(limit: maximumNameLength, "the name of tensor \(index)")
            guard seen.insert(name).inserted else { throw cursor.malformed("has the tensor \(name) twice") }
            let dimensions = try cursor.integer(UInt32.self, "the number of dimensions of tensor \(name)")
            guard (1...UInt32(maximumDimensions)).contains(dimensions) else {
                throw cursor.malformed("tensor \(name) has \(dimensions) dimensions, outside 1...\(maximumDimensions)")
            }
            let extents = try (0..<dimensions).map { _ in
                try cursor.integer(UInt64.self, "the shape of tensor \(name)")
            }
            let number = try cursor.integer(UInt32.self, "the type of tensor \(name)")
            guard let type = GGUFElementType(rawValue: number) else {
                throw ModelFileError(
                    .unsupported,
                    place: cursor.place,
                    "tensor \(name) has \(GGUFElementType.describe(number)); "
                        + "\(GGUFElementType.readableNames) can be read"
                )
            }
            let offset = try cursor.integer(UInt64.self, "the offset of tensor \(name)")
            infos.append(TensorInfo(name: name, extents: extents, type: type, offset: offset))
        }
        return infos
    }
}

/// What the file claims about one tensor.
private struct TensorInfo {
    let name: String
    /// The dimensions, innermost first.
    let extents: [UInt64]
    let type: GGUFElementType
    let offset: UInt64

    func entry(dataStart: Int, fileSize: Int, alignment: Int, place: String) throws -> GGUFFile.Entry {
        func failure(_ message: String) -> ModelFileError {
            ModelFileError(.malformed, place: place, "tensor \(name) \(message)")
        }
        var shape: [Int] = []
        var count = 1
        for extent in extents.reversed() {
            guard extent > 0, let extent = Int(exactly: extent) else {
                throw failure("has a dimension of \(extent)")
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw failure("has a shape that is too large: \(extents.reversed())") }
            count = product
            shape.append(extent)
        }
        guard shape[shape.count - 1].isMultiple(of: type.blockSize) else {
            throw failure(
                "has rows of \(shape[shape.count - 1]) elements; \(type.name) is made of blocks of \(type.blockSize)"
            )
        }
        let (size, overflow) = (count / type.blockSize).multipliedReportingOverflow(by: type.blockByteCount)
        guard !overflow else { throw failure("has a shape that is too large: \(shape)") }
        guard offset % UInt64(alignment) == 0 else {
            throw failure("begins at byte \(offset) of the data, no multiple of the alignment of \(alignment)")
        }
        let available = max(0, fileSize - dataStart)
        guard size <= available, offset <= UInt64(available - size) else {
            throw failure(
                "has \(size) bytes from byte \(offset) of the data, which has \(available): "
                    + "the file is truncated or its header lies"
            )
        }
        let start = dataStart + Int(offset)
        return GGUFFile.Entry(name: name, elementType: type, shape: shape, byteRange: start..<start + size)
    }
}
