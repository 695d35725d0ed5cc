import Digests

/// A SHA-256 of values in a fixed order, so that what was computed from them is recognised later.
package struct ContentDigest {
    private var hasher = SHA256()

    package init() {}

    /// Adds a text, its length first, so that neighbours do not run together.
    package mutating func add(_ text: String) {
        add(text.utf8.count)
        hasher.update(text.utf8)
    }

    package mutating func add(_ number: Int) {
        withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) { hasher.update($0) }
    }

    /// Adds numbers by their bits in memory, their count first.
    package mutating func add<Number: BitwiseCopyable>(_ values: UnsafeBufferPointer<Number>) {
        add(values.count)
        hasher.update(UnsafeRawBufferPointer(values))
    }

    package mutating func add<Number: BitwiseCopyable>(_ values: [Number]) {
        values.withUnsafeBufferPointer { add($0) }
    }

    /// The digest in hexadecimal.
    package var hex: String { hasher.hex }
}
