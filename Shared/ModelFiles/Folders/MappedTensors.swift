/// What the header of a file says about one tensor.
protocol TensorEntry: Sendable {
    var name: String { get }
    var shape: [Int] { get }
    var byteRange: Range<Int> { get }
    var elementCount: Int { get }
}

/// The tensors of a mapped file by their names, whatever its format.
struct MappedTensors<Entry: TensorEntry>: Sendable {
    /// The tensors, in the order of their bytes.
    let entries: [Entry]
    private let file: MappedFile
    private let indexByName: [String: Int]

    /// Takes the entries of a checked header, in which each name stands once.
    init(_ entries: [Entry], of file: MappedFile) {
        self.entries = entries
        self.file = file
        indexByName = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    func entry(_ name: String) -> Entry? { indexByName[name].map { entries[$0] } }

    func required(_ name: String) throws -> Entry {
        guard let entry = entry(name) else {
            throw ModelFileError(.missing, place: file.path, "has no tensor \(name)")
        }
        return entry
    }

    func withBytes<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let entry = try required(name)
        return try file.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[entry.byteRange])) }
    }

    /// A tensor as floats, which `read` writes into a buffer of its element count.
    func floats(_ name: String, read: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws -> [Float] {
        let entry = try required(name)
        return try [Float](unsafeUninitializedCapacity: entry.elementCount) { buffer, count in
            try read(UnsafeMutableBufferPointer(rebasing: buffer.prefix(entry.elementCount)))
            count = entry.elementCount
        }
    }

    /// The entry of a tensor of so many elements.
    func required(_ name: String, elementCount: Int) throws -> Entry {
        let entry = try required(name)
        guard elementCount == entry.elementCount else {
            throw ModelFileError(
                .malformed,
                place: file.path,
                "tensor \(name) has \(entry.elementCount) elements (shape \(entry.shape)); "
                    + "\(elementCount) were expected"
            )
        }
        return entry
    }

    func mappedBFloat16(_ entry: Entry) -> MappedBFloat16? { file.mappedBFloat16(entry.byteRange) }

    func release(_ name: String) {
        if let entry = entry(name) { file.release(entry.byteRange) }
    }
}
