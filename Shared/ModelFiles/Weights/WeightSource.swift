/// Where a model's weights are read from: weights by name, whatever the format they are stored in.
package protocol WeightSource {
    /// The file or folder, for messages.
    var place: String { get }
    /// The names of all weights, sorted.
    var names: [String] { get }
    /// What a weight is called in the files, for messages.
    func storedName(_ name: String) -> String
    /// What is said of a weight, or nil where there is none of that name.
    func weight(_ name: String) -> StoredWeight?
    /// Reads a weight into `destination`, which must have exactly its element count.
    func read(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws
    /// A bfloat16 weight where it lies in its mapped file; nil where it cannot be used as it lies there.
    func mappedBFloat16(_ name: String) throws -> MappedBFloat16?
    /// Lets go of the memory that reading a weight took, where it will not be read again soon.
    func release(_ name: String)
}

/// A weight as it is stored.
package struct StoredWeight: Sendable, Equatable {
    /// Its dimensions, outermost first.
    package let shape: [Int]
    /// Its type's name in its format.
    package let typeName: String
    /// Whether it can be read as floats.
    package let isReadable: Bool
    /// Whether its values are bfloat16.
    package let isBFloat16: Bool

    package init(shape: [Int], typeName: String, isReadable: Bool, isBFloat16: Bool) {
        self.shape = shape
        self.typeName = typeName
        self.isReadable = isReadable
        self.isBFloat16 = isBFloat16
    }
}

extension SafetensorsCheckpoint: WeightSource {
    package var place: String { folder.path }

    package func storedName(_ name: String) -> String { name }

    package func weight(_ name: String) -> StoredWeight? {
        entry(name).map { entry in
            StoredWeight(
                shape: entry.shape,
                typeName: entry.elementType.rawValue,
                isReadable: entry.elementType.torchName != nil,
                isBFloat16: entry.elementType == .bfloat16
            )
        }
    }
}
