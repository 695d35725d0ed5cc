/// Bfloat16 values that lie in a mapped file.
package struct MappedBFloat16 {
    /// The values, as they are in the file.
    package let values: UnsafePointer<UInt16>
    /// How many there are.
    package let count: Int
    /// What keeps them in memory.
    package let owner: AnyObject
}

extension MappedFile {
    /// The bfloat16 values in `range` where they lie; nil where that is no even address or the processor stores the high
    /// byte first.
    func mappedBFloat16(_ range: Range<Int>) -> MappedBFloat16? {
        withBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[range])
            guard let base = part.baseAddress, Int(bitPattern: base) % 2 == 0, UInt16(1).littleEndian == 1 else {
                return nil
            }
            return MappedBFloat16(values: base.assumingMemoryBound(to: UInt16.self), count: part.count / 2, owner: self)
        }
    }
}
