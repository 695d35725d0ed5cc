/// Hashes that are the same in every process and on every machine.
public enum StableHash {
    /// A 64-bit FNV-1a hash with a final avalanche.
    public static func value(of text: String, basis: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
        value(ofBytes: text.utf8, basis: basis)
    }

    /// The hash of the text whose UTF-8 these bytes are.
    static func value(ofBytes bytes: some Sequence<UInt8>, basis: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
        var hash = basis
        for byte in bytes {
            hash ^= UInt64(byte)
            hash = hash &* 0x0000_0100_0000_01b3
        }
        hash ^= hash >> 33
        hash = hash &* 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        hash = hash &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    /// 128 bits as 32 hexadecimal digits.
    public static func hexadecimal(of text: String) -> String {
        let high = value(of: text)
        let low = value(of: text, basis: 0x6c62_272e_07bb_0142)
        return padded(high) + padded(low)
    }

    private static func padded(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
