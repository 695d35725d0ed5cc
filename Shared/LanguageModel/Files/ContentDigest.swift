import Crypto
import Foundation
import TensorEngine

/// A SHA-256 of values in a fixed order, so that what was computed from them is recognised later.
package struct ContentDigest {
    private var hasher = SHA256()

    package init() {}

    /// Adds a text, its length first, so that neighbours do not run together.
    package mutating func add(_ text: String) {
        let bytes = Data(text.utf8)
        add(bytes.count)
        hasher.update(data: bytes)
    }

    package mutating func add(_ number: Int) {
        withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) { hasher.update(bufferPointer: $0) }
    }

    /// Adds numbers by their bits in memory, their count first.
    package mutating func add<Number: BitwiseCopyable>(_ values: UnsafeBufferPointer<Number>) {
        add(values.count)
        hasher.update(bufferPointer: UnsafeRawBufferPointer(values))
    }

    package mutating func add<Number: BitwiseCopyable>(_ values: [Number]) {
        values.withUnsafeBufferPointer { add($0) }
    }

    /// The digest in hexadecimal.
    package var hex: String {
        hasher.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

extension CausalLanguageModel {
    /// SHA-256, in hexadecimal, of what the model computes with.
    ///
    /// That is its configuration, every weight, and the LoRA adapter where one is attached. Reads all weights.
    public func contentHash() -> String {
        var digest = ContentDigest()
        // How a file stored the weights does not change what is computed with them.
        var sizes = configuration
        sizes.torchDtype = "float32"
        digest.add(String(decoding: sizes.json(), as: UTF8.self))
        func add(_ list: [(name: String, tensor: Tensor)]) {
            for (name, tensor) in list {
                digest.add(name)
                tensor.withValues { digest.add($0) }
            }
        }
        add(parameters)
        if let adapter {
            digest.add("adapter scaled by \(adapter.configuration.scaling)")
            add(adapter.parameters)
        }
        return digest.hex
    }
}
