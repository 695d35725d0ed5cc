import CLibcrypto

/// An incremental SHA-256 (FIPS 180-4), computed by the system's libcrypto, which uses the processor's own instructions.
package struct SHA256: Sendable {
    /// Bytes of a digest.
    package static let byteCount = 32

    private var state = State()

    package init() {}

    /// Adds bytes to what is hashed.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
        state.update(bytes)
    }

    /// Adds bytes to what is hashed.
    package mutating func update(_ bytes: some Collection<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ update(UnsafeRawBufferPointer($0)) }) == nil {
            Array(bytes).withUnsafeBytes { update($0) }
        }
    }

    /// The digest of everything so far, 32 bytes; more can be added afterwards.
    package func finalize() -> [UInt8] { State(copying: state).finalize() }

    /// The digest of everything so far as 64 digits in lower case.
    package var hex: String { Hexadecimal.text(finalize()) }

    /// The digest of `bytes` in one call.
    package static func hash(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    /// One owner of a libcrypto context; ``SHA256`` copies it before it changes a shared one, so it is never written to
    /// from two places.
    private final class State: @unchecked Sendable {
        private let context: OpaquePointer

        /// The algorithm, looked up once: libcrypto would do so for every context.
        private static let algorithm = Algorithm()

        private struct Algorithm: @unchecked Sendable {
            // Nothing writes to it, and it lives as long as the process.
            let pointer = EVP_MD_fetch(nil, "SHA256", nil)
        }

        init() {
            context = Self.makeContext()
            require(EVP_DigestInit_ex(context, Self.algorithm.pointer, nil))
        }

        init(copying other: State) {
            context = Self.makeContext()
            require(EVP_MD_CTX_copy_ex(context, other.context))
        }

        deinit { EVP_MD_CTX_free(context) }

        func update(_ bytes: UnsafeRawBufferPointer) {
            guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
            require(EVP_DigestUpdate(context, base, bytes.count))
        }

        func finalize() -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { buffer, count in
                var length: UInt32 = 0
                require(EVP_DigestFinal_ex(context, buffer.baseAddress, &length))
                count = Int(length)
            }
        }

        private static func makeContext() -> OpaquePointer {
            guard let context = EVP_MD_CTX_new() else {
                preconditionFailure("libcrypto could not allocate a digest context: out of memory")
            }
            return context
        }
    }
}

/// Libcrypto refuses a digest only when it was built without SHA-256 or memory is gone; neither comes from input.
private func require(_ status: Int32) {
    precondition(status == 1, "libcrypto refused to compute a SHA-256")
}
