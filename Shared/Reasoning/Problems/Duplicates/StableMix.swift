/// The hashes of words, shingles and n-grams: the same in every process and on every machine, so that they can be stored.
///
/// FNV-1a over the parts, with the finalizer of ``StableHash``.
enum StableMix {
    static let start: UInt64 = 0xcbf2_9ce4_8422_2325
    private static let prime: UInt64 = 0x0000_0100_0000_01b3

    static func add(_ scalar: Unicode.Scalar, to hash: UInt64) -> UInt64 {
        var hash = hash
        // By bytes of the code point, as FNV-1a goes.
        for shift in [0, 8, 16] as [UInt32] { hash = (hash ^ UInt64((scalar.value >> shift) & 0xFF)) &* prime }
        return hash
    }

    static func finish(_ hash: UInt64) -> UInt64 {
        var hash = hash
        hash ^= hash >> 33
        hash = hash &* 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        hash = hash &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    static func hash(_ scalar: Unicode.Scalar) -> UInt64 { finish(add(scalar, to: start)) }

    static func hash(_ scalars: some Sequence<Unicode.Scalar>) -> UInt64 {
        finish(scalars.reduce(start) { add($1, to: $0) })
    }

    /// The hash of a run of hashes, in their order.
    static func hash(_ values: ArraySlice<UInt64>) -> UInt64 {
        var hash = start ^ UInt64(values.count)
        for value in values { hash = finish((hash ^ value) &* prime) }
        return hash
    }
}
